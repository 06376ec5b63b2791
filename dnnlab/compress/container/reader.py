"""From bytes to a state dict. Nothing from the file is run, imported or unpickled: it holds numbers and names alone."""

import math
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnnlab import memory
from dnnlab.compress.container import packing
from dnnlab.compress.container.mixing import Ints
from dnnlab.compress.container.planes import Walk, entropy
from dnnlab.compress.container.tensors import (
    CODED,
    DTYPES,
    MAGIC,
    MOST,
    RAW,
    SHARED,
    SPARSE,
    VERSION,
    Layer,
    layout,
    matrix_shape,
)
from dnnlab.errors import DnnlabError, UsageError

_DEEPEST = 16
_UNPACKED = 25
"""Bytes that an element takes while it is unpacked: its position, its number in the codebook, its value."""


@dataclass(frozen=True)
class Contents:
    """The content of a container."""

    state: dict[str, NDArray[Any]]
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class _Entry:
    """One tensor, as the header describes it."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    kind: int
    levels: NDArray[Any]
    """The codebook; empty where there is none."""
    width: int
    """The width of a line of the image that the layer reads, or of packed gaps in bits."""
    full: NDArray[Any]
    """The values that are written in full, in the type in which they were written."""
    symbols: Ints | None
    """The numbers in the codebook, where they are packed; else ``None``."""
    packed: int
    """Bits that the packed numbers take; where they are entropy-coded, how many of them are not zero."""

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def plain(self) -> bool:
        return self.kind == RAW or not self.size

    @property
    def alphabet(self) -> int:
        return len(self.levels) if self.kind == SHARED else 1


def decode(data: bytes, what: str = "the container") -> Contents:
    """The state dict in ``data``, exactly as it was written. Errors call the data ``what``.

    Raises:
        DnnlabError: it is no container, of a later version, cut short or damaged.
        UsageError: what it says to hold is larger than the memory.
    """
    if data[:4] != MAGIC:
        raise DnnlabError(f"{what} is no .dnnz container; give a file that dnnlab compress wrote.")
    if len(data) < 10 or struct.unpack("<I", data[5:9])[0] != zlib.crc32(data[4:5] + data[9:]):
        raise DnnlabError(f"{what} is damaged or cut short; write it again, or copy it again.")
    if data[4] != VERSION:
        raise DnnlabError(f"{what} is a container of version {data[4]}; this dnnlab reads version {VERSION}.")
    try:
        return _contents(_Bytes(data[9:]))
    except UsageError:
        raise
    except (ValueError, IndexError, OverflowError, MemoryError, zlib.error) as problem:
        raise DnnlabError(f"{what} has the right checksum but wrong content: {problem}.") from None


class _Bytes:
    """Bytes read from the front."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise ValueError("it ends too soon")
        self.at += count
        return self.data[self.at - count : self.at]

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.at)

    def number(self) -> int:
        value = shift = 0
        while shift <= 56:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
        raise ValueError("a number is too large")

    def array(self, count: int, dtype: np.dtype) -> NDArray[Any]:
        return np.frombuffer(self.take(count * dtype.itemsize), dtype)


def _contents(file: _Bytes) -> Contents:
    plain, kept = file.number(), file.number()
    head = file.take(kept)
    if kept < plain:
        if plain > MOST:
            raise ValueError("the header is too large")
        head = zlib.decompressobj(wbits=-15).decompress(head, plain)
    if len(head) != plain:
        raise ValueError("the header has another size than it says")
    return _tensors(_Bytes(head), file)


def _tensors(head: _Bytes, body: _Bytes) -> Contents:
    """The tensors that ``head`` describes, out of ``body``."""
    coding, count = head.number(), head.number()
    common = _codebook(head, body)
    entries = [_entry(head, body, coding, common) for _ in range(count)]
    memory.require(sum(entry.size * entry.dtype.itemsize for entry in entries), "what the container holds")
    walk, before = None, None
    if coding == CODED:
        import constriction

        rest = body.rest()
        words = np.frombuffer(rest[: len(rest) // 4 * 4], "<u4").astype(np.uint32)
        walk = Walk(decoder=constriction.stream.queue.RangeDecoder(words))
    state: dict[str, NDArray[Any]] = {}
    layers = []
    for entry in entries:
        bits: float = entry.packed
        symbols = entry.symbols
        if walk is not None and not entry.plain:
            rows, columns = matrix_shape(entry.shape)
            start = walk.bits
            place = layout(entry.shape, entry.width, before)
            matrix = walk.matrix(None, (rows, columns), entry.alphabet, entry.packed, place)
            before = (matrix > 0).sum(1) if rows > 1 else before
            symbols, bits = matrix.ravel(), walk.bits - start
        values, layer = _filled(entry, symbols, bits)
        state[entry.name] = values
        layers.append(layer)
    return Contents(state, tuple(layers))


def _codebook(head: _Bytes, body: _Bytes) -> NDArray[Any]:
    count = head.number()
    return body.array(count, DTYPES[head.number()]) if count else np.zeros(0, DTYPES[0])


def _entry(head: _Bytes, body: _Bytes, coding: int, common: NDArray[Any]) -> _Entry:
    name = head.take(head.number()).decode()
    dtype = DTYPES[head.number()]
    dimensions = head.number()
    if dimensions > _DEEPEST:
        raise ValueError("a tensor has too many dimensions")
    shape = tuple(head.number() for _ in range(dimensions))
    size = math.prod(shape)
    if size > MOST:
        raise ValueError("a tensor is too large")
    memory.require(size * _UNPACKED, f"the tensor {name}")
    kind = head.number()
    if kind not in (RAW, SPARSE, SHARED):
        raise ValueError("a tensor lies in a way that is not known")
    levels = np.zeros(0, dtype)
    if kind == RAW or not size:
        return _Entry(name, dtype, shape, kind, levels, 0, body.array(size, DTYPES[head.number()]), None, 0)
    entries = head.number() if kind == SPARSE else 0
    if kind == SHARED:
        levels = (_codebook(head, body) if dimensions > 1 else common).astype(dtype)
    width = head.number()
    symbols, packed = None, 0
    if coding == CODED:
        packed = head.number()
        if packed > size:
            raise ValueError("a tensor has more entries than places")
    else:
        symbols, packed = _packed(head, body, size, width, len(levels) if kind == SHARED else 1)
    full = body.array(entries, DTYPES[head.number()]) if kind == SPARSE else np.zeros(0, dtype)
    return _Entry(name, dtype, shape, kind, levels, width, full, symbols, packed)


def _packed(head: _Bytes, body: _Bytes, size: int, width: int, alphabet: int) -> tuple[Ints, int]:
    """The packed numbers of a tensor, and the bits that they take."""
    if width > packing.WIDEST:
        raise ValueError("its gaps are too wide")
    count, each = head.number(), max(1, width)
    numbers = packing.unpack(body.take(packing.size(count, each)), count, each)
    present = packing.read_index(numbers, width, size)
    entries, deep = int(present.sum()), max(alphabet - 1, 0).bit_length()
    symbols = present.astype(np.int64)
    if deep:
        symbols[present] = packing.unpack(body.take(packing.size(entries, deep)), entries, deep) + 1
    return symbols, count * each + entries * deep


def _filled(entry: _Entry, symbols: Ints | None, bits: float) -> tuple[NDArray[Any], Layer]:
    """The values of a tensor, and the bits that it takes."""
    full = 8 * entry.full.nbytes
    if entry.plain or symbols is None:
        values = entry.full.astype(entry.dtype).reshape(entry.shape)
        return values, Layer(entry.name, entry.shape, RAW, int(np.count_nonzero(values)), 0, full, full)
    if len(symbols) != entry.size:
        raise ValueError("it has another number of entries than places")
    if entry.kind == SHARED:
        values = np.concatenate([np.zeros(1, entry.dtype), entry.levels])[symbols]
    else:
        if len(entry.full) != int((symbols > 0).sum()):
            raise ValueError("it has another number of values than places for them")
        values = np.zeros(entry.size, entry.dtype)
        values[symbols > 0] = entry.full
    layer = Layer(
        name=entry.name,
        shape=entry.shape,
        kind=entry.kind,
        nonzeros=int((symbols > 0).sum()),
        levels=len(entry.levels),
        bits=bits + full,
        bound=entropy(symbols) + full,
    )
    return values.reshape(entry.shape), layer
