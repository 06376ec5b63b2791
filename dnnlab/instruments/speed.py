"""How fast networks are: latency and throughput, taken in turns, beside what the machine can do."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dnnlab.statistics.streams import stream

ROUNDS = 15
PROCESSES, ROUNDS_OF_MANY = 5, 5
"""Where times are compared: the processes in which they are taken, and the rounds in each."""
SHORTEST = 2e-3
"""The least seconds of one timing; faster calls are repeated."""
WARM = 0.05
"""A call is warm when the medians of two runs of five calls differ by less than this share."""
_LONGEST_WARM_UP, _WARM_UP_A_ROUND = 50, 3
"""The most calls of a warm-up, and how many of them a round of timing is worth."""
CALLS_OF_MANY = _WARM_UP_A_ROUND * ROUNDS_OF_MANY + 1 + ROUNDS_OF_MANY
"""How often a call that is not quick is made in each of several processes: to warm up, once to see whether it is quick,
and in the rounds."""
_PRODUCT = 1024
"""Side of the matrices whose product tells the machine's peak."""
NOISE = 0.1
"""The machine was noisy when its own matrix product varied by more than this share."""

Call = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Seconds of one call, over several timings."""

    rounds: tuple[float, ...]
    """Seconds of one call in each round."""
    median: float
    """Median of the rounds, in seconds."""
    p95: float
    """The 95 % quantile of the rounds, in seconds."""
    spread: float
    """Difference of the quartiles over the median: a share."""
    warm_up: int
    """Calls until the time of a call did not change any more."""


@dataclass(frozen=True)
class Machine:
    """What a product of large float32 matrices reached between the timings: its median, and how it varied."""

    macs_a_second: float
    """Multiply–accumulates a second, by the median."""
    spread: float
    """Difference of the quartiles of the seconds over their median."""

    @property
    def noisy(self) -> bool:
        """Whether the machine was too busy for fair timings: the spread is above 10 %."""
        return self.spread > NOISE


def in_turns(
    calls: Mapping[str, Call], device: str, progress: Callable[[float], None], rounds: int = 0
) -> tuple[dict[str, Timing], Machine]:
    """Time several calls fairly: each of them once in each of some rounds, in an order that changes.

    So a machine that is slow for a while is slow for all of them. Before that, each is called until its time stands
    still. A quick call is repeated until it takes 2 ms, and counts as one.

    Args:
        calls: What to time, by name: functions without arguments.
        device: Where they compute, ``cpu``, ``cuda`` or ``mps``; it is waited for.
        progress: Is called with the share that is done, 0 to 1.
        rounds: How many rounds there are; 15 where it is 0.

    A product of matrices takes longer if they are 30 times as large:

    >>> import torch
    >>> from dnnlab.instruments import time_in_turns
    >>> small, large = torch.ones(16, 16), torch.ones(480, 480)
    >>> calls = {"small": lambda: small @ small, "large": lambda: large @ large}
    >>> timings, machine = time_in_turns(calls, "cpu", lambda share: None)
    >>> timings["large"].median > timings["small"].median
    True
    """
    product, rounds = _matrix_product(device), rounds or ROUNDS
    names = list(calls)
    longest = min(_LONGEST_WARM_UP, _WARM_UP_A_ROUND * rounds)
    warm = {name: _warm_up(call, device, longest) for name, call in calls.items()}
    _warm_up(product, device, longest)
    often, *each = (max(1, int(SHORTEST / max(seconds_of(call, device), 1e-9))) for call in (product, *calls.values()))
    repeats = dict(zip(names, each, strict=True))
    seconds: dict[str, list[float]] = {name: [] for name in names}
    reference = []
    order = stream(0, 0, "order of timings")
    for round_ in range(rounds):
        reference.append(seconds_of(product, device, often))
        for i in order.permutation(len(names)):
            seconds[names[i]].append(seconds_of(calls[names[i]], device, repeats[names[i]]))
        progress((round_ + 1) / rounds)
    timings = {name: Timing(tuple(seconds[name]), *_quantiles(seconds[name]), warm[name]) for name in names}
    median, _, spread = _quantiles(reference)
    return timings, Machine(_PRODUCT**3 / median, spread)


def _quantiles(seconds: Sequence[float]) -> tuple[float, float, float]:
    low, median, high, p95 = np.quantile(seconds, [0.25, 0.5, 0.75, 0.95])
    return float(median), float(p95), float((high - low) / median)


def _matrix_product(device: str) -> Call:
    if "torch" not in sys.modules:  # a process without it need not load it for this
        b = np.ones((_PRODUCT, _PRODUCT), dtype=np.float32)
        return lambda: np.matmul(b, b)
    import torch

    a = torch.ones(_PRODUCT, _PRODUCT, device=device)
    out = torch.empty_like(a)
    return lambda: torch.mm(a, a, out=out)


def seconds_of(call: Call, device: str, repeats: int = 1) -> float:
    """Seconds of one of ``repeats`` calls."""
    _synchronise(device)
    started = time.perf_counter()
    for _ in range(repeats):
        call()
    _synchronise(device)
    return (time.perf_counter() - started) / repeats


def _synchronise(device: str) -> None:
    if device == "cpu":
        return
    import torch

    (torch.cuda if device == "cuda" else torch.mps).synchronize()


def _warm_up(call: Call, device: str, longest: int) -> int:
    """Call until the time stands still, or about so often; how often that was."""
    before, calls = float("inf"), 0
    while calls < longest:
        median = float(np.median([seconds_of(call, device) for _ in range(5)]))
        calls += 5
        if abs(median - before) < WARM * before:
            break
        before = median
    return calls
