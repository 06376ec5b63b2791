"""What happens on the device: the costs of all networks in turns, and every training."""

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dnnlab.compare_arch import fitting
from dnnlab.compare_arch.equal_budget import columns as c
from dnnlab.compare_arch.equal_budget.plan import CostCell
from dnnlab.compare_arch.fitting import Input, counted, initialised, macs_a_step, prepare, spend
from dnnlab.compare_arch.trained_cell import BODY, TrainedCell
from dnnlab.data import load
from dnnlab.data.dataset import Dataset
from dnnlab.instruments import speed
from dnnlab.instruments.cost import Cost
from dnnlab.instruments.memory import Memory, measured_peak, predict
from dnnlab.networks.named import build, in_catalogue, refusing
from dnnlab.runner.device import free_memory
from dnnlab.runner.journal import Rows
from dnnlab.training import budget, networks
from dnnlab.training.evaluation import accuracy, right, told_of_one
from dnnlab.training.layout import lay_out
from dnnlab.training.optimisers import make_optimiser
from dnnlab.training.parts import part_of, spread

LOOKS = 10
"""How often the loss of a training is noted; the last time is at its end."""
LOOKING, MOST, FEWEST = 0.05, 0.1, 256
"""The share of a training's time that all looks at the validation split are meant to take, the most that they may take
together with the last one, and the fewest examples of a look: on fewer, an accuracy says nothing."""
_DEAR = 2e12
"""MACs of a training step beyond which its memory is predicted and not measured."""


def measure(cells: Sequence[Any], spec: Any, device: str, progress: Callable[[float], None]) -> Rows:
    """The costs of several networks, or one training.

    Raises:
        UsageError: a network does not take the data, or the budget does not pay for a step.
    """
    if isinstance(cells[0], CostCell):
        return _costs(cells, not spec.cost_only or spec.measure_costs, device, progress)
    return _training(cells[0], spec, device, progress)


def _costs(cells: Sequence[CostCell], measured: bool, device: str, progress: Callable[[float], None]) -> Rows:
    """What networks cost: counted and predicted, and where it is ``measured``, times and peak memory, too."""
    rows: list[dict[str, Any]] = []
    calls: dict[str, speed.Call] = {}
    for i, cell in enumerate(cells):
        on = cell.on
        counts = counted(cell.arch, on)
        memory = predicted(cell.arch, on, cell.batch_size, cell.optimizer)
        counted_at = {"part": cell.part, "input": "x".join(map(str, on.shape))}
        rows.append({"cell": i, **counted_at, **_counts(counts), **_memory(memory)})
        progress((0.5 if measured else 1.0) * (i + 1) / len(cells))
        if not measured:
            continue
        rows[-1]["measured_peak_bytes"] = _measured(cell, on, counts, memory, device)
        for size in (1, cell.batch_size) if memory.peak <= free_memory(device) / 2 else ():
            calls[f"{i} {size}"] = _inference(cell, on, size, device)
    if measured:
        _add_times(rows, calls, cells, device, lambda share: progress(0.5 + 0.5 * share))
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name, math.nan) for row in rows] for name in names}


def _add_times(
    rows: Sequence[dict[str, Any]],
    calls: Mapping[str, speed.Call],
    cells: Sequence[CostCell],
    device: str,
    progress: Callable[[float], None],
) -> None:
    timings, machine = speed.in_turns(calls, device, progress)
    for i, (cell, row) in enumerate(zip(cells, rows, strict=True)):
        if f"{i} 1" not in timings:  # it does not fit into memory, and only its counts are known
            continue
        alone, full = (timings[f"{i} {size}"] for size in (1, cell.batch_size))
        row |= {
            "latency_ms": alone.median * 1e3,
            "latency_p95_ms": alone.p95 * 1e3,
            "latency_spread": alone.spread,
            "warm_up_calls": alone.warm_up,
            "throughput": cell.batch_size / full.median,
            "peak_share": row["macs"] * cell.batch_size / full.median / machine.macs_a_second,
            "machine_macs_a_second": machine.macs_a_second,
            "machine_spread": machine.spread,
            "noisy": float(machine.noisy),
        }


def predicted(arch: str, on: Input, batch_size: int, optimizer: str) -> Memory:
    """Bytes of memory that training ``arch`` takes, predicted without computing; a network of the user's own that needs
    numbers takes a step.

    Raises:
        UsageError: it cannot be trained on such a batch.
    """

    def of(skeleton: bool) -> Memory:
        return predict(
            build(arch, on.shape, on.classes, skeleton=skeleton),
            on.shape,
            batch_size,
            networks.cross_entropy,
            lambda parameters: make_optimiser(optimizer, parameters, 0.1, 0.0),
            on.dtype,
        )

    if in_catalogue(arch):
        return of(skeleton=True)
    try:
        return of(skeleton=True)
    except Exception:  # noqa: BLE001 - the real step says whether it is a fault of the network
        with torch.random.fork_rng(), refusing(arch):
            return of(skeleton=False)


def _counts(counts: Cost) -> dict[str, Any]:
    names = ("buffers", "macs", "training_macs", "activations")
    return {
        "params": counts.parameters,
        "auxiliary_params": counts.auxiliary,
        **{name: getattr(counts, name) for name in names},
        "uncounted": ", ".join(counts.uncounted),
    }


def _memory(memory: Memory) -> dict[str, int]:
    named = dataclasses.asdict(memory)
    return {"peak_memory_bytes": named.pop("peak"), **{f"{name}_bytes": size for name, size in named.items()}}


def _measured(cell: CostCell, on: Input, counts: Cost, memory: Memory, device: str) -> float:
    """Peak bytes of two training steps; nan where that would take long, or half of the memory that is left."""
    if counts.training_macs * cell.batch_size > _DEAR or memory.peak > free_memory(device) / 2:
        return math.nan

    def train() -> None:
        model = build(cell.arch, on.shape, on.classes).to(device).train()
        x = torch.zeros(cell.batch_size, *on.shape, device=device, dtype=on.dtype)
        y = torch.zeros(cell.batch_size, dtype=torch.int64, device=device)
        optimiser = make_optimiser(cell.optimizer, model.parameters(), 0.1, 0.0)
        for _ in range(2):
            optimiser.zero_grad(set_to_none=True)
            with networks.mixed(x):
                loss = networks.cross_entropy(model, x, y)
            loss.backward()
            optimiser.step()

    return measured_peak(train, device)


def _inference(cell: CostCell, on: Input, size: int, device: str) -> speed.Call:
    model = build(cell.arch, on.shape, on.classes).to(device).eval()
    inputs = _example(cell, on).to(device).expand(size, *on.shape)
    x = lay_out(model, inputs)(inputs)

    @torch.inference_mode()
    def call() -> Tensor:
        with networks.mixed(x):
            out: Tensor = model(x)
        return out

    return call


def _example(cell: CostCell, on: Input) -> Tensor:
    """One input, ``[1, *shape]``: of the data, or else of standard normal numbers, or of token 0."""
    if cell.data:
        data = load(cell.data)
        return data.inputs(data.train[:1])
    if on.dtype == torch.int64:
        return torch.zeros(1, *on.shape, dtype=torch.int64)
    return torch.randn(1, *on.shape, generator=torch.Generator().manual_seed(0))


def _training(cell: TrainedCell, spec: Any, device: str, progress: Callable[[float], None]) -> Rows:
    data = part_of(load(cell.data), cell.train_size, spec.settled.test_size, spec.seed, cell.seed).to(device)
    macs = macs_a_step(cell, data)
    if (fits := largest_batch(cell, data, device)) < cell.batch_size:
        return _one({"part": cell.part, "outcome": c.OUT_OF_MEMORY, "fitting_batch": fits})
    training = prepare(initialised(cell, data, spec.seed), data, cell, spec.seed)
    rows: list[dict[str, Any]] = []
    steps = fitting.steps(cell, data, len(data.train))
    passes = cell.batch_size * (1 if cell.freeze == BODY else 3)  # forward passes that a step costs
    plan, looked = looks(data, steps * passes), 0.0

    def validated(index: Tensor) -> dict[str, float]:
        nonlocal looked
        started = time.perf_counter()
        share = float(accuracy(networks.inference(training.evaluated), data, index))
        looked += time.perf_counter() - started
        return {"validation_accuracy": share, "validation_examples": len(index), "looking_seconds": looked}

    def look(step: int, seconds: float, loss: float) -> None:
        epoch = step * cell.batch_size / len(data.train)
        row = {"step": step, "seconds": seconds, "macs_spent": step * macs, "epoch": epoch, "loss": loss}
        if math.isnan(steps):  # the clock decides how many there will be
            due = looked <= LOOKING * budget.parse(cell.budget).amount
        else:
            before = rows[-1]["step"] if rows else 0
            due = math.floor(plan.count * step / steps) > math.floor(plan.count * before / steps)
        seen = validated(plan.last if step == steps else plan.part) if due else {"looking_seconds": looked}
        rows.append({"cell": 0, "part": cell.part, "outcome": "", **row, **seen})

    try:
        spend(training, cell, look, LOOKS, progress)
    except torch.OutOfMemoryError:
        # The batch did not fit, though it was predicted to.
        return _one({"part": cell.part, "outcome": c.OUT_OF_MEMORY, "fitting_batch": math.nan})
    finite = math.isfinite(rows[-1]["loss"])
    if math.isnan(steps):  # now it is known which look was the last
        last = looks(data, rows[-1]["step"] * passes).last
        if rows[-1].get("validation_examples", 0) < len(last):
            rows[-1] |= validated(last)
    answered = right(networks.inference(training.evaluated), data, data.test)
    rows[-1] |= told_of_one(answered, data, data.test)
    rows[-1]["outcome"] = "" if finite else c.DIVERGED
    return {name: [row.get(name, math.nan) for row in rows] for name in rows[-1]}


@dataclass(frozen=True)
class Looks:
    """When and on what a training is looked at."""

    part: Tensor
    """The validation examples before its end, always the same."""
    last: Tensor
    """Those at its end."""
    count: int
    """How many looks there are, evenly over the training."""


def looks(data: Dataset, passes: float) -> Looks:
    """The looks at a training whose steps cost as much as ``passes`` forward passes of one example; nan where the clock
    decides. Looks take little beside that, so that a short training is looked at less often, and at its end not on all
    of the validation split. It is looked at once at least."""
    allowed = 0.0 if math.isnan(passes) else passes
    part = spread(data.validation, max(FEWEST, int(LOOKING * allowed / LOOKS)))
    count = min(LOOKS, max(1, int(MOST * allowed / len(part))))
    whole = (count - 1) * len(part) + len(data.validation) <= MOST * allowed
    return Looks(part, data.validation if whole else part, count)


def _one(row: dict[str, Any]) -> Rows:
    return {"cell": [0], **{name: [value] for name, value in row.items()}}


def largest_batch(cell: TrainedCell, data: Dataset, device: str) -> int:
    """The largest batch, up to the cell's, whose training fits into the memory that is free."""
    on, free = Input.of(data), free_memory(device)

    def fits(batch_size: int) -> bool:
        return _peak(cell.arch, on, batch_size, cell.optimizer) <= free

    if fits(cell.batch_size):
        return cell.batch_size
    # By bisection: the peak grows with the batch, but in steps, so no straight line tells where it crosses.
    low, high = 0, cell.batch_size
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


@functools.lru_cache(maxsize=256)
def _peak(arch: str, on: Input, batch_size: int, optimizer: str) -> int:
    return predicted(arch, on, batch_size, optimizer).peak
