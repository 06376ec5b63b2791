"""Where the units of a layer lie among the dimensions of a tensor, and where they go when it is reshaped.

A dimension of size 64 may hold 64 units, or 4 images of 16 tokens, or 8 of the 16 × 4 units of an attention layer. So
each dimension is a product of factors, from the slowest to the fastest, and each factor has a size and, where units
lie along it, a rank: the units of a tensor are counted along its ranked factors, in the order of their ranks.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

Rank = tuple[int, ...]
Factor = tuple[int, Rank | None]
Axes = tuple[tuple[Factor, ...], ...]
"""The factors of each dimension of a tensor."""


def plain(shape: Sequence[int]) -> Axes:
    """The axes of a tensor without units."""
    return tuple(((n, None),) for n in shape)


def along(shape: Sequence[int], *dims: int) -> Axes:
    """The axes of a tensor whose units lie along ``dims`` alone, in the order of these."""
    *others, last = dims
    places = [dim % len(shape) for dim in (*(d for d in others if shape[d] > 1), last)]
    return tuple(((n, (places.index(d),) if d in places else None),) for d, n in enumerate(shape))


def fits(axes: Axes, shape: Sequence[int]) -> bool:
    """Whether a tensor of ``shape`` can have these axes."""
    return [math.prod(n for n, _ in factors) for factors in axes] == list(shape)


def count(axes: Axes) -> int:
    """The number of units."""
    return math.prod(n for factors in axes for n, rank in factors if rank is not None)


def ranked(axes: Axes) -> set[int]:
    """The dimensions that hold units."""
    return {d for d, factors in enumerate(axes) if any(rank is not None for _, rank in factors)}


def by_unit(tensor: Tensor, axes: Axes) -> Tensor:
    """``tensor`` as ``[unit, other]``."""
    return _units_first(tensor, axes)[0].reshape(count(axes), -1)


def sum_by_unit(tensor: Tensor, axes: Axes) -> Tensor:
    """The sum over all places of each unit, ``[unit]`` in float32. It is `by_unit` summed, without a copy."""
    turned, units = _units_first(tensor, axes)
    others = tuple(range(units, turned.ndim))
    return (turned.sum(others, dtype=torch.float32) if others else turned.to(torch.float32)).reshape(-1)


def _units_first(tensor: Tensor, axes: Axes) -> tuple[Tensor, int]:
    """``tensor`` with a dimension for each factor, those that hold units first, in their order; and how many these
    are."""
    factors = [factor for dim in axes for factor in dim]
    units = sorted((i for i, f in enumerate(factors) if f[1] is not None), key=lambda i: factors[i][1] or ())
    others = [i for i, f in enumerate(factors) if f[1] is None]
    return tensor.reshape([n for n, _ in factors]).permute([*units, *others]), len(units)


def reshaped(axes: Axes, shape: Sequence[int]) -> Axes | None:
    """The axes after a reshape to ``shape``; ``None`` where a dimension would hold half a factor and no more of it."""
    if 0 in shape:
        return None
    rest: list[Factor] = []
    for size, rank in (factor for dim in axes for factor in dim if factor[0] > 1):
        if rank is None and rest and rest[-1][1] is None:  # places beside places may be divided in any way
            rest[-1] = (rest[-1][0] * size, None)
        else:
            rest.append((size, rank))
    dims: list[tuple[Factor, ...]] = []
    for n in shape:
        dim: list[Factor] = []
        while n > 1:
            size, rank = rest.pop(0)
            if n % size == 0:
                dim.append((size, rank))
                n //= size
            elif size % n == 0:  # the slower part lies here, the faster one in the dimensions behind
                slow, fast = (None, None) if rank is None else ((*rank, 0), (*rank, 1))
                dim.append((n, slow))
                rest.insert(0, (size // n, fast))
                n = 1
            else:
                return None
        dims.append(tuple(dim) or ((1, None),))
    return tuple(dims)


def resized(axes: Axes, shape: Sequence[int], *, sliced: bool = False) -> Axes | None:
    """The axes after an operation that keeps the dimensions, and may change how many places each holds.

    Where it changes how many units there are, they are other units, unless some of them were ``sliced`` out.
    """
    if len(axes) != len(shape):
        return None
    dims: list[tuple[Factor, ...]] = []
    for factors, n in zip(axes, shape, strict=True):
        ranks = [rank for _, rank in factors if rank is not None]
        if math.prod(size for size, _ in factors) == n:
            dims.append(factors)
        elif not ranks:
            dims.append(((n, None),))
        elif sliced and len(factors) == 1:
            dims.append(((n, ranks[0]),))
        else:
            return None
    return tuple(dims)


def reduced(axes: Axes, gone: set[int], keep: bool) -> Axes | None:
    """The axes after a mean, sum or maximum over the dimensions ``gone``; ``None`` where units were mixed."""
    if gone & {d for d in ranked(axes) if math.prod(n for n, _ in axes[d]) > 1}:
        return None
    dims = (((1, None),) if d in gone else factors for d, factors in enumerate(axes) if keep or d not in gone)
    return tuple(dims)


def expanded(axes: Axes, shape: Sequence[int]) -> Axes:
    """The axes after broadcasting to ``shape``."""
    new = len(shape) - len(axes)
    old = (f if math.prod(m for m, _ in f) == n else ((n, None),) for f, n in zip(axes, shape[new:], strict=True))
    return (*plain(shape[:new]), *old)


def joined(parts: Sequence[Axes], shape: Sequence[int]) -> Axes | None:
    """The axes of what has the units of all ``parts`` at once, such as their sum; ``None`` where they lie along other
    dimensions, or are other units."""
    found: Axes | None = None
    for axes in parts:
        wide = expanded(axes, shape)
        if not ranked(wide):  # broadcast along the units of the others, or without units
            continue
        if found is not None and [_pattern(f) for f in found] != [_pattern(f) for f in wide]:
            return None
        found = found or wide
    return found or (expanded(parts[0], shape) if parts else None)


def _pattern(factors: tuple[Factor, ...]) -> list[int]:
    """Where units lie in a dimension: how many places, alternately without and with units."""
    if all(rank is None for _, rank in factors):
        return []
    pattern, with_units = [1], False
    for n, rank in factors:
        if (rank is not None) != with_units:
            pattern.append(1)
            with_units = not with_units
        pattern[-1] *= n
    return pattern
