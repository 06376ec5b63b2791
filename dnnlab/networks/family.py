"""The families of the catalogue as a table: the class of each, and the options that its members take.

Importing this module does not import torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dnnlab.networks import shape

FREE: tuple[str, ...] = ()
"""Stands for the values of an option where they are too many to list: of ``act``, ``width`` and ``dropout``."""

NORMS = {
    "batch": "batch normalisation (Ioffe & Szegedy 2015)",
    "layer": "over channels and positions of each example: group normalisation in one group",
    "group": "group normalisation in 32 groups, or as many as divide the channels (Wu & He 2018)",
    "none": "no normalisation; convolutions have a bias instead",
}

STEMS = {
    "imagenet": "the published one, which makes large images small",
    "small": "3×3 at stride 1 without a pool, for images of some 32 px",
}

_EVERY = {"act": FREE, "norm": tuple(NORMS), "width": FREE, "dropout": FREE}
_RESIDUAL = ("residual", "none")
_STEM = {"stem": tuple(STEMS)}
_ORDER = {"order": ("norm-act", "act-norm")}
_AUX = {"aux": ("true", "false")}
_PATCHES = ("published", "2", "4", "7", "8", "14", "16", "28", "32")
_MLP_SKIPS = tuple(skip for skip in shape.SKIPS if ":" not in skip)
_HEADS = ("mlp", "linear")


@dataclass(frozen=True)
class Family:
    """A class of networks: the module in ``dnnlab.networks.families``, the class in it, and the options it honours."""

    name: str
    class_name: str
    options: Mapping[str, tuple[str, ...]]
    """The values of each option that a user may set, or `FREE`. Each is a keyword of the class."""
    sized: bool = False
    """Whether the class needs to know ``input_size``, as networks with position embeddings do."""
    every_pixel: bool = False
    """Whether it classes every pixel of an image, and not the image."""
    layerwise: bool = False
    """Whether ``act`` may be a sequence with an activation for each of the ``depth`` layers, as relu+gelu+tanh."""


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            "mlp",
            "FullyConnected",
            _EVERY | {"norm": tuple(shape.NORMS), "skip": _MLP_SKIPS},
            sized=True,
            layerwise=True,
        ),
        Family("highway", "Highway", _EVERY | {"skip": ("highway", "none")}, sized=True),
        Family("rnn", "RNN", {"width": FREE, "dropout": FREE, "layers": ("1", "2", "3", "4")}, sized=True),
        Family("lenet", "LeNet", _EVERY, sized=True),
        Family("alexnet", "AlexNet", _EVERY | {"head": _HEADS} | _STEM),
        Family("nin", "NetworkInNetwork", _EVERY | _ORDER),
        Family("vgg", "VGG", _EVERY | {"head": _HEADS} | _ORDER),
        Family("googlenet", "GoogLeNet", _EVERY | _STEM | _AUX),
        Family("bn_inception", "BNInception", _EVERY | _STEM),
        Family("inception_v3", "InceptionV3", _EVERY | _STEM | _AUX),
        Family("inception_resnet_v2", "InceptionResNetV2", _EVERY | _STEM | {"skip": _RESIDUAL}),
        Family("resnet", "ResNet", _EVERY | {"skip": _RESIDUAL} | _STEM),
        Family("wide_resnet", "WideResNet", _EVERY | {"skip": _RESIDUAL}),
        Family("resnet9", "ResNet9", _EVERY | {"skip": _RESIDUAL}),
        Family("densenet", "DenseNet", _EVERY | _STEM),
        Family("fc_densenet", "FCDenseNet", _EVERY, every_pixel=True),
        Family("xception", "Xception", _EVERY | {"skip": _RESIDUAL} | _STEM),
        Family("nasnet", "NASNet", _EVERY | _STEM),
        Family("mobilenet_v1", "MobileNetV1", _EVERY | {"conv": ("separable", "standard")} | _STEM),
        Family("mobilenet_v2", "MobileNetV2", _EVERY | {"skip": _RESIDUAL} | _STEM),
        Family("mobilenet_v3", "MobileNetV3", _EVERY | {"skip": _RESIDUAL} | _STEM),
        Family("efficientnet", "EfficientNet", _EVERY | {"skip": _RESIDUAL} | _STEM),
        Family(
            "vit",
            "VisionTransformer",
            _EVERY | _STEM | {"norm": ("layer", "none"), "skip": _RESIDUAL, "patch": _PATCHES},
            sized=True,
        ),
        Family("bert", "BERT", _EVERY | {"norm": ("layer", "none"), "skip": _RESIDUAL}, sized=True),
        Family("gpt2", "GPT2", _EVERY | {"norm": ("layer", "none"), "skip": _RESIDUAL}, sized=True),
    )
}
"""The families by name: of each the class, and the options that its members take."""
