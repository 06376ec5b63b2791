"""The dead units that theory expects at birth, against networks of plain PyTorch that are drawn and counted.

python -m benchmarks.born_dead_grid

The two agree on a share where they differ by at most 5 % of it, or by .001 where that is more: three standard errors
of their difference. The exit code is 1 where they differ by more.
"""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnnlab.data import load
from dnnlab.networks.activations import per_layer
from dnnlab.networks.shape import MLPShape, parse_skip
from dnnlab.theory.death import expected_dead

RELATIVE, ABSOLUTE = 0.05, 0.001
_FEWEST, _MOST = 200, 20_000
_PRECISION = 0.008
"""The standard error of a counted share, relative to it, at which counting ends."""


@dataclass(frozen=True)
class Case:
    """One kind of network, and its inputs."""

    data: str
    act: str
    width: int
    depth: int
    init: str
    norm: str = "none"
    skip: str = "none"

    def inputs(self) -> Tensor:
        """``[input, feature]``: all training digits, or a thousand normal ones of 20 features."""
        if self.data == "digits":
            digits = load("digits")
            return digits.inputs(digits.train).flatten(1)
        return torch.randn(1000, 20, generator=torch.Generator().manual_seed(0))

    def shape(self, features: int) -> MLPShape:
        acts, skip = per_layer(self.act, self.depth), parse_skip(self.skip)
        return MLPShape(features, 10, self.depth, self.width, acts, self.norm, skip)


GRID = (
    Case("digits", "relu", 16, 1, "he"),
    Case("digits", "relu", 16, 5, "he"),
    Case("digits", "relu", 16, 20, "he"),
    Case("digits", "relu", 32, 10, "xavier"),
    Case("digits", "relu", 64, 5, "torch"),
    Case("digits", "relu", 64, 5, "he"),
    Case("digits", "relu", 64, 20, "torch"),
    Case("digits", "relu", 100, 20, "he"),
    Case("digits", "relu", 128, 10, "xavier"),
    Case("digits", "relu", 256, 20, "xavier"),
    Case("digits", "relu", 512, 3, "torch"),
    Case("digits", "relu", 512, 20, "he"),
    Case("digits", "relu", 64, 10, "he", norm="layer"),
    Case("digits", "relu", 32, 20, "torch", norm="layer"),
    Case("digits", "relu", 64, 10, "he", skip="residual"),
    Case("digits", "relu", 32, 20, "he", skip="residual:0.3"),
    Case("digits", "relu", 64, 10, "orthogonal"),
    Case("digits", "ReLU6", 64, 10, "he"),
    Case("digits", "Hardswish", 64, 5, "normal:0.3"),
    Case("digits", "Hardsigmoid", 32, 5, "normal:1"),
    Case("digits", "relu*5+gelu*5", 64, 10, "he"),
    Case("digits", "gelu", 64, 5, "normal:5"),
    Case("digits", "Softshrink", 64, 5, "normal:0.05"),
    Case("digits", "relu", 32, 6, "he", skip="dense"),
    Case("digits", "relu", 32, 10, "torch", skip="highway"),
    Case("gaussian", "relu", 32, 20, "he"),
    Case("gaussian", "relu", 100, 10, "torch"),
    Case("gaussian", "relu", 500, 20, "he"),
    Case("gaussian", "relu", 64, 20, "he", norm="layer", skip="residual"),
)

_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "ReLU6": F.relu6,
    "Hardswish": F.hardswish,
    "Hardsigmoid": F.hardsigmoid,
    "Softshrink": F.softshrink,
    "Tanhshrink": F.tanhshrink,
}
_INITIALISERS: dict[str, Callable[[Tensor], object]] = {
    "he": lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"),
    "xavier": nn.init.xavier_uniform_,
    "orthogonal": nn.init.orthogonal_,
}


def _linear(fan_in: int, fan_out: int, init: str) -> nn.Linear:
    layer = nn.Linear(fan_in, fan_out)
    if init == "torch":
        return layer
    name, _, std = init.partition(":")
    nn.init.zeros_(layer.bias)
    if name == "normal":
        nn.init.normal_(layer.weight, std=float(std))
    else:
        _INITIALISERS[name](layer.weight)
    return layer


@torch.no_grad()
def count(case: Case, x: Tensor) -> list[float]:
    """The share of dead units of each hidden layer of one network, drawn from PyTorch's own stream."""
    y = _linear(x.shape[1], case.width, case.init)(x)
    shares, seen = [], []
    for layer, act in enumerate(per_layer(case.act, case.depth), start=1):
        if layer > 1:
            read = torch.cat(seen, 1) if case.skip == "dense" else seen[-1]
            branch = _linear(read.shape[1], case.width, case.init)(read)
            if case.skip.startswith("residual"):
                y = y + float(case.skip.partition(":")[2] or 1) * branch
            elif case.skip == "highway":
                gate = _linear(case.width, case.width, case.init)
                nn.init.constant_(gate.bias, -2.0)
                open_ = torch.sigmoid(gate(y))
                y = open_ * branch + (1 - open_) * y
            else:
                y = branch
        u = F.layer_norm(y, y.shape[1:]) if case.norm == "layer" else y
        seen.append(_FUNCTIONS[act](u))
        shares.append(float((seen[-1] == 0).all(0).double().mean()))
    return shares


def brute_force(case: Case, x: Tensor, precision: float = _PRECISION) -> tuple[Tensor, float]:
    """The mean share of dead units of each hidden layer ``[layer]``, and the standard error of the whole network's."""
    torch.manual_seed(1)
    drawn: list[list[float]] = []
    while len(drawn) < _MOST:
        drawn += [count(case, x) for _ in range(_FEWEST)]
        whole = torch.tensor(drawn, dtype=torch.float64).mean(1)
        error = float(whole.std()) / math.sqrt(len(drawn))
        if error <= max(precision * float(whole.mean()), ABSOLUTE / 6):
            break
    return torch.tensor(drawn, dtype=torch.float64).mean(0), error


def agree(expected: float, counted: float) -> bool:
    """Whether two shares differ by no more than they may."""
    return abs(expected - counted) <= max(RELATIVE * counted, ABSOLUTE)


def main() -> int:
    """Print one line for each case; 1 where one differs by too much."""
    failed = 0
    for case in GRID:
        x = case.inputs()
        start = time.perf_counter()
        layers = expected_dead(case.shape(x.shape[1]), case.init, x)
        seconds = time.perf_counter() - start
        counted, error = brute_force(case, x)
        expected, share = sum(layers) / len(layers), float(counted.mean())
        good = agree(expected, share)
        failed += not good
        name = f"{case.data} {case.act} {case.width}x{case.depth} {case.init} norm {case.norm} skip {case.skip}"
        print(
            f"{name:70} expected {expected:.4f} ({seconds:.1f} s), counted {share:.4f} ± {error:.4f}: "
            f"{(expected / share - 1) if share else 0:+.1%}{'' if good else ' DIFFERS'}",
            flush=True,
        )
    print(f"{failed} of {len(GRID)} differ by more than they may")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
