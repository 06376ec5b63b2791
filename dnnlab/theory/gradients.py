"""What theory predicts of a fully connected network at initialisation: the norm of δ, layer by layer.

Without batch normalisation by recursions (`dnnlab.theory.paths`), with it by Monte Carlo (`dnnlab.theory.monte_carlo`),
and where neither holds nothing.
"""

import math
from collections.abc import Iterable

import numpy as np

from dnnlab.errors import UsageError
from dnnlab.networks import initialisers
from dnnlab.networks.meanfield import depth_scale, fixed_point, moments
from dnnlab.theory.alike import form
from dnnlab.theory.paths import Paths
from dnnlab.theory.setting import OUT_OF_RANGE, InputStatistics, Prediction, Setting, slope_weights

__all__ = [
    "InputStatistics",
    "Prediction",
    "Setting",
    "max_trainable_depth",
    "predict",
    "prepare",
    "silence",
    "slope_weights",
]

NARROWEST = 8
"""Units of a layer from which on fluctuations of the order 1/N are small."""
SMALLEST = 4
"""Examples of a batch from which on batch normalisation leaves a gradient whose norm has a mean."""
_TOGETHER = 64
"""Settings whose recursions are run at once."""
_MOST = 65536

_known: dict[Setting, Prediction | str] = {}
"""What was predicted before, or why nothing was."""


def predict(setting: Setting) -> Prediction | None:
    """How the gradient's norm changes from layer to layer in a fully connected network, before any training.

    The recursions are those of Poole 2016 (arXiv:1606.05340) and Schoenholz 2017 (arXiv:1611.01232), run layer by
    layer for inputs of different norms. Layer normalisation, residual branches, highways and dense skips are added,
    and what a finite width changes to first order. For batch normalisation (Yang 2019, arXiv:1902.08129) and for
    ``rai`` it is a Monte Carlo with a fixed random stream, over networks whose inputs are normal. It gives ``None``
    where theory is silent: below 8 units a layer, for batch normalisation of less than 4 examples, for networks too
    large for a Monte Carlo, where numbers leave their range, and where ``critical`` is asked of an activation that has
    no critical point.

    Args:
        setting: The network and its inputs.

    Under LeCun's initialisation, Var W = 1/fan_in, a wide layer of ReLUs halves the square of the gradient:

    >>> import math
    >>> from dnnlab.networks import MLPShape
    >>> from dnnlab.theory import InputStatistics, Setting, predict_gradients
    >>> shape = MLPShape(inputs=64, classes=10, depth=20, width=10_000, acts=("relu",) * 20)
    >>> prediction = predict_gradients(Setting(shape, "lecun", InputStatistics(1.0, 1.0), batch_size=128))
    >>> f"{math.exp(prediction.log_rate) ** 2:.3f}"
    '0.500'
    """
    prepare([setting])
    known = _known[setting]
    return None if isinstance(known, str) else known


def silence(setting: Setting) -> str:
    """Why theory predicts nothing of the ``setting``, in words; empty where it does."""
    prepare([setting])
    known = _known[setting]
    return known if isinstance(known, str) else ""


def prepare(settings: Iterable[Setting]) -> None:
    """Compute what `predict` says of the ``settings``, those of one form at once: asking is quick afterwards."""
    new = [each for each in dict.fromkeys(settings) if each not in _known]
    if len(_known) + len(new) > _MOST:
        _known.clear()
    by_form: dict[object, list[Setting]] = {}
    for setting in new:
        if reason := _uncovered(setting):
            _known[setting] = reason
        elif setting.shape.norm != "batch" and setting.init != "rai":
            by_form.setdefault(form(setting), []).append(setting)
        else:
            _known[setting] = _monte_carlo(setting)
    for several in by_form.values():
        for start in range(0, len(several), _TOGETHER):
            together = several[start : start + _TOGETHER]
            with np.errstate(all="ignore"):  # what is not finite in the end has a reason instead
                _known.update(zip(together, Paths(together).predict(), strict=True))


def _monte_carlo(setting: Setting) -> Prediction | str:
    from dnnlab.theory.monte_carlo import MonteCarlo

    return MonteCarlo(setting).predict()


def _uncovered(setting: Setting) -> str:
    """Why no theory holds, as far as the setting itself says; empty where one may."""
    shape, told = setting.shape, setting.inputs
    if shape.width < NARROWEST:
        return f"a layer has less than {NARROWEST} units"
    if shape.norm == "batch" and setting.batch_size < SMALLEST:
        return f"batch normalisation of less than {SMALLEST} examples"
    if not all(map(math.isfinite, (told.mean_square, told.variance, told.square_spread, told.product_spread))):
        return "the spread of the inputs was not measured, as in a run of an earlier version"
    if not told.mean_square > 0:
        return "all inputs are zero"
    try:
        if setting.init != "rai":
            for layer in range(1, shape.depth + 2):
                initialisers.variances(setting.init, 1, 1, *shape.neighbours(layer))
    except UsageError as error:
        return str(error)
    except OverflowError:
        return OUT_OF_RANGE
    return ""


def max_trainable_depth(setting: Setting) -> float:
    """The depth to which theory expects a plain network of one activation to train: 6 times the smallest depth scale.

    The scales are ξ_c, over which the correlation of two inputs settles (Schoenholz 2017), 1/|ln χ|, over which
    gradients vanish or explode, and 2N/(3 E φ'⁴/(E φ'²)² - 1), over which those of N units do by chance (Hanin &
    Nica 2019; 2N/5 for ReLU). It is nan for networks with normalisation, skips, dropout or several activations, and
    where the mean square q of pre-activations has no fixed point, so that there are no scales.
    """
    shape = setting.shape
    if shape.norm != "none" or shape.skip.kind != "none" or len(set(shape.acts)) > 1 or setting.dropout:
        return math.nan
    if _uncovered(setting) or setting.init == "rai":
        return math.nan
    act = shape.acts[0]
    first = initialisers.variances(setting.init, shape.inputs, shape.width, *shape.neighbours(1))
    var = initialisers.variances(setting.init, shape.width, shape.width, act, act)
    weight = shape.width * var.weight
    start = shape.inputs * first.weight * setting.inputs.mean_square + first.bias
    q = fixed_point(act, weight, var.bias, start)
    if math.isnan(q):
        return math.nan
    m = moments(act, q)
    chance = 3 * m.slope4 / m.slope2**2 - (3 if setting.init == "orthogonal" else 1)
    lost = abs(math.log(weight * m.slope2)) + chance / (2 * shape.width)
    return 6 * min(depth_scale(act, weight, var.bias, start), 1 / lost if lost > 1e-9 else math.inf)
