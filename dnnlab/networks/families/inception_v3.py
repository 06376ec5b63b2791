"""Inception v3 (Szegedy 2016), for images of 299 px."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnnlab.networks.blocks import Style, WithAux, scaled
from dnnlab.networks.inception import Step, second_stem

_Chain = Sequence[Step | tuple[Step, Step]]
"""The steps of a chain; a pair of steps reads the same input, and its outputs are concatenated."""

_STEM = (
    *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1"),
    *("Conv2d_3b_1x1", "Conv2d_4a_3x3", "maxpool2"),
)


class Mixed(nn.Module):
    """Chains of convolutions side by side, the last of them after a pool: an average, or where the image halves
    a maximum.

    Units are named as in torchvision: after the chain if alone in it, otherwise numbered, a pair with ``a`` and ``b``.
    """

    def __init__(self, style: Style, width: float, inputs: int, chains: Mapping[str, _Chain]) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(3, 1, 1) if chains["branch_pool"] else nn.MaxPool2d(3, 2)
        self.chains: dict[str, list[list[str]]] = {}
        """Names of the units of each step."""
        self.outputs = 0
        for chain, steps in chains.items():
            self.chains[chain] = []
            reached = inputs
            for i, step in enumerate(steps, 1):
                name = chain if len(steps) == 1 else f"{chain}_{i}"
                alike = {name: step} if isinstance(step, Step) else {name + "a": step[0], name + "b": step[1]}
                for unit, each in alike.items():
                    self.add_module(unit, each.build(style, width, reached))
                self.chains[chain].append(list(alike))
                reached = sum(scaled(each.channels, width) for each in alike.values())
            self.outputs += reached

    def forward(self, x: Tensor) -> Tensor:
        ends: list[Tensor] = []
        for chain, steps in self.chains.items():
            end = self.pool(x) if chain == "branch_pool" else x
            for names in steps:
                alike = [getattr(self, name)(end) for name in names]
                end = torch.cat(alike, 1) if len(alike) > 1 else alike[0]
            ends.append(end)
        return torch.cat(ends, 1)


def _five(pooled: int) -> dict[str, _Chain]:
    return {
        "branch1x1": [Step(64, 1)],
        "branch5x5": [Step(48, 1), Step(64, 5)],
        "branch3x3dbl": [Step(64, 1), Step(96, 3), Step(96, 3)],
        "branch_pool": [Step(pooled, 1)],
    }


def _six(inner: int) -> dict[str, _Chain]:
    tall, wide = Step(inner, (7, 1)), Step(inner, (1, 7))
    return {
        "branch1x1": [Step(192, 1)],
        "branch7x7": [Step(inner, 1), wide, Step(192, (7, 1))],
        "branch7x7dbl": [Step(inner, 1), tall, wide, tall, Step(192, (1, 7))],
        "branch_pool": [Step(192, 1)],
    }


def _seven() -> dict[str, _Chain]:
    pair = Step(384, (1, 3)), Step(384, (3, 1))
    return {
        "branch1x1": [Step(320, 1)],
        "branch3x3": [Step(384, 1), pair],
        "branch3x3dbl": [Step(448, 1), Step(384, 3), pair],
        "branch_pool": [Step(192, 1)],
    }


_TO_SIX: dict[str, _Chain] = {
    "branch3x3": [Step(384, 3, 2, 0)],
    "branch3x3dbl": [Step(64, 1), Step(96, 3), Step(96, 3, 2, 0)],
    "branch_pool": [],
}
_TO_SEVEN: dict[str, _Chain] = {
    "branch3x3": [Step(192, 1), Step(320, 3, 2, 0)],
    "branch7x7x3": [Step(192, 1), Step(192, (1, 7)), Step(192, (7, 1)), Step(192, 3, 2, 0)],
    "branch_pool": [],
}
_EARLY = {
    "Mixed_5b": _five(32),
    "Mixed_5c": _five(64),
    "Mixed_5d": _five(64),
    "Mixed_6a": _TO_SIX,
    "Mixed_6b": _six(128),
    "Mixed_6c": _six(160),
    "Mixed_6d": _six(160),
    "Mixed_6e": _six(192),
}
_LATE = {"Mixed_7a": _TO_SEVEN, "Mixed_7b": _seven(), "Mixed_7c": _seven()}
"""The modules after the auxiliary head."""


class Head(nn.Module):
    """Logits of an inner image of 17×17 pixels, or however many (Szegedy 2016)."""

    def __init__(self, style: Style, width: float, inputs: int, num_classes: int) -> None:
        super().__init__()
        self.conv0 = Step(128, 1).build(style, width, inputs)
        self.conv1 = Step(768, 5, padding=0).build(style, width, scaled(128, width))
        self.fc = nn.Linear(scaled(768, width), num_classes)

    def forward(self, x: Tensor) -> Tensor:
        # conv1 reads 5×5, so that an image smaller than the published one has its means over other windows
        x = F.avg_pool2d(x, 5, 3) if min(x.shape[2:]) >= 17 else F.adaptive_avg_pool2d(x, 5)
        return self.fc(self.conv1(self.conv0(x)).mean((2, 3)))


class InceptionV3(nn.Module):
    """Eleven modules whose convolutions of 5×5 and 7×7 are factorised, and one auxiliary head.

    Args:
        aux: whether it has that head, ``true`` or ``false``. In training it puts out `WithAux` then.
        dropout: before the last layer.
    """

    def __init__(
        self,
        *,
        num_classes: int = 1000,
        in_chans: int = 3,
        act: str = "relu",
        norm: str = "batch",
        stem: str = "imagenet",
        aux: str = "true",
        width: float = 1.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        style = Style(act, norm, eps=0.001)
        for name, layer in zip(_STEM, second_stem(style, width, in_chans, stem == "small"), strict=True):
            self.add_module(name, layer)
        reached = self._add(_EARLY, style, width, scaled(192, width))
        self.AuxLogits = Head(style, width, reached, num_classes) if aux == "true" else None
        reached = self._add(_LATE, style, width, reached)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(reached, num_classes)

    def _add(self, modules: Mapping[str, Mapping[str, _Chain]], style: Style, width: float, reached: int) -> int:
        for name, chains in modules.items():
            mixed = Mixed(style, width, reached, chains)
            self.add_module(name, mixed)
            reached = mixed.outputs
        return reached

    def forward(self, x: Tensor) -> Tensor | WithAux:
        for name in (*_STEM, *_EARLY):
            x = getattr(self, name)(x)
        inner = x
        for name in _LATE:
            x = getattr(self, name)(x)
        logits = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        if self.training and self.AuxLogits is not None:
            return WithAux(logits, (self.AuxLogits(inner),), (0.4,))
        return logits
