"""Matrices of small whole numbers, most of them zero, coded in as few bits as their neighbours predict.

A matrix ``[row, column]`` of a layer is walked column by column, all rows at once: first which entries are not zero,
then what they are, bit by bit from the highest. Every bit is predicted from entries that are known by then: those of
the same unit at neighbouring places of the image or kernel, how full the unit and the columns around are, and how
much of the layer before reaches this column.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dnnlab.compress.container.mixing import ONE, Ints, Mixer

_STEPS = 12
"""Steps in which a share is measured."""


@dataclass(frozen=True)
class Layout:
    """How the columns of a matrix lie: in maps of ``width`` × ``height`` places, and which units of the layer before
    they read."""

    width: int
    height: int
    feeding: Ints
    """``[column]``: how many entries of the unit that feeds the column are not zero, or -1 where that is unknown."""


Code = Callable[[Ints | None, Ints], Ints]
"""Codes bits: it is given the bits (or ``None`` to read them) and the probabilities of a one, and gives the bits."""


class Walk:
    """Writes or reads matrices with one coder, and counts the bits that they take."""

    def __init__(self, encoder: Any = None, decoder: Any = None) -> None:
        import constriction

        self.encoder, self.decoder = encoder, decoder
        self.family = constriction.stream.model.Bernoulli(perfect=False)
        self.bits = 0.0

    def _code(self, bits: Ints | None, p: Ints) -> Ints:
        chances = p / ONE
        if self.encoder is None:
            try:
                bits = self.decoder.decode(self.family, chances).astype(np.int64)
            except AssertionError:  # how constriction says that no encoder wrote this
                raise ValueError("its entropy-coded part is none") from None
        else:
            assert bits is not None
            self.encoder.encode(bits.astype(np.int32), self.family, chances)
        self.bits -= float(np.log2(np.where(bits == 1, chances, 1 - chances)).sum())
        return bits

    def matrix(self, values: Ints | None, shape: tuple[int, int], levels: int, nonzeros: int, layout: Layout) -> Ints:
        """The matrix ``[row, column]`` of entries 0 … ``levels``, of which so many are not zero: written if it is
        given, else read."""
        rows, columns = shape
        # One column of zeros before the first stands for all that lies outside.
        known = np.zeros((rows, columns + 1), dtype=np.int64)
        depth = max(levels - 1, 0).bit_length()
        sizes = (_STEPS * 3, 64, rows * 2, _STEPS * _STEPS, _STEPS * 5, _STEPS * 16)
        present = Mixer(sizes, 4, nonzeros * ONE // max(1, rows * columns))
        value = Mixer((1 << depth, 9 << depth, 4 * rows, 9 << depth, 5 << depth), 1 << depth) if depth else None
        full = np.zeros(rows, dtype=np.int64)
        weight = np.zeros(rows, dtype=np.int64)
        filled = np.zeros(columns + 1, dtype=np.int64)
        for j in range(columns):
            around = [known[:, place + 1] for place in _neighbours(j, layout)]
            beside = [int(filled[place + 1]) for place in _neighbours(j, layout)]
            column = values[:, j] if values is not None else None
            bits = None if column is None else (column > 0).astype(np.int64)
            contexts, chosen = _presence(j, around, beside, full, rows, layout)
            bits = self._code(bits, present.predict(contexts, chosen))
            present.learn(bits)
            nonzero = np.flatnonzero(bits)
            entries = bits.copy()
            if value is not None and len(nonzero):
                targets = None if column is None else column[nonzero] - 1
                decoded = self._values(
                    value, targets, depth, [a[nonzero] for a in around], weight[nonzero], full[nonzero], nonzero
                )
                entries[nonzero] = decoded + 1
                weight[nonzero] += 2 * decoded - (levels - 1)
            known[:, j + 1] = entries
            full += bits
            filled[j + 1] = len(nonzero)
        return known[:, 1:]

    def _values(
        self,
        mixer: Mixer,
        targets: Ints | None,
        depth: int,
        around: list[Ints],
        weight: Ints,
        full: Ints,
        rows: Ints,
    ) -> Ints:
        """The entries, less one, of the ``rows`` of a column that have any."""
        result = np.zeros(len(rows), dtype=np.int64)
        half = 1 << (depth - 1)
        sides = [np.where(a == 0, 0, np.where(a > half, 2, 1)) for a in around[:4]]
        pull = np.clip(np.sign(weight) * (1 + (np.abs(weight) > full * half)), -2, 2) + 2
        node = np.ones(len(rows), dtype=np.int64)
        for level in reversed(range(depth)):
            at = node - 1  # the nodes of the tree have the numbers 1, 2, …
            contexts = np.stack(
                [
                    at,
                    at * 9 + sides[0] * 3 + sides[1],
                    rows * 4 + np.minimum(at, 3),
                    at * 9 + sides[2] * 3 + sides[3],
                    at * 5 + pull,
                ],
                axis=1,
            )
            bits = None if targets is None else (targets >> level) & 1
            bits = self._code(bits, mixer.predict(contexts, at))
            mixer.learn(bits)
            result = result * 2 + bits
            node = node * 2 + bits
        return result


def _neighbours(j: int, layout: Layout) -> tuple[int, ...]:
    """The columns left of, above, above left, above right, and two further on either axis; -1 for none."""
    width, height = layout.width, layout.height
    x, y = j % width, j // width % height

    def at(dx: int, dy: int) -> int:
        return j + dx + dy * width if 0 <= x + dx < width and y + dy >= 0 else -1

    return at(-1, 0), at(0, -1), at(-1, -1), at(1, -1), at(-2, 0), at(0, -2)


def _share(part: int, whole: int) -> int:
    """``part / whole`` as one of `_STEPS` steps, each half of the one before."""
    return 0 if part == 0 else max(1, _STEPS - 1 - (whole // part).bit_length())


def _shares(parts: Ints, whole: int) -> Ints:
    return np.array([_share(int(part), whole) for part in parts], dtype=np.int64)


def _presence(
    j: int, around: list[Ints], beside: list[int], full: Ints, rows: int, layout: Layout
) -> tuple[Ints, Ints]:
    """Whether each entry of column ``j`` is there: the contexts ``[row, k]`` and the set of weights ``[row]`` that
    predict it."""
    near = [(a > 0).astype(np.int64) for a in around]
    pattern = sum((bit << k for k, bit in enumerate(near)), np.zeros(rows, dtype=np.int64))
    count = np.minimum(near[0] + near[1] + near[2] + near[3], 3)
    unit = _shares(full, j + 1)
    column = _share(beside[0] + beside[1], 2 * rows)
    feeding = int(layout.feeding[j])
    fed = 0 if feeding < 0 else min(feeding, 14) + 1
    far = int(beside[4] + beside[5] > 0) + int(beside[2] + beside[3] > 0)
    row = np.arange(rows) * 2 + (near[0] | near[1])
    contexts = np.stack(
        [
            np.full(rows, column * 3 + far, dtype=np.int64),
            pattern,
            row,
            unit * _STEPS + column,
            unit * 5 + count,
            unit * 16 + fed,
        ],
        axis=1,
    )
    return contexts, count


def entropy(values: Ints) -> float:
    """Bits that ``values`` would take if each were drawn on its own from their histogram: the bound of a code without
    contexts."""
    counts = np.bincount(values.ravel()).astype(float)
    counts = counts[counts > 0]
    return float((counts * np.log2(counts.sum() / counts)).sum()) if len(counts) > 1 else 0.0


def square(count: int) -> int:
    """The side of a square of ``count`` places, or 1 where it is none."""
    side = math.isqrt(count)
    return side if side * side == count else 1
