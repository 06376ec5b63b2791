"""Axes against arrays in which each element is the number of its unit, moved by NumPy in the same way."""

import math

import numpy as np
import pytest
import torch

from dnnlab.instruments.axes import (
    along,
    by_unit,
    count,
    expanded,
    fits,
    joined,
    plain,
    ranked,
    reduced,
    reshaped,
    resized,
    sum_by_unit,
)


def numbered(shape, dim):
    """An array of ``shape`` whose elements are their place along ``dim``."""
    return np.broadcast_to(
        np.arange(shape[dim]).reshape([-1 if d == dim % len(shape) else 1 for d in range(len(shape))]), shape
    )


def agree(axes, array):
    """Whether ``axes`` finds the elements of each unit in ``array``, in the order of the units."""
    assert fits(axes, array.shape)
    found = by_unit(torch.from_numpy(np.array(array)), axes).numpy()
    units = np.unique(array)
    assert found.shape == (count(axes), array.size // count(axes))
    right = count(axes) == len(units) and bool((found == units[:, None]).all())
    if right:
        sums = sum_by_unit(torch.from_numpy(np.array(array, np.float32)), axes)
        assert sums.tolist() == [float(array[array == unit].sum()) for unit in units]
    return right


def permuted(axes, order):
    return tuple(axes[d] for d in order)


SHAPES = [(7,), (4, 6), (2, 6, 5), (3, 4, 2, 2), (2, 1, 3, 4), (1, 8, 2, 3, 2)]


@pytest.mark.parametrize("shape", SHAPES)
def test_units_along_a_dimension(shape):
    for dim in range(-len(shape), len(shape)):
        axes = along(shape, dim)
        assert agree(axes, numbered(shape, dim))
        assert ranked(axes) == {dim % len(shape)}
        assert count(axes) == shape[dim]
    assert ranked(plain(shape)) == set()


def test_what_fits():
    axes = (((2, None), (3, (0,))), ((4, None),))
    assert fits(axes, [6, 4])
    assert fits(axes, torch.Size([6, 4]))
    for shape in ([6], [4, 6], [6, 4, 1], [3, 4]):
        assert not fits(axes, shape)


@pytest.mark.parametrize(
    ("before", "dim", "after"),
    [
        ((2, 6, 5), 1, (2, 30)),
        ((2, 6, 5), 1, (12, 5)),
        ((2, 6, 5), 1, (60,)),
        ((2, 6, 5), 2, (12, 5)),
        ((4, 6), 1, (4, 2, 3)),
        ((4, 6), 1, (4, 3, 2)),
        ((4, 6), 1, (2, 2, 6)),
        ((4, 6), 1, (4, 1, 6, 1)),
        ((4, 1, 6), 2, (4, 6)),
        ((2, 6, 5), 1, (4, 15)),
        ((2, 12, 5), 1, (8, 3, 5)),
        ((8, 6, 2, 2), 1, (4, 2, 2, 3, 4)),
        ((3, 1), 1, (3,)),
        ((4, 9, 5), 2, (6, 6, 5)),
        ((3, 4, 6), 2, (2, 6, 6)),
        ((1, 6), 1, (6,)),
    ],
)
def test_reshaped(before, dim, after):
    axes = reshaped(along(before, dim), after)
    assert axes is not None
    assert agree(axes, numbered(before, dim).reshape(after))


@pytest.mark.parametrize(
    ("before", "after"), [((4, 6), (3, 8)), ((4, 6), (8, 3)[::-1]), ((2, 9), (6, 3)), ((5, 6), (10, 3))]
)
def test_a_dimension_of_parts_of_factors(before, after):
    axes = reshaped(along(before, 1), after)
    assert axes is None or agree(axes, numbered(before, 1).reshape(after))


def test_nothing_is_known_of_an_empty_tensor():
    assert reshaped(along((0, 6), 1), (0, 3, 2)) is None


def splits(n, rng):
    """Sizes whose product is ``n``."""
    sizes = []
    while n > 1:
        size = int(rng.choice([d for d in range(2, n + 1) if n % d == 0]))
        sizes.append(size)
        n //= size
    for _ in range(rng.integers(2)):
        sizes.insert(rng.integers(len(sizes) + 1), 1)
    return sizes or [1]


def test_reshapes_and_permutations_one_after_the_other():
    """Never wrong; and mostly known, for most shapes do not cut units into unequal parts."""
    known = tried = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        shape = SHAPES[rng.integers(len(SHAPES))]
        dim = int(rng.integers(len(shape)))
        axes, array = along(shape, dim), numbered(shape, dim)
        for _ in range(rng.integers(1, 6)):
            if rng.integers(2):
                order = rng.permutation(array.ndim)
                axes, array = permuted(axes, order), array.transpose(order)
            else:
                after = splits(array.size, rng)
                tried += 1
                moved = reshaped(axes, after)
                if moved is None:
                    break
                known += 1
                axes, array = moved, array.reshape(after)
            assert agree(axes, array), seed
    assert known > 0.7 * tried


def test_heads_there_and_back():
    array, axes = numbered((2, 5, 12), 2), along((2, 5, 12), 2)
    heads = reshaped(axes, (2, 5, 3, 4))
    heads = permuted(heads, (0, 2, 1, 3))
    assert agree(heads, array.reshape(2, 5, 3, 4).transpose(0, 2, 1, 3))
    assert ranked(heads) == {1, 3}
    rows = reshaped(heads, (6, 5, 4))
    assert agree(rows, array.reshape(2, 5, 3, 4).transpose(0, 2, 1, 3).reshape(6, 5, 4))
    back = reshaped(permuted(reshaped(rows, (2, 3, 5, 4)), (0, 2, 1, 3)), (2, 5, 12))
    assert agree(back, array)


def test_resized_places():
    axes = along((2, 6, 8), 1)
    assert agree(resized(axes, (2, 6, 4)), numbered((2, 6, 4), 1))
    assert agree(resized(axes, (9, 6, 1)), numbered((9, 6, 1), 1))
    assert resized(axes, (2, 6)) is None
    assert resized(axes, (2, 3, 8)) is None


@pytest.mark.parametrize("cut", [slice(1, 4), slice(None, None, 2), slice(5, None)])
def test_some_units_sliced_out(cut):
    array = numbered((2, 6, 4), 1)[:, cut]
    assert agree(resized(along((2, 6, 4), 1), array.shape, sliced=True), array)


def test_slices_of_units_that_share_a_dimension():
    shared = reshaped(along((2, 6, 4), 1), (2, 24))
    assert resized(shared, (2, 12), sliced=True) is None  # it may begin in the middle of a unit
    assert agree(resized(shared, (1, 24), sliced=True), numbered((2, 6, 4), 1).reshape(2, 24)[:1])


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("gone", [{0}, {2}, {0, 2}, {0, 2, 3}])
def test_reduced_over_places(gone, keep):
    array = numbered((2, 6, 4, 3), 1)
    axes = reduced(along(array.shape, 1), gone, keep)
    assert agree(axes, array.max(axis=tuple(gone), keepdims=keep))


def test_reduced_over_units():
    axes = along((2, 6, 4), 1)
    assert reduced(axes, {1}, keep=True) is None
    assert reduced(axes, {0, 1}, keep=False) is None
    assert reduced(reshaped(axes, (2, 2, 3, 4)), {2}, keep=False) is None  # pairs of units
    assert reduced(reshaped(axes, (12, 4)), {0}, keep=False) is None
    one = along((2, 1, 4), 1)
    assert reduced(one, {1}, keep=False) is not None  # one unit is mixed with no other


@pytest.mark.parametrize(
    ("before", "dim", "after"),
    [((6,), 0, (4, 6)), ((1, 6, 1), 1, (2, 6, 5)), ((6, 1), 0, (2, 6, 3)), ((6, 3), 0, (6, 3))],
)
def test_expanded(before, dim, after):
    assert agree(expanded(along(before, dim), after), np.broadcast_to(numbered(before, dim), after))


def test_joined():
    shape = (2, 6, 4)
    same, other, gate = along(shape, 1), along(shape, 2), along((2, 1, 4), 2)
    assert agree(joined([same, same], shape), numbered(shape, 1))
    assert agree(joined([plain((2, 6, 4)), same], shape), numbered(shape, 1))
    assert agree(joined([same, along((6, 1), 0)], shape), numbered(shape, 1))
    assert joined([same, other], shape) is None
    assert joined([same, gate], shape) is None
    assert ranked(joined([plain(shape), plain((4,))], shape)) == set()
    assert joined([], shape) is None


def test_joined_after_other_ways_to_the_same_shape():
    """(8 · 6 units) and (2 · 4 · 6 units) are the same places; (8 units · 6) are others."""
    one = reshaped(along((8, 6), 1), (48,))
    two = reshaped(along((2, 4, 6), 2), (48,))
    three = reshaped(along((8, 6), 0), (48,))
    assert agree(joined([one, two], (48,)), numbered((8, 6), 1).reshape(48))
    assert joined([one, three], (48,)) is None


@pytest.mark.parametrize("seed", range(20))
def test_units_counted_as_by_hand(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(1, 5, rng.integers(1, 5)))
    dim, values = int(rng.integers(len(shape))), rng.integers(0, 2, shape)
    found = by_unit(torch.from_numpy(values), along(shape, dim)).sum(1).tolist()
    assert found == np.moveaxis(values, dim, 0).reshape(shape[dim], -1).sum(1).tolist()
    assert math.prod(by_unit(torch.from_numpy(values), along(shape, dim)).shape) == values.size
