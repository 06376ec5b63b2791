"""Which names of classes and categories are one, however they were typed."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

from dnnlab.errors import short

MERGED = "differ only by spaces or by what is not seen"
"""Why names are read as one."""
ALIKE = "kept apart, though they differ only by case or by the form of letters"
# Zero-width spaces, soft hyphens and marks of direction. Joiners inside a word change it, as in Persian.
_UNSEEN = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]")
_JOINERS = "\u200c\u200d"


def common(name: str) -> str:
    """The form that all ways to type ``name`` have: composed letters (NFC), one space between words, nothing unseen."""
    words = _UNSEEN.sub("", name).split()
    return unicodedata.normalize("NFC", " ".join(words).strip(f"{_JOINERS} "))


def merged(names: Sequence[str]) -> list[str]:
    """For each of ``names`` the one that stands for it: itself, or the form that it has in common with others."""
    ways = defaultdict(set)
    for name in names:
        ways[common(name)].add(name)
    return [name if len(ways[common(name)]) == 1 else common(name) for name in names]


def alike(names: Iterable[str]) -> list[list[str]]:
    """Those of the distinct ``names`` that differ by case or by the form of letters (NFKC) alone, together."""
    groups = defaultdict(list)
    for name in names:
        groups[unicodedata.normalize("NFKC", common(name)).casefold()].append(name)
    return [group for group in groups.values() if len(group) > 1]


def shown(name: str) -> str:
    """``name`` in quotation marks, so that those of `merged` can be told apart."""
    return repr(short(name)) if unicodedata.is_normalized("NFC", name) else ascii(short(name))
