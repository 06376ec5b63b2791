"""The networks of the cell space, and the supernet that contains all of them."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from dnnlab.errors import UsageError
from dnnlab.networks.spaces.cell import DIMENSIONS, EDGES, NODES, OPERATIONS
from dnnlab.networks.spaces.supernet import mixed

CHANNELS, CELLS = 8, 1
"""Channels of the first stage and cells per stage; 16 and 5 in the benchmark, which takes hours for each network."""


class ReluConvNorm(nn.Sequential):
    """ReLU, convolution, batch normalisation: the benchmark's ``nor_conv``."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, affine: bool = True) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs, affine=affine),
        )


class Nothing(nn.Module):
    """The operation whose output is zero."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


_MADE: Mapping[str, Callable[[int, bool], nn.Module]] = {
    "none": lambda channels, affine: Nothing(),
    "skip_connect": lambda channels, affine: nn.Identity(),
    "nor_conv_1x1": lambda channels, affine: ReluConvNorm(channels, channels, 1, affine=affine),
    "nor_conv_3x3": lambda channels, affine: ReluConvNorm(channels, channels, 3, affine=affine),
    "avg_pool_3x3": lambda channels, affine: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
}


class Cell(nn.Module):
    """A cell: every node is the sum of what the edges from earlier nodes bring."""

    def __init__(self, choices: Mapping[str, str], channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict({name: _MADE[operation](channels, True) for name, operation in choices.items()})

    def forward(self, x: Tensor) -> Tensor:
        nodes = [x]
        for j in range(1, NODES):
            nodes.append(torch.stack([self.edges[f"{i}-{j}"](nodes[i]) for i in range(j)]).sum(0))
        return nodes[-1]


class MixedCell(nn.Module):
    """A cell with every operation on each edge, weighted.

    Its normalisations have no scale of their own, which would undo the weights (Liu 2019).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict(
            {name: nn.ModuleList(_MADE[op](channels, False) for op in OPERATIONS) for name in DIMENSIONS}
        )

    def forward(self, x: Tensor, mix: Sequence[Tensor]) -> Tensor:
        nodes = [x]
        for j in range(1, NODES):
            terms = [
                mixed(self.edges[f"{i}-{j}"].children(), nodes[i], weights)
                for (i, k), weights in zip(EDGES, mix, strict=True)
                if k == j
            ]
            nodes.append(torch.stack(terms).sum(0))
        return nodes[-1]


class Reduction(nn.Module):
    """Halves the image and doubles the channels, beside a shortcut: the block between two stages of cells."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_a = ReluConvNorm(inputs, outputs, 3, 2)
        self.conv_b = ReluConvNorm(outputs, outputs, 3)
        self.downsample = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.downsample(x) + self.conv_b(self.conv_a(x))


class _Skeleton(nn.Module):
    """The stem, three stages of cells with a reduction between, and the classifier."""

    def __init__(
        self, cell: Callable[[int], nn.Module], shape: Sequence[int], classes: int, channels: int, cells: int
    ) -> None:
        super().__init__()
        if len(shape) != 3 or min(shape[1:]) < 4 or shape[1] % 4 or shape[2] % 4:
            raise UsageError(
                f"a network of cells takes images whose sides are multiples of 4, not {' × '.join(map(str, shape))}"
            )
        self.stem = nn.Sequential(nn.Conv2d(shape[0], channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        parts: list[nn.Module] = []
        for stage in range(3):
            if stage:
                parts.append(Reduction(channels, 2 * channels))
                channels *= 2
            parts += [cell(channels) for _ in range(cells)]
        self.cells = nn.ModuleList(parts)
        self.lastact = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
        self.classifier = nn.Linear(channels, classes)

    def _classified(self, x: Tensor) -> Tensor:
        return self.classifier(self.lastact(x).mean((2, 3)))


class CellNet(_Skeleton):
    """The benchmark's network of one cell, smaller unless ``channels`` and ``cells`` say otherwise."""

    def __init__(
        self,
        choices: Mapping[str, str],
        shape: Sequence[int],
        classes: int,
        channels: int = CHANNELS,
        cells: int = CELLS,
    ) -> None:
        super().__init__(lambda width: Cell(choices, width), shape, classes, channels, cells)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[batch, class]`` of images ``[batch, channel, height, width]``."""
        x = self.stem(x)
        for cell in self.cells:
            x = cell(x)
        return self._classified(x)


class CellSupernet(_Skeleton):
    """All networks of the space: the operations of an edge are weighted by ``mix``, one tensor ``[operation]`` per
    edge."""

    def __init__(self, shape: Sequence[int], classes: int, channels: int = CHANNELS, cells: int = CELLS) -> None:
        super().__init__(MixedCell, shape, classes, channels, cells)

    def forward(self, x: Tensor, mix: Sequence[Tensor]) -> Tensor:
        """Logits ``[batch, class]``."""
        x = self.stem(x)
        for cell in self.cells:
            x = cell(x, mix) if isinstance(cell, MixedCell) else cell(x)
        return self._classified(x)
