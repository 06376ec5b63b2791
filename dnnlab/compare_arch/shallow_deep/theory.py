"""Units that are known to suffice, by construction, and the growth that the lecture claims."""

import math

CLAIMS = {"shallow": "2ⁿ", "deep": "n²"}


def sufficient(task: str, kind: str, inputs: int) -> int | None:
    """Hidden ReLU units of a network whose weights one can write down; ``None`` where none is known.

    Shallow parity: the number of ones is one linear function of the input, and a zigzag of it with n + 1 corners is
    the parity, for which n + 1 hinges are enough. No 2ⁿ: that is what circuits of ANDs and ORs need (Håstad 1986).
    Deep parity: a tree of n - 1 exclusive ors, |a - b| of two bits, each of two hinges; three layers hold 8 bits.
    """
    if task != "parity":
        return None
    if kind == "shallow":
        return inputs + 1
    return 2 * (inputs - 1) if math.ceil(math.log2(inputs)) <= 3 else None
