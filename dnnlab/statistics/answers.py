"""Which examples each network classified correctly, as text in a table: a bit an example."""

import base64
from collections.abc import Sequence

import numpy as np


def packed(right: np.ndarray) -> str:
    """The answers ``right [example]``, bool, as text: their number, a colon, and the bits in base64.

    >>> import numpy as np
    >>> packed(np.array([True, False, True]))
    '3:oA=='
    """
    bits = np.packbits(np.asarray(right, dtype=bool))
    return f"{len(right)}:{base64.b64encode(bits.tobytes()).decode()}"


def joined(texts: Sequence[str]) -> str:
    """The answers of several networks that count as one, such as those of which an average is taken; empty where one
    has none."""
    return " ".join(texts) if all(isinstance(text, str) and text for text in texts) else ""


def unpacked(text: str) -> np.ndarray:
    """The answers that `packed` wrote, bool ``[example]``; of several `joined`, their mean.

    Raises:
        ValueError: ``text`` is nothing that they write.
    """
    parts = text.split(" ")
    if len(parts) > 1:
        return np.mean([unpacked(part) for part in parts], axis=0)
    count, _, bits = text.partition(":")
    content = np.frombuffer(base64.b64decode(bits, validate=True), dtype=np.uint8)
    if len(content) != (int(count) + 7) // 8:
        raise ValueError(f"{len(content)} bytes do not hold {count} answers.")
    return np.unpackbits(content, count=int(count)).astype(bool)


def table(texts: Sequence[str]) -> np.ndarray | None:
    """The answers of several seeds to the same examples, ``[seed, example]``; None where a seed has none, or they are
    not of the same number of examples."""
    if not len(texts) or not all(isinstance(text, str) and text for text in texts):
        return None
    rows = [unpacked(text) for text in texts]
    return np.stack(rows) if len({len(row) for row in rows}) == 1 else None
