"""The lecture's own comparisons: options by name, for whatever the user leaves open."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dnnlab.compare_arch.questions import EQUAL_BUDGET, SEPARABILITY, SHALLOW_DEEP, TRANSFER
from dnnlab.runner.experiment import Question


@dataclass(frozen=True)
class Preset:
    """A comparison: its question, and the options that it sets."""

    help: str
    options: Mapping[str, Any]
    question: Question = EQUAL_BUDGET


PRESETS: dict[str, Preset] = {
    "depth": Preset(
        "plain against residual networks of the same parameters",
        {"arch": tuple(f"{kind}{depth}" for depth in (20, 32, 44, 56) for kind in ("plain", "resnet"))},
    ),
    "shallow-deep": Preset(
        "hidden units that parity of n bits and a compositional function need, shallow and deep",
        {"budget": ("steps=8000",), "optimizer": ("adam",), "lr": (0.01,)},
        SHALLOW_DEEP,
    ),
    "transfer": Preset(
        "a network trained on half of the classes, frozen but for its head, on few examples of the others",
        {"arch": ("resnet20",), "train_size": (100,), "batch_size": (32,)},
        TRANSFER,
    ),
    "separability": Preset(
        "how well a linear classifier does on each layer",
        {"arch": ("mlp5",), "lr": (0.01,)},
        SEPARABILITY,
    ),
    "activations": Preset(
        "one network under each activation",
        {"arch": tuple(f"resnet20:act={act}" for act in ("relu", "leaky_relu", "elu", "swish", "gelu", "tanh"))},
    ),
    "regularisation": Preset(
        "augmentation, dropout and weight decay, alone and together",
        {"arch": ("resnet20", "resnet20:dropout=0.2"), "weight_decay": (0.0, 5e-4), "augment": ("none", "crop")},
    ),
    "init-norm-order": Preset(
        "one network under each normalisation, and with it before and after the activation",
        {
            "arch": (
                *("nin:norm=batch,order=norm-act", "nin:norm=batch,order=act-norm"),
                *(f"nin:norm={norm}" for norm in ("none", "layer", "group")),
            ),
            "lr": (0.02,),
        },
    ),
}
