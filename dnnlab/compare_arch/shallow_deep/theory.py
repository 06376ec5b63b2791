"""Units that are known to suffice, by construction, and the growth that the lecture claims."""

import math

CLAIMS = {"shallow": "2ⁿ", "deep": "n²"}
EXPONENTIAL, POWER = "an exponential", "a power law"
CLAIMED = {"shallow": EXPONENTIAL, "deep": POWER}
RATE = 2.0
"""Both claims have a two: 2ⁿ has this factor, n² this exponent."""
SLACK = 0.05
"""The part of it by which growth as claimed may differ: growth of exactly 2 could never be shown to be so without any,
and the recipes that judge the lecture's factor allow as much (`above = 1.9`)."""
_EVIDENCE = math.log(20)
"""How far apart the logarithms of two likelihoods must be for one law to fit better. If the other law were true, and
both were known beforehand, that would happen with a probability of .05 at most (Royall 1997)."""


def fits_better(exponential: float, power: float) -> str | None:
    """The law that is shown to fit better, by the logarithms of their likelihoods; None where neither is."""
    if abs(exponential - power) >= _EVIDENCE:
        return EXPONENTIAL if exponential > power else POWER
    return None


def sufficient(task: str, inputs: int, depth: int) -> int | None:
    """Hidden ReLU units of a network with ``depth`` layers of one width whose weights one can write down; None where
    none is known.

    The parity of n bits is a zigzag of the number of ones, with n pieces. One layer of w units folds a line into w
    pieces, and a layer behind it folds each of them again, so that there are w^depth (Telgarsky 2016). One layer of n
    units does it: no 2ⁿ, which is what circuits of ANDs and ORs need (Håstad 1986).
    """
    if task != "parity":
        return None
    return depth * next(width for width in range(1, inputs + 1) if width**depth >= inputs)
