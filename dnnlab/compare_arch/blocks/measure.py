"""All blocks counted, and timed in turns."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from dnnlab.compare_arch.blocks.modules import make
from dnnlab.compare_arch.blocks.plan import IMAGES, BlockCell
from dnnlab.instruments import speed
from dnnlab.instruments.cost import count
from dnnlab.runner.journal import Rows
from dnnlab.training.layout import lay_out


def measure(cells: Sequence[BlockCell], spec: Any, device: str, progress: Callable[[float], None]) -> Rows:
    """One row per block and round of timing."""
    torch.manual_seed(0)
    calls: dict[str, speed.Call] = {}
    counts = []
    for i, cell in enumerate(cells):
        module, shape = make(cell.comparison, cell.block)
        cost = count(module, shape)
        weights = sum(p.numel() for p in module.parameters() if p.ndim > 1)
        counts.append({"params": cost.parameters, "weights": weights, "macs": cost.macs})
        module, images = module.to(device).train(), torch.randn(IMAGES, *shape, device=device)
        x = lay_out(module, images)(images).requires_grad_()
        calls[f"{i} forward"] = functools.partial(_forward, module, x)
        calls[f"{i} training"] = functools.partial(_training, module, x)
    timings, machine = speed.in_turns(calls, device, progress)
    rows: Rows = {}
    for i, known in enumerate(counts):
        forward, training = (timings[f"{i} {kind}"].rounds for kind in ("forward", "training"))
        for number, (one, both) in enumerate(zip(forward, training, strict=True)):
            row = {"cell": i, **known, "round": number, "forward_ms": one * 1e3, "training_ms": both * 1e3}
            for name, value in (row | {"machine_spread": machine.spread}).items():
                rows.setdefault(name, []).append(value)
    return rows


@torch.no_grad()
def _forward(module: nn.Module, x: torch.Tensor) -> None:
    module(x)


def _training(module: nn.Module, x: torch.Tensor) -> None:
    out = module(x)
    torch.autograd.grad(out, [x, *module.parameters()], torch.ones_like(out))
