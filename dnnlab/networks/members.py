"""The catalogue of named architectures as a table: every published member.

Importing this module does not import torch.

A family is a class in ``dnnlab/networks/families/`` and one entry in `dnnlab.networks.family.FAMILIES`; a member is one
entry in `MEMBERS`, with the keyword arguments that make the class that network.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Member:
    """A published network."""

    name: str
    """Its name in torchvision, timm or transformers, with ``_`` in the place of ``-``."""
    family: str
    """The family of the network: one class makes all its members, which take the same options."""
    arguments: Mapping[str, Any] = field(repr=False)
    """Keyword arguments of the family's class."""
    paper: str
    """The paper in which it was published."""
    top1: float | None = None
    """Published accuracy in %, in the recipe of its source, so not comparable with anybody else's."""
    input_size: int = 224
    """Pixels along a side of the images it was published for; of a network of tokens, the tokens of a sequence."""
    classes: int = 1000
    """Classes it was published for."""
    vocabulary: int = 0
    """The different tokens that it knows, from 0 on; 0 for a network of images."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input that it was published for: ``(3, height, width)``, or ``(token,)``."""
        return (self.input_size,) if self.vocabulary else (3, self.input_size, self.input_size)

    @property
    def data(self) -> str:
        """Data drawn by chance that it takes, as ``--data`` has them, such as ``gaussian:3x224x224``."""
        if self.vocabulary:
            return f"tokens:{self.vocabulary}x{self.input_size}"
        return f"gaussian:3x{self.input_size}x{self.input_size}"


_MLP = "Rumelhart 1986, doi:10.1038/323533a0"
_HIGHWAY = "Srivastava 2015, arXiv:1507.06228"
_RNN = "Elman 1990, doi:10.1207/s15516709cog1402_1"
_LSTM = "Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735"
_LSTM_PTB = "Zaremba 2014, arXiv:1409.2329"
_LENET = "LeCun 1998, doi:10.1109/5.726791"
_ALEXNET = "Krizhevsky 2014, arXiv:1404.5997"
_NIN = "Lin 2014, arXiv:1312.4400"
_VGG = "Simonyan & Zisserman 2015, arXiv:1409.1556"
_RESNET = "He 2016, arXiv:1512.03385"
_WIDE = "Zagoruyko & Komodakis 2016, arXiv:1605.07146"
_RESNET9 = "Page 2018, https://myrtle.ai/learn/how-to-train-your-resnet/"
_RESNEXT = "Xie 2017, arXiv:1611.05431"
_SE = "Hu 2018, arXiv:1709.01507"
_GOOGLENET = "Szegedy 2015, arXiv:1409.4842"
_BN = "Ioffe & Szegedy 2015, arXiv:1502.03167"
_INCEPTION_V3 = "Szegedy 2016, arXiv:1512.00567"
_INCEPTION_V4 = "Szegedy 2017, arXiv:1602.07261"
_DENSENET = "Huang 2017, arXiv:1608.06993"
_FC_DENSENET = "Jégou 2017, arXiv:1611.09326"
_VIT = "Dosovitskiy 2021, arXiv:2010.11929"
_BERT = "Devlin 2019, arXiv:1810.04805"
_GPT2 = "Radford 2019, https://openai.com/index/better-language-models"
_XCEPTION = "Chollet 2017, arXiv:1610.02357"
_NASNET = "Zoph 2018, arXiv:1707.07012"
_AMOEBANET = "Real 2019, arXiv:1802.01548"
_MOBILENET_V1 = "Howard 2017, arXiv:1704.04861"
_MOBILENET_V2 = "Sandler 2018, arXiv:1801.04381"
_MOBILENET_V3 = "Howard 2019, arXiv:1905.02244"
_EFFICIENTNET = "Tan & Le 2019, arXiv:1905.11946"

_VGG_STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_VGG_TOP1 = {"vgg16": 71.59, "vgg16_bn": 73.36, "vgg19": 72.38, "vgg19_bn": 74.22}


def _vgg(depth: int, norm: str) -> Member:
    name = f"vgg{depth}" + ("_bn" if norm == "batch" else "")
    return Member(name, "vgg", {"layers": _VGG_STAGES[depth], "norm": norm}, _VGG, _VGG_TOP1.get(name))


def _resnet(name: str, layers: tuple[int, ...], paper: str = _RESNET, top1: float | None = None, **more: Any) -> Member:
    return Member(name, "resnet", {"block": "bottleneck", "layers": layers, **more}, paper, top1)


def _cifar_resnet(depth: int, skip: str, top1: float | None) -> Member:
    arguments = {
        "block": "basic",
        "layers": ((depth - 2) // 6,) * 3,
        "channels": 16,
        "shortcut": "identity",
        "stem": "small",
        "skip": skip,
    }
    name = f"{'plain' if skip == 'none' else 'resnet'}{depth}"
    return Member(name, "resnet", arguments, _RESNET, top1, input_size=32, classes=10)


def _wrn(depth: int, factor: int, top1: float) -> Member:
    arguments = {"depth": depth, "factor": factor}
    return Member(f"wrn{depth}_{factor}", "wide_resnet", arguments, _WIDE, top1, input_size=32, classes=10)


def _densenet(depth: int, layers: tuple[int, ...], top1: float | None = None, **more: Any) -> Member:
    return Member(f"densenet{depth}", "densenet", {"layers": layers, **more}, _DENSENET, top1)


def _cifar_densenet(name: str, layers: int, channels: int, bottleneck: bool, top1: float) -> Member:
    arguments = {
        "layers": (layers,) * 3,
        "growth": 12,
        "channels": channels,
        "bottleneck": bottleneck,
        "compression": 0.5 if bottleneck else 1.0,
        "stem": "small",
    }
    return Member(name, "densenet", arguments, _DENSENET, top1, input_size=32, classes=10)


def _fc_densenet(depth: int, layers: tuple[int, ...], growth: int) -> Member:
    arguments = {"layers": (*layers, *layers[-2::-1]), "growth": growth}
    return Member(f"fc_densenet{depth}", "fc_densenet", arguments, _FC_DENSENET, classes=12)


def _vit(size: str, patch: int, layers: int, heads: int, top1: float | None = None) -> Member:
    arguments = {"layers": layers, "heads": heads, "patch_size": patch}
    return Member(f"vit_{size}_{patch}", "vit", arguments, _VIT, top1)


def _lstm_ptb(size: str, units: int, dropout: float) -> Member:
    """For the words of the Penn Treebank, of which it predicts the next."""
    arguments = {"units": units, "cell": "LSTM", "layers": "2", "dropout": dropout}
    name = f"lstm_ptb_{size}"
    return Member(name, "rnn", arguments, _LSTM_PTB, input_size=35, classes=10_000, vocabulary=10_000)


def _bert(size: str, layers: int, heads: int) -> Member:
    """For the length of most of its training, and the two classes of many tasks of language."""
    arguments = {"layers": layers, "heads": heads}
    return Member(f"bert_{size}", "bert", arguments, _BERT, input_size=128, classes=2, vocabulary=30_522)


def _gpt2(size: str, layers: int, heads: int) -> Member:
    arguments = {"layers": layers, "heads": heads}
    return Member(f"gpt2{size}", "gpt2", arguments, _GPT2, input_size=1024, classes=50_257, vocabulary=50_257)


def _found(name: str, cells: str, repeat: int, channels: int, paper: str, top1: float, **more: Any) -> Member:
    arguments = {"cells": cells, "repeat": repeat, "channels": channels, "stem_channels": 32}
    mobile = repeat == 4
    return Member(name, "nasnet", arguments | more, paper, top1, input_size=224 if mobile else 331)


def _efficientnet(
    version: int, wider: float, deeper: float, dropout: float, input_size: int, top1: float | None = None
) -> Member:
    arguments: dict[str, Any] = {"wider": wider, "deeper": deeper, "dropout": dropout}
    if version >= 5:
        arguments |= {"eps": 1e-3, "momentum": 0.01}
    return Member(f"efficientnet_b{version}", "efficientnet", arguments, _EFFICIENTNET, top1, input_size)


_CIFAR_TOP1 = {20: 91.25, 32: 92.49, 44: 92.83, 56: 93.03, 110: 93.57}
# He 2016 plots the plain twins without naming a figure; these are a reproduction's, in which plain110 fails.
_PLAIN_TOP1 = {20: 90.10, 32: 86.96, 44: 84.45, 56: 85.26, 110: None}

MEMBERS: dict[str, Member] = {
    member.name: member
    for member in (
        *(Member(f"mlp{depth}", "mlp", {"depth": depth}, _MLP, input_size=28, classes=10) for depth in (1, 3, 5)),
        *(
            Member(f"highway{depth}", "highway", {"depth": depth}, _HIGHWAY, input_size=28, classes=10)
            for depth in (10, 20, 50, 100)
        ),
        Member("rnn", "rnn", {"units": 128}, _RNN, input_size=28, classes=10),
        Member("lstm", "rnn", {"units": 128, "cell": "LSTM"}, _LSTM, input_size=28, classes=10),
        _lstm_ptb("medium", 650, 0.5),
        _lstm_ptb("large", 1500, 0.65),
        Member("lenet5", "lenet", {"channels": (20, 50), "units": (500,)}, _LENET, 99.20, input_size=28, classes=10),
        Member("lenet300", "lenet", {"units": (300, 100)}, _LENET, 98.36, input_size=28, classes=10),
        Member("alexnet", "alexnet", {}, _ALEXNET, 56.52),
        Member("nin", "nin", {}, _NIN, 91.19, input_size=32, classes=10),
        *(_vgg(depth, norm) for depth in _VGG_STAGES for norm in ("none", "batch")),
        _resnet("resnet18", (2, 2, 2, 2), block="basic", top1=69.76),
        _resnet("resnet34", (3, 4, 6, 3), block="basic", top1=73.31),
        _resnet("resnet50", (3, 4, 6, 3), top1=76.13),
        _resnet("resnet101", (3, 4, 23, 3), top1=77.37),
        _resnet("resnet152", (3, 8, 36, 3), top1=78.31),
        _resnet("resnext50_32x4d", (3, 4, 6, 3), _RESNEXT, 77.62, groups=32, base_width=4),
        _resnet("resnext101_32x8d", (3, 4, 23, 3), _RESNEXT, groups=32, base_width=8),
        _resnet("resnext101_64x4d", (3, 4, 23, 3), _RESNEXT, groups=64, base_width=4),
        _resnet("wide_resnet50_2", (3, 4, 6, 3), _WIDE, base_width=128),
        _resnet("wide_resnet101_2", (3, 4, 23, 3), _WIDE, base_width=128),
        _resnet("se_resnet18", (2, 2, 2, 2), _SE, block="basic", squeeze=16),
        _resnet("se_resnet34", (3, 4, 6, 3), _SE, block="basic", squeeze=16),
        _resnet("se_resnet50", (3, 4, 6, 3), _SE, 77.65, squeeze=16, stride_in=1),
        # Accuracies of the authors' own weights, in the table of github.com/hujie-frank/SENet.
        _resnet("se_resnet101", (3, 4, 23, 3), _SE, 78.25, squeeze=16, stride_in=1),
        _resnet("se_resnet152", (3, 8, 36, 3), _SE, 78.66, squeeze=16, stride_in=1),
        _resnet("se_resnext50_32x4d", (3, 4, 6, 3), _SE, 79.03, squeeze=16, groups=32, base_width=4),
        _resnet("se_resnext101_32x4d", (3, 4, 23, 3), _SE, 80.19, squeeze=16, groups=32, base_width=4),
        *(_cifar_resnet(depth, "residual", top1) for depth, top1 in _CIFAR_TOP1.items()),
        *(_cifar_resnet(depth, "none", top1) for depth, top1 in _PLAIN_TOP1.items()),
        _wrn(16, 8, 95.73),
        _wrn(28, 10, 96.00),
        # one run of 24 epochs, in logs.tsv of github.com/davidcpage/cifar10-fast
        Member("resnet9", "resnet9", {}, _RESNET9, 94.08, input_size=32, classes=10),
        Member("googlenet", "googlenet", {}, _GOOGLENET, 69.78),
        Member("bn_inception", "bn_inception", {}, _BN, 74.61),
        Member("inception_v3", "inception_v3", {}, _INCEPTION_V3, 77.29, input_size=299),
        Member("inception_resnet_v2", "inception_resnet_v2", {}, _INCEPTION_V4, 80.43, input_size=299),
        _densenet(121, (6, 12, 24, 16), 74.43),
        _densenet(161, (6, 12, 36, 24), growth=48, channels=96),
        _densenet(169, (6, 12, 32, 32), 75.60),
        _densenet(201, (6, 12, 48, 32), 76.90),
        _densenet(264, (6, 12, 64, 48), 77.9),
        _cifar_densenet("densenet40", 12, 16, False, 94.76),
        _cifar_densenet("densenet_bc100", 16, 24, True, 95.49),
        _fc_densenet(56, (4, 4, 4, 4, 4, 4), 12),
        _fc_densenet(103, (4, 5, 7, 10, 12, 15), 16),
        _vit("b", 16, 12, 12, 81.07),
        _vit("b", 32, 12, 12),
        _vit("l", 16, 24, 16),
        _vit("l", 32, 24, 16),
        Member("xception", "xception", {}, _XCEPTION, 79.06, input_size=299),
        _found("nasnetamobile", "nasnet_a", 4, 44, _NASNET, 74.0),
        _found("nasnetalarge", "nasnet_a", 6, 168, _NASNET, 82.7, stem_channels=96, skip_reduction=True),
        _found("amoebanet_a_4_50", "amoebanet_a", 4, 50, _AMOEBANET, 74.5),
        _found("amoebanet_a_6_190", "amoebanet_a", 6, 190, _AMOEBANET, 82.8),
        Member("mobilenet_v1", "mobilenet_v1", {}, _MOBILENET_V1, 70.4),
        Member("mobilenet_v2", "mobilenet_v2", {}, _MOBILENET_V2, 71.88),
        Member("mobilenet_v3_small", "mobilenet_v3", {"size": "small"}, _MOBILENET_V3, 67.67),
        Member("mobilenet_v3_large", "mobilenet_v3", {"size": "large"}, _MOBILENET_V3, 74.04),
        _efficientnet(0, 1.0, 1.0, 0.2, 224, 77.69),
        _efficientnet(1, 1.0, 1.1, 0.2, 240),
        _efficientnet(2, 1.1, 1.2, 0.3, 288),  # in torchvision; 260 in the paper
        _efficientnet(3, 1.2, 1.4, 0.3, 300),
        _efficientnet(4, 1.4, 1.8, 0.4, 380),
        _efficientnet(5, 1.6, 2.2, 0.4, 456),
        _efficientnet(6, 1.8, 2.6, 0.5, 528),
        _efficientnet(7, 2.0, 3.1, 0.5, 600),
        _bert("base", 12, 12),
        _bert("large", 24, 16),
        _gpt2("", 12, 12),
        _gpt2("_medium", 24, 16),
        _gpt2("_large", 36, 20),
        _gpt2("_xl", 48, 25),
    )
}
"""The published networks by name: of each the paper, the published accuracy, the size of its inputs and its classes.

>>> from dnnlab.networks import MEMBERS
>>> resnet = MEMBERS["resnet50"]
>>> resnet.paper, resnet.input_size, resnet.classes
('He 2016, arXiv:1512.03385', 224, 1000)
>>> [name for name in MEMBERS if name.startswith("vgg") and name.endswith("_bn")]
['vgg11_bn', 'vgg13_bn', 'vgg16_bn', 'vgg19_bn']
"""
