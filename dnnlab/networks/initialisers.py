"""Initialisers by name: the variances they give a layer, and the draw itself.

Importing this module imports neither torch nor numpy, so that the command line can list the names.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnnlab.errors import UsageError, unknown

if TYPE_CHECKING:
    import numpy as np

INITIALISERS = {
    "torch": "PyTorch's own for nn.Linear: uniform, Var W = Var b = 1/(3 fan_in)",
    "xavier": "Glorot 2010: uniform, Var W = 2/(fan_in + fan_out)",
    "he": "He 2015: normal, Var W = 2/fan_in",
    "lecun": "LeCun 1998: normal, Var W = 1/fan_in",
    "rai": "Lu 2019: normal, but one weight or bias of each unit is positive, so that fewer units are born dead",
    "orthogonal": "Saxe 2014: orthonormal rows or columns",
    "normal:STD": "normal with standard deviation STD, whatever the width",
    "critical": "the edge of chaos of the activation: χ = 1, so that theory's rate is 1 (Poole 2016)",
}
"""How weights are drawn, by name: what each initialiser does, and who proposed it.

These are the values of ``--init``, of `StackedMLP.draw` and of `dnnlab.theory.Setting`. For ``normal:STD``, write a
number, as in ``normal:0.05``.

>>> from dnnlab.networks import INITIALISERS
>>> INITIALISERS["he"]
'He 2015: normal, Var W = 2/fan_in'
"""


@dataclass(frozen=True)
class Variances:
    """Variance of the weights and of the biases of one layer."""

    weight: float
    bias: float


def check(init: str) -> str:
    """``init`` if it names an initialiser.

    Raises:
        UsageError: it does not, or STD is not a positive number.
    """
    name, _, argument = init.partition(":")
    if name == "normal":
        _normal_std(argument)
    elif init not in INITIALISERS:
        raise unknown("initialiser", init, INITIALISERS)
    return init


def _normal_std(text: str) -> float:
    try:
        std = float(text)
    except ValueError:
        std = math.nan
    if not 0 < std < math.inf:
        raise UsageError(f"initialiser 'normal:{text}' needs a positive standard deviation, such as normal:0.05.")
    return std


def variances(init: str, fan_in: int, fan_out: int, after: str | None, before: str) -> Variances:
    """The variances that ``init`` gives a ``fan_in`` → ``fan_out`` layer between activations ``after`` and ``before``.

    ``after`` is ``None`` for the first layer, whose inputs are data of unit variance.

    Raises:
        UsageError: ``critical`` was asked of an activation that has no critical point, or ``rai`` of anything.
    """
    name, _, argument = init.partition(":")
    match name:
        case "torch":
            return Variances(1 / (3 * fan_in), 1 / (3 * fan_in))
        case "xavier":
            return Variances(2 / (fan_in + fan_out), 0.0)
        case "he":
            return Variances(2 / fan_in, 0.0)
        case "lecun":
            return Variances(1 / fan_in, 0.0)
        case "orthogonal":
            return Variances(1 / max(fan_in, fan_out), 0.0)
        case "normal":
            return Variances(_normal_std(argument) ** 2, 0.0)
        case "critical":
            return _critical(fan_in, after, before)
        case "rai":
            raise UsageError("initialiser 'rai' has weights of a mean other than 0, which no variance describes.")
    raise unknown("initialiser", init, INITIALISERS)


def _critical(fan_in: int, after: str | None, before: str) -> Variances:
    from dnnlab.networks.meanfield import critical

    point = critical(after or before)
    if point is None:
        raise UsageError(
            f"activation {after or before!r} has no critical initialisation; take --init he or --init xavier."
        )
    # The first layer takes inputs of unit variance straight to the fixed point.
    weight = point.weight if after else point.q - point.bias
    return Variances(weight / fan_in, point.bias)


def draw(
    init: str,
    rng: "np.random.Generator",
    fan_in: int,
    fan_out: int,
    after: str | None,
    before: str,
    lead: tuple[int, ...] = (),
) -> "tuple[np.ndarray, np.ndarray]":
    """Weights ``[*lead, fan_in, fan_out]`` and biases ``[*lead, fan_out]`` in float64.

    The stream is used up in the same way whatever ``init`` is, so that runs that differ only in it are paired
    (but for ``rai``, which draws more).
    """
    weights, biases = (*lead, fan_in, fan_out), (*lead, fan_out)
    if init == "rai":
        return _asymmetric(rng, weights)
    var = variances(init, fan_in, fan_out, after, before)
    if init in ("torch", "xavier"):
        weight = rng.uniform(-1, 1, weights) * math.sqrt(3 * var.weight)
        bias = rng.uniform(-1, 1, biases) * math.sqrt(3 * var.bias)
        return weight, bias
    weight = rng.standard_normal(weights)
    bias = rng.standard_normal(biases) * math.sqrt(var.bias)
    if init == "orthogonal":
        return _orthonormal(weight), bias
    return weight * math.sqrt(var.weight), bias


def _orthonormal(normal: "np.ndarray") -> "np.ndarray":
    """The orthonormal factor of normal matrices, signs fixed so that it is Haar distributed (Mezzadri 2007)."""
    import numpy as np

    tall = normal if normal.shape[-2] >= normal.shape[-1] else normal.swapaxes(-2, -1)
    q, r = np.linalg.qr(tall)
    q = q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[..., None, :]
    return q if tall is normal else q.swapaxes(-2, -1)


RAI_STD = 0.6007
"""The σ at which randomised asymmetric layers keep the length of what passes through them (Lu 2019, section 4)."""


def _asymmetric(rng: "np.random.Generator", weights: tuple[int, ...]) -> "tuple[np.ndarray, np.ndarray]":
    """Normal weights and biases of variance σ²/fan_in, but one of each unit's, at random, is Beta(2, 1)."""
    import numpy as np

    *lead, fan_in, fan_out = weights
    values = rng.standard_normal((*lead, fan_in + 1, fan_out)) * (RAI_STD / math.sqrt(fan_in))
    one = rng.integers(fan_in + 1, size=(*lead, 1, fan_out))
    np.put_along_axis(values, one, rng.beta(2, 1, size=one.shape), axis=-2)
    return values[..., :-1, :], values[..., -1, :]
