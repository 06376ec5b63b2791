"""From a state dict to bytes."""

import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnnlab.compress.container import packing
from dnnlab.compress.container.mixing import Ints
from dnnlab.compress.container.planes import Walk, square
from dnnlab.compress.container.tensors import (
    CODED,
    DTYPES,
    MAGIC,
    PACKED,
    RAW,
    SHARED,
    SPARSE,
    VERSION,
    bits_of,
    layout,
    matrix_shape,
)

_NARROWER = {"f": (np.dtype("<f2"), np.dtype("<f4")), "i": (np.dtype("|i1"), np.dtype("<i2"), np.dtype("<i4"))}
_TRIED = 1 << 21
"""The most elements of a tensor for which every layout of the columns is tried."""


def encode(state: Mapping[str, NDArray[Any]], kinds: Mapping[str, int], *, coded: bool) -> bytes:
    """The container of ``state``; each tensor lies as ``kinds`` says (`RAW` if it says nothing).

    Tensors of one dimension that are `SHARED` have one codebook among them. With ``coded`` the indices are
    entropy-coded, else packed in so many bits each.

    Raises:
        ValueError: a tensor is of a type that containers do not hold.
    """
    return _Writer(coded).file(state, kinds)


class _Writer:
    def __init__(self, coded: bool) -> None:
        self.coded, self.head, self.body = coded, bytearray(), bytearray()
        self.walk: Walk | None = None
        self.before: Ints | None = None

    def file(self, state: Mapping[str, NDArray[Any]], kinds: Mapping[str, int]) -> bytes:
        arrays = {name: np.require(value, requirements="C") for name, value in state.items()}
        flat = [n for n, v in arrays.items() if v.ndim < 2 and kinds.get(n) == SHARED]
        common = self._levels([arrays[name] for name in flat] or [np.zeros(0, "<f4")])
        self.head.append(CODED if self.coded else PACKED)
        self._number(len(arrays))
        if self.coded:
            import constriction

            self.walk = Walk(encoder=constriction.stream.queue.RangeEncoder())
        self._codebook(common)
        for name, values in arrays.items():
            self._tensor(name, values, kinds.get(name, RAW), common)
        if self.walk is not None:
            self.body += self.walk.encoder.get_compressed().astype("<u4").tobytes()
        # The header is text and small numbers; deflated where that pays.
        deflated = zlib.compress(bytes(self.head), 9, wbits=-15)
        kept = deflated if len(deflated) < len(self.head) else bytes(self.head)
        size = _varint(len(self.head)) + _varint(len(kept))
        inside = size + kept + bytes(self.body)
        return MAGIC + bytes([VERSION]) + struct.pack("<I", zlib.crc32(bytes([VERSION]) + inside)) + inside

    def _number(self, value: int) -> None:
        self.head += _varint(value)

    def _tensor(self, name: str, values: NDArray[Any], kind: int, common: NDArray[Any]) -> None:
        dtype = values.dtype.newbyteorder("<") if values.dtype.itemsize > 1 else values.dtype
        if dtype not in DTYPES:
            raise ValueError(f"{name} is of type {values.dtype}, which a container does not hold")
        values = values.astype(dtype)
        text = name.encode()
        self._number(len(text))
        self.head += text
        self._number(DTYPES.index(dtype))
        self._number(values.ndim)
        for side in values.shape:
            self._number(side)
        self._number(kind)
        if kind == RAW or not values.size:
            self._in_full(values)
            return
        present = bits_of(values.ravel()) != 0
        if kind == SPARSE:
            self._number(int(present.sum()))
            self._plane(present.astype(np.int64), 1, values.shape)
            self._in_full(values.ravel()[present])
            return
        levels = self._levels([values]) if values.ndim > 1 else common
        if values.ndim > 1:
            self._codebook(levels)
        # Equal bits are equal values, and the codebook ascends by value, not by bits.
        places = {int(bits): place + 1 for place, bits in enumerate(bits_of(levels))}
        unique, inverse = np.unique(bits_of(values.ravel()), return_inverse=True)
        symbols = np.array([places[int(bits)] if bits else 0 for bits in unique], dtype=np.int64)[inverse]
        self._plane(symbols, len(levels), values.shape)

    def _levels(self, tensors: list[NDArray[Any]]) -> NDArray[Any]:
        """The values other than zero, ascending."""
        distinct = np.unique(np.concatenate([bits_of(values.ravel()) for values in tensors]))
        levels = distinct[distinct != 0].view(tensors[0].dtype)
        return levels[np.argsort(levels, kind="stable")]

    def _codebook(self, levels: NDArray[Any]) -> None:
        self._number(len(levels))
        if len(levels):
            self._in_full(levels)

    def _in_full(self, values: NDArray[Any]) -> None:
        """All of ``values`` as bytes, in the narrowest type that holds them exactly."""
        kept = values
        for dtype in _NARROWER.get(values.dtype.kind, ()):
            with np.errstate(all="ignore"):
                narrow = values.astype(dtype)
                exact = np.array_equal(bits_of(narrow.astype(values.dtype)), bits_of(values))
            if exact and dtype.itemsize < values.dtype.itemsize:
                kept = narrow
                break
        self._number(DTYPES.index(kept.dtype))
        self.body += kept.tobytes()

    def _plane(self, symbols: Ints, levels: int, shape: tuple[int, ...]) -> None:
        """Write the numbers 0 … ``levels`` of a tensor."""
        if self.walk is None:
            width, numbers = packing.best_index(symbols > 0)
            deep = max(levels - 1, 0).bit_length()
            self._number(width)
            self._number(len(numbers))
            self.body += packing.pack(numbers, max(1, width))
            self.body += packing.pack(symbols[symbols > 0] - 1, deep) if deep else b""
            return
        rows, columns = matrix_shape(shape)
        matrix = symbols.reshape(rows, columns)
        width, nonzeros = self._width(matrix, levels, shape), int((matrix > 0).sum())
        self._number(width)
        self._number(nonzeros)
        self.walk.matrix(matrix, (rows, columns), levels, nonzeros, layout(shape, width, self.before))
        if rows > 1:
            self.before = (matrix > 0).sum(1)

    def _width(self, matrix: Ints, levels: int, shape: tuple[int, ...]) -> int:
        """The width of a line of the image that a layer reads, where knowing it saves bits."""
        import constriction

        columns = matrix.shape[1]
        fed = self.before is not None and columns % max(1, len(self.before)) == 0
        widths = {1, square(columns // len(self.before) if fed and self.before is not None else columns)}
        if len(shape) != 2 or matrix.size > _TRIED or len(widths) == 1:
            return 1

        def cost(width: int) -> float:
            trial = Walk(encoder=constriction.stream.queue.RangeEncoder())
            nonzeros = int((matrix > 0).sum())
            trial.matrix(matrix, (len(matrix), columns), levels, nonzeros, layout(shape, width, self.before))
            return trial.bits

        return min(sorted(widths), key=cost)


def _varint(value: int) -> bytes:
    """A whole number in bytes of seven bits, the lowest first; the eighth bit says that more bytes follow."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
