"""Whole numbers packed in a fixed number of bits each: the form that a container has without entropy coding."""

import numpy as np
from numpy.typing import NDArray

from dnnlab.compress.container.mixing import Ints

BITMAP = 0
"""The width that says that there is no list of gaps but a bitmap, one bit per entry."""
WIDEST = 16


def pack(numbers: Ints, width: int) -> bytes:
    """``numbers`` below 2^``width``, one after another, the lowest bit first."""
    bits = (numbers[:, None] >> np.arange(width)) & 1
    return np.packbits(bits.astype(np.uint8).ravel(), bitorder="little").tobytes()


def unpack(data: bytes, count: int, width: int) -> Ints:
    """The ``count`` whole numbers of ``width`` bits that `pack` packed.

    Raises:
        ValueError: there is less.
    """
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[: count * width]
    if len(bits) < count * width:
        raise ValueError("too few bits")
    return bits.reshape(count, width).astype(np.int64) @ (1 << np.arange(width, dtype=np.int64))


def size(count: int, width: int) -> int:
    """Bytes that `pack` takes for ``count`` numbers of ``width`` bits."""
    return (count * width + 7) // 8


def best_index(present: NDArray[np.bool_]) -> tuple[int, Ints]:
    """The smallest way to say where ``present`` is True: a width and the numbers to pack.

    By the relative index of Han 2016: the gaps between entries, where the largest number says that the gap goes on;
    or a bitmap.
    """
    gaps = np.diff(np.flatnonzero(present), prepend=-1) - 1
    width, least = BITMAP, len(present)
    for candidate in range(1, WIDEST + 1):
        cost = candidate * (len(gaps) + int((gaps // ((1 << candidate) - 1)).sum()))
        if cost < least:
            width, least = candidate, cost
    if width == BITMAP:
        return width, present.astype(np.int64)
    top = (1 << width) - 1
    on = gaps // top
    numbers = np.full(len(gaps) + int(on.sum()), top, dtype=np.int64)
    numbers[np.cumsum(on + 1) - 1] = gaps % top
    return width, numbers


def read_index(numbers: Ints, width: int, count: int) -> NDArray[np.bool_]:
    """The positions of the entries among ``count``.

    Raises:
        ValueError: the gaps lead beyond the end.
    """
    if width == BITMAP:
        return numbers.astype(bool)
    top = (1 << width) - 1
    ends = numbers < top
    # Before each entry lie its gap and the entries before it.
    places = np.cumsum(np.where(ends, numbers + 1, top))[ends] - 1
    present: NDArray[np.bool_] = np.zeros(count, dtype=bool)
    if len(places) and int(places[-1]) >= count:
        raise ValueError("an index beyond the end")
    present[places] = True
    return present
