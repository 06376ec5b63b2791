"""What the text in a cell of a table may be. Nothing is converted."""

import re

NUMBER = "number"
OTHERWISE = "number written otherwise"
MARKER = "marker of a missing value"
TIME = "date or time"
NEARLY = "number beside other characters"
TEXT = "text"

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_CURRENCY = r"(?:[$€£¥₹]|USD|EUR|GBP|CHF|JPY|kr)"
_GROUPS = r"[0-9]{1,3}(?:[.,'’\s][0-9]{3})+(?:[.,][0-9]+)?"
_OTHERWISE = re.compile(
    rf"\(?[+−-]?\s*{_CURRENCY}?\s*[+−-]?(?:{_GROUPS}|[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)\s*(?:[%‰]|{_CURRENCY})?\)?"
)
_MONTH = (
    r"(?:jan(?:uary|uar)?|feb(?:ruary|ruar)?|mar(?:ch)?|märz?|mrz|apr(?:il)?|may|mai|june?|juni|july?|juli|aug(?:ust)?|"
    r"sept?(?:ember)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?)\.?"
)
_DAY = (
    r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?|"
    r"(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch)"
)
_CLOCK = r"[0-9]{1,2}:[0-9]{2}(?::[0-9.]+)?(?: ?[ap]\.?m\.?)?(?: ?(?:z|utc|gmt|[+-][0-9]{2}:?[0-9]{2}))?"
_TIMES = [
    r"[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}(?:[T ,].*)?",
    _CLOCK,
    # A year and a month, a week or a quarter; a day and a month
    r"[12][0-9]{3}[-/](?:0?[1-9]|1[0-2])|(?:0?[1-9]|1[0-2])/[12][0-9]{3}|[12][0-9]{3}-?w[0-9]{2}(?:-?[1-7])?",
    r"[12][0-9]{3}[-/ ]?q[1-4]|q[1-4][-/ ]?[12][0-9]{3}|[0-9]{1,2}\. ?[0-9]{1,2}\.",
    # Names of months among numbers, in English and German
    rf"(?:{_DAY}\.?,? )?(?:[0-9]{{1,4}}(?:st|nd|rd|th|\.)?[ ,/-]*(?:of )?)?{_MONTH}"
    rf"(?:[ ,/-]*[0-9]{{1,4}}(?:st|nd|rd|th)?(?![0-9])){{0,2}}(?:,?[T ]{_CLOCK})?",
]
_TIME = re.compile("|".join(_TIMES), re.IGNORECASE)
# Of any script, in Excel's quotation marks, rounded; hexadecimal, with underscores or Fortran's exponent; with a unit.
_NEARLY = re.compile(
    rf"[=~≈<>≤≥']*\"?[+−-]?{_CURRENCY}?\s?(?:0[xob][0-9a-f_]+|{_GROUPS}|\d+(?:_\d+)+|"
    r"(?:\d+[.,]?\d*|[.,]\d+)(?:[ed][+-]?\d+)?)\s?[^\d\s,;:_-]{0,6}",
    re.IGNORECASE,
)
# In lower case.
_MARKERS = {
    "?", "??", "-", "--", "---", "–", "—", ".", "..", "*", "na", "n/a", "n.a.", "n.a", "<na>", "nan", "-nan", "nat",
    "null", "(null)", "<null>", "[null]", "nil", "none", "\\n", "missing", "unknown", "undefined", "empty", "(empty)",
    "blank", "(blank)", "not available", "no data", "no value", "tbd", "#na", "#n/a n/a", "1.#ind", "-1.#ind", "1.#inf",
    "-1.#inf", "1.#qnan", "-1.#qnan",
}  # fmt: skip
# Those of spreadsheets.
_ERROR = re.compile(r"#(?:DIV/0!|N/A|VALUE!|REF!|NUM!|NAME\?|NULL!|SPILL!|CALC!)", re.IGNORECASE)


def kind(text: str) -> str:
    """What ``text``, without spaces around it, may be: one of the constants above."""
    if _NUMBER.fullmatch(text):
        return NUMBER
    if text.lower() in _MARKERS or _ERROR.fullmatch(text):
        return MARKER
    if _TIME.fullmatch(text) and any(map(str.isdecimal, text)):
        return TIME
    if _OTHERWISE.fullmatch(text):
        return OTHERWISE
    return NEARLY if _NEARLY.fullmatch(text) else TEXT
