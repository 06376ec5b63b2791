"""What each kind of stage does to a network, a file a kind; `apply` finds it."""

import importlib
from collections.abc import Callable

from torch import nn

from dnnlab.compress.chain import Stage
from dnnlab.compress.recovery import Retraining

Apply = Callable[[nn.Module, Stage, Retraining], nn.Module]


def apply(model: nn.Module, stage: Stage, retraining: Retraining) -> nn.Module:
    """``model`` after ``stage``, recovery training included; what ``code`` and ``int8`` do lies in the file alone."""
    module = importlib.import_module(f"{__name__}.{stage.kind}")
    changed: nn.Module = module.apply(model, stage, retraining)
    return changed
