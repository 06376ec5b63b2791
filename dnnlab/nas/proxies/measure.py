"""Cheap scores and trained accuracies of architectures that are drawn at random."""

import functools
import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import torch

from dnnlab.data import load
from dnnlab.nas.evaluator import Evaluator, Training
from dnnlab.nas.ledger import parse
from dnnlab.nas.pace import describe_part, pace
from dnnlab.nas.problem import Inherit, Supernet
from dnnlab.nas.proxies import columns as c
from dnnlab.nas.proxies.plan import ProxyCell
from dnnlab.nas.proxy_names import PROXIES
from dnnlab.nas.search.measure import SMALL
from dnnlab.nas.spec import Spec
from dnnlab.nas.strategies.oneshot import EPOCHS
from dnnlab.networks.spaces.space import Code
from dnnlab.runner.journal import Rows
from dnnlab.runner.place import Place
from dnnlab.statistics.streams import stream

__all__ = ["describe_part", "foresee", "steps"]

TOGETHER = 25
"""The number of architectures whose rows are one part."""
_ATTEMPTS = 1000
_SHORTEST = 1.0
"""The least epochs of the short training with which proxies are compared."""


def steps(cells: Sequence[ProxyCell], spec: Spec, device: str, place: Place, past: Sequence[Rows]) -> Iterator[Rows]:
    """The rows of one seed: one per architecture and score."""
    (cell,) = cells
    if load(cell.data).features <= SMALL:
        torch.set_num_threads(1)  # the caller sets it back
    evaluator = Evaluator(spec, cell.data, cell.seed, device, place)
    codes = _distinct(evaluator, int(parse(spec.budget).amount))
    for number, start in enumerate(range(0, len(codes), TOGETHER)):
        if number >= len(past):
            yield _rows(evaluator, codes[start : start + TOGETHER])


def foresee(cells: Sequence[ProxyCell], spec: Spec, device: str) -> float:
    """About how many seconds the ``cells`` take, from some steps of training a few architectures drawn at random."""
    total = 0.0
    for cell in cells:
        step, fixed, _, batches = pace(cell.data, spec, device)
        epochs = spec.epochs + max(_SHORTEST, spec.epochs // 9)
        total += parse(spec.budget).amount * (2 * fixed + epochs * batches * step)
    return total


def _distinct(evaluator: Evaluator, count: int) -> list[Code]:
    """So many different networks, drawn uniformly; fewer where the space has fewer."""
    rng = Random(int(stream(evaluator.spec.seed, evaluator.seed, "search random").integers(2**63)))
    codes: dict[str, Code] = {}
    for _ in range(count * _ATTEMPTS):
        if len(codes) == count:
            break
        code = tuple(rng.randrange(size) for size in evaluator.space.sizes)
        codes.setdefault(evaluator.space.identity(code), code)
    return list(codes.values())


def _rows(evaluator: Evaluator, codes: Sequence[Code]) -> Rows:
    trained = _accuracies(evaluator, codes, float(evaluator.spec.epochs))
    short = _accuracies(evaluator, codes, max(1.0, evaluator.spec.epochs // 9))
    rows: Rows = {name: [] for name in ("cell", "architecture", "id", "score", "value", "validation", "seconds")}
    for code in codes:
        for score, value, seconds in [*_scores(evaluator, code), (c.SHORT, *short[code])]:
            values = (
                0,
                evaluator.space.line(code),
                evaluator.space.identity(code),
                score,
                value,
                trained[code][0],
                seconds,
            )
            for column, one in zip(rows.values(), values, strict=True):
                column.append(one)
    return rows


def _accuracies(evaluator: Evaluator, codes: Sequence[Code], epochs: float) -> dict[Code, tuple[float, float]]:
    """The validation accuracy of each architecture after so many epochs, and the seconds of the trainings."""
    result: dict[Code, tuple[float, float]] = {}
    for bucket in evaluator.buckets([Training(code, epochs) for code in codes]):
        for training, fact in zip(bucket, evaluator.train(bucket), strict=True):
            result[training.code] = fact["validation"], fact["seconds"]
    return result


def _scores(evaluator: Evaluator, code: Code) -> Iterator[tuple[str, float, float]]:
    for proxy in PROXIES:
        value, seconds = _timed(functools.partial(evaluator.score, code, proxy))
        yield proxy, value, seconds
    network, seconds = _timed(functools.partial(evaluator.network, code))
    yield "parameters", float(network.parameters), seconds
    yield "macs", float(network.macs), seconds
    if evaluator.space.supernet is not None:
        shared = Inherit(code, Supernet("oneshot", float(EPOCHS), 0))
        evaluator.shared.trained(shared.supernet)  # one batch for all architectures
        value, seconds = _timed(functools.partial(evaluator.shared.inherited, shared))
        yield c.SHARED, value, seconds


def _timed(work: Any) -> tuple[Any, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started
