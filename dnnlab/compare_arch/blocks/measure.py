"""All blocks counted, and timed in turns in several processes."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from dnnlab.compare_arch.blocks.modules import make
from dnnlab.compare_arch.blocks.plan import IMAGES, BlockCell
from dnnlab.compare_arch.blocks.timed import calls_of
from dnnlab.instruments import speed
from dnnlab.instruments.cost import count
from dnnlab.instruments.fresh import answer_of
from dnnlab.runner.journal import Rows

_TIMED = "dnnlab.compare_arch.blocks.timed"


def measure(cells: Sequence[BlockCell], spec: Any, device: str, progress: Callable[[float], None]) -> Rows:
    """One row per block, process and round of timing."""
    counts = [_counts(cell) for cell in cells]
    question = {
        "blocks": [[cell.comparison, cell.block] for cell in cells],
        "device": device,
        "images": IMAGES,
        "rounds": speed.ROUNDS_OF_MANY,
        "threads": torch.get_num_threads(),
    }
    rows: Rows = {}
    for process in range(speed.PROCESSES):
        told = answer_of(_TIMED, question)
        for i, known in enumerate(counts):
            pairs = zip(told["forward"][i], told["training"][i], strict=True)
            for number, (one, both) in enumerate(pairs):
                row = {"cell": i, **known, "process": process, "round": number}
                row |= {"forward_ms": one * 1e3, "training_ms": both * 1e3, "machine_spread": told["machine_spread"]}
                for name, value in row.items():
                    rows.setdefault(name, []).append(value)
        progress((process + 1) / speed.PROCESSES)
    return rows


def foresee(cells: Sequence[BlockCell], spec: Any, device: str) -> float:
    """About how many seconds the ``cells`` take, from two calls of each, of which the first finds no memory to use
    again."""
    seconds = 0.0
    for call in calls_of([(cell.comparison, cell.block) for cell in cells], device, IMAGES).values():
        call()
        seconds += speed.seconds_of(call, device)
    return speed.PROCESSES * seconds * speed.CALLS_OF_MANY


def _counts(cell: BlockCell) -> dict[str, int]:
    module, shape = make(cell.comparison, cell.block)
    cost = count(module, shape)
    weights = sum(p.numel() for p in module.parameters() if p.ndim > 1)
    return {"params": cost.parameters, "weights": weights, "macs": cost.macs}
