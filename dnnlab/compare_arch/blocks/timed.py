"""Times blocks in turns, in a process of its own: ``python -m dnnlab.compare_arch.blocks.timed``."""

import functools
import json
import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from dnnlab.compare_arch.blocks.modules import make
from dnnlab.instruments import speed
from dnnlab.training.layout import lay_out


def times(blocks: Sequence[tuple[str, str]], device: str, images: int, rounds: int) -> dict[str, Any]:
    """Seconds of the forward pass and of a whole step of so many ``images`` in each of the ``rounds``, a list for each
    of the ``blocks``, which are a comparison and a block; and how much the machine's own speed varied."""
    timings, machine = speed.in_turns(calls_of(blocks, device, images), device, lambda share: None, rounds)
    kinds = {kind: [timings[f"{i} {kind}"].rounds for i in range(len(blocks))] for kind in ("forward", "training")}
    return {**kinds, "machine_spread": machine.spread}


def calls_of(blocks: Sequence[tuple[str, str]], device: str, images: int) -> dict[str, speed.Call]:
    """What is timed of each block: ``0 forward``, ``0 training`` and so on."""
    torch.manual_seed(0)
    calls: dict[str, speed.Call] = {}
    for i, block in enumerate(blocks):
        module, shape = make(*block)
        module, batch = module.to(device).train(), torch.randn(images, *shape, device=device)
        x = lay_out(module, batch)(batch).requires_grad_()
        calls[f"{i} forward"] = functools.partial(_forward, module, x)
        calls[f"{i} training"] = functools.partial(_training, module, x)
    return calls


@torch.no_grad()
def _forward(module: nn.Module, x: torch.Tensor) -> None:
    module(x)


def _training(module: nn.Module, x: torch.Tensor) -> None:
    out = module(x)
    torch.autograd.grad(out, [x, *module.parameters()], torch.ones_like(out))


if __name__ == "__main__":
    question = json.load(sys.stdin)
    torch.set_num_threads(question.pop("threads"))
    json.dump(times(**question), sys.stdout)
