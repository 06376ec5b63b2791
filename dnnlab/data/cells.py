"""What the text in a cell of a table may be. Nothing is converted."""

import re

NUMBER = "number"
OTHERWISE = "number written otherwise"
MARKER = "marker of a missing value"
TIME = "date or time"
TEXT = "text"

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_CURRENCY = r"(?:[$€£¥₹]|USD|EUR|GBP|CHF|JPY|kr)"
_GROUPS = r"[0-9]{1,3}(?:[.,'’\s][0-9]{3})+(?:[.,][0-9]+)?"
_OTHERWISE = re.compile(
    rf"\(?[+−-]?\s*{_CURRENCY}?\s*[+−-]?(?:{_GROUPS}|[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)\s*(?:[%‰]|{_CURRENCY})?\)?"
)
_TIME = re.compile(
    r"[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}(?:[T ].*)?|[0-9]{1,2}:[0-9]{2}(?::[0-9.]+)?(?: ?[ap]m)?", re.IGNORECASE
)
# In lower case.
_MARKERS = {
    "?", "??", "-", "--", "---", "–", "—", ".", "..", "*", "na", "n/a", "n.a.", "n.a", "<na>", "nan", "-nan", "nat",
    "null", "(null)", "<null>", "nil", "none", "\\n", "missing", "unknown", "undefined", "empty",
}  # fmt: skip
# Those of spreadsheets.
_ERROR = re.compile(r"#(?:DIV/0!|N/A|VALUE!|REF!|NUM!|NAME\?|NULL!|SPILL!|CALC!)", re.IGNORECASE)


def kind(text: str) -> str:
    """What ``text``, without spaces around it, may be: one of the constants above."""
    if _NUMBER.fullmatch(text):
        return NUMBER
    if text.lower() in _MARKERS or _ERROR.fullmatch(text):
        return MARKER
    if _TIME.fullmatch(text):
        return TIME
    return OTHERWISE if _OTHERWISE.fullmatch(text) else TEXT
