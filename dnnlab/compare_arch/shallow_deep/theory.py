"""Units that are known to suffice, by construction, and the growth that the lecture claims."""

CLAIMS = {"shallow": "2ⁿ", "deep": "n²"}


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
