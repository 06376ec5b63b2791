"""What a chain must beat: the same bytes without its craft, the same epochs without its loss, the bytes of zstd."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import nn

from dnnlab.compress import files, networks
from dnnlab.compress.chain import Stage
from dnnlab.compress.stages import distill, share
from dnnlab.compress.stages.prune import keep_masks, masks
from dnnlab.compress.structure import biases, weights
from dnnlab.networks import named
from dnnlab.runner.checkpoints import State, trained
from dnnlab.statistics.streams import stream

_HALVINGS = 7
Row = dict[str, Any]


def zstd(bench: Any, baseline: Row) -> Row:
    """The FP32 file under zstd: nothing about the network changes, so that the ``baseline`` row is true of it too."""
    base = bench.base_file
    size = files.zstd_size(base.path.read_bytes())
    ratios = {"ratio": baseline["ratio"] * base.size / size, "ratio_onnx": base.size / size}
    return baseline | {"role": "control", "method": "zstd-19", "form": "", "bytes": size, **ratios, "file": ""}


def beside(bench: Any, stages: tuple[Stage, ...], rows: Sequence[Row]) -> Iterator[Callable[[], Row]]:
    """The controls of a chain whose ``rows`` are there: a distilled student's twin always, others if asked for."""
    for place, stage in enumerate(stages):
        if stage.kind == "distill":
            yield functools.partial(_student_alone, bench, stages[: place + 1])
    if not bench.spec.controls:
        return
    final = next(row for row in reversed(rows) if row["role"] == "chain")
    if any(stage.kind == "prune" and stage.share == stage.share for stage in stages):
        yield functools.partial(_random, bench, stages, final["bytes"])
    if named.in_catalogue(bench.cell.arch):
        small = networks.smaller_than(bench.cell.arch, bench.data.shape, len(bench.data.classes), final["bytes"] / 4)
        if small:
            yield functools.partial(_small_dense, bench, stages, small)
    yield functools.partial(_more_epochs, bench, stages)


def _epochs(bench: Any, stages: Sequence[Stage]) -> float:
    """Of all the training that a chain does."""
    trains = [stage for stage in stages if stage.about.trains or stage.word("mode") == "qat"]
    return float(sum(bench.retraining().length(stage.epochs) for stage in trains))


def _student_alone(bench: Any, stages: tuple[Stage, ...]) -> Row:
    def make() -> State:
        return distill.alone(stages[-1], bench.retraining()).cpu().state_dict()

    name = networks.student_name(bench.spec, bench.cell.arch)
    identity = bench.identity("student alone", network_of=name, stage=str(stages[-1]), **bench.recovery)
    model = bench.restored(stages, trained(bench.place, identity, make))
    artefact = files.write(model, stages[-1:], bench.desk(lambda: bench.empty(stages)), bench.stem(stages, "alone"))
    row: Row = bench.row(stages, "control", "student alone", model, artefact)
    return row


def _random(bench: Any, stages: tuple[Stage, ...], goal: int) -> Row:
    """The chain with weights chosen by lot, so many of them that the file is as large."""
    place = next(i for i, stage in enumerate(stages) if stage.kind == "prune")
    density = _density_for(bench, stages, place, goal)
    words = tuple((name, "random" if name == "criterion" else value) for name, value in stages[place].words)
    drawn = dataclasses.replace(stages[place], amount=f"{1 - density:.4f}", words=words)
    row: Row = bench.stage_row((*stages[:place], drawn, *stages[place + 1 :]), "control", "random pruning")
    return row


def _density_for(bench: Any, stages: tuple[Stage, ...], place: int, goal: int) -> float:
    """By halving, on networks that are not trained: the index costs what it costs whatever the weights are."""
    before = stages[:place]
    state = bench.state(before)
    levels = [stage.levels for stage in stages if stage.kind == "share"]
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        model = bench.restored(before, state)
        keep_masks(model, masks(model, middle, "random", stream(bench.spec.seed, bench.cell.seed, "density")))
        for count in levels:
            _round(model, count)
        if len(files.packed(model, stages)) <= goal:
            low = middle
        else:
            high = middle
    return max(low, 1e-4)


def _round(model: nn.Module, levels: int) -> None:
    """Codebooks as `stages.share` begins with."""
    books = [share.Codebook([weight], levels) for weight in weights(model).values()]
    if others := list(biases(model).values()):
        books.append(share.Codebook(others, share.BIAS_LEVELS))
    share.round_to_half(model, books)


def _small_dense(bench: Any, stages: tuple[Stage, ...], name: str) -> Row:
    """A dense network of as many bytes, trained for all the epochs that the chain had."""

    def make() -> State:
        model = bench.fresh(name, "small").to(bench.device)
        retraining = bench.retraining(first=True)
        retraining.train(model, "small dense", retraining.length(None) + _epochs(bench, stages), taught=False)
        return model.cpu().state_dict()

    identity = bench.identity("small dense", small=name, extra=_epochs(bench, stages))
    model = bench.fresh(name)
    model.load_state_dict(trained(bench.place, identity, make))
    artefact = files.write(model, (), bench.desk(lambda: bench.fresh(name)), bench.stem(stages, "small"), raw=True)
    row: Row = bench.row((), "control", "small dense", model, artefact)
    return row | {"stage": len(stages), "form": "dense"}


def _more_epochs(bench: Any, stages: tuple[Stage, ...]) -> Row:
    """The network itself, trained on for as long as the chain recovered, from labels."""
    epochs = _epochs(bench, stages)

    def make() -> State:
        model = bench.restored((), bench.baseline_state()).to(bench.device)
        bench.retraining().train(model, "more epochs", epochs, taught=False)
        return model.cpu().state_dict()

    identity = bench.identity("more epochs", extra=epochs, **bench.recovery)
    model = bench.restored((), trained(bench.place, identity, make))
    artefact = files.write(model, (), bench.desk(bench.fresh), bench.stem(stages, "more-epochs"))
    row: Row = bench.row((), "control", "more epochs", model, artefact)
    return row | {"stage": len(stages)}
