"""The operations of PyTorch that multiply by a matrix or kernel, and where the units of a product lie."""

from collections.abc import Sequence

from torch import Tensor

from dnnlab.instruments.axes import Axes, Factor, along, ranked
from dnnlab.instruments.origin import Origin

FACTORS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(("mm", "bmm", "mv", "dot", "convolution", "_convolution", "mkldnn_convolution"), (0, 1)),
    **dict.fromkeys(("addmm", "baddbmm", "addbmm", "addmv", "_addmm_activation"), (1, 2)),
    **dict.fromkeys(("_trilinear", "conv_tbc", "_cdist_forward", "_euclidean_dist"), (0, 1)),
}
"""The operations that multiply by a matrix or kernel, and the places of their two factors. Distances of all rows of two
matrices are among them: they are what their product and their norms say."""

CONVOLUTIONS = frozenset({"convolution", "_convolution", "mkldnn_convolution"})

FEATURES_LAST = frozenset({"_trilinear", "conv_tbc"})
"""The products whose kernel is no matrix, and whose units lie along the last dimension."""

DISTANCES = frozenset({"_cdist_forward", "_euclidean_dist"})
"""Those between the rows of two matrices: where one of them is trained, its rows are units."""


def by_weight(out: Tensor, weight: Origin, other: Axes, right: bool) -> Axes | None:
    """The axes of ``out``, a product of a matrix with ``other``: units lie along the free dimension of the matrix, and
    along those of its batch where each has a matrix of its own.

    Args:
        out: The product ``[batch?, n?, m?]``.
        weight: The matrix.
        other: The axes of what it multiplies.
        right: Whether the matrix is the right factor.
    """
    matrix = weight.axes
    if matrix is None:
        return along(out.shape, -1 if right else -2) if out.ndim == 2 else None
    free = [matrix[-1 if right else -2]] if len(matrix) > 1 else []
    kept = [_unranked(other[-2 if right else -1])] if len(other) > 1 else []
    batch = [_unranked(k) if not _has_rank(f) else f for f, k in zip(matrix[:-2], other, strict=False)]
    return (*batch, *kept, *free) if right else (*batch, *free, *kept)


def of_two(left: Origin | None, right: Origin | None, shape: Sequence[int]) -> tuple[Axes | None, Origin | None]:
    """The axes of a product of two tensors neither of which is a matrix of parameters, such as of attention weights
    with values, and the factor that its units come from.

    The units of a factor survive where they do not lie along the dimension that is summed over.
    """
    if len(shape) < 2:
        return None, None
    known = [
        origin
        for origin, summed in ((left, -1), (right, -2))
        if origin is not None and origin.axes and len(origin.axes) == len(shape) and _survive(origin.axes, summed)
    ]
    if len(known) != 1 or not known[0].axes:
        return None, None
    (origin,), axes = known, known[0].axes
    if origin is left:
        return (*axes[:-1], ((shape[-1], None),)), origin
    return (*axes[:-2], ((shape[-2], None),), axes[-1]), origin


def _survive(axes: Axes, summed: int) -> bool:
    lies = ranked(axes)
    return bool(lies) and len(axes) + summed not in lies


def _has_rank(factors: Sequence[Factor]) -> bool:
    return any(rank is not None for _, rank in factors)


def _unranked(factors: Sequence[Factor]) -> tuple[Factor, ...]:
    return tuple((n, None) for n, _ in factors)
