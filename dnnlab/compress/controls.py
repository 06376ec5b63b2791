"""What a chain must beat: the bytes of zstd, the controls of its stages, a small dense network, more training."""

import functools
from collections.abc import Callable, Iterator, Sequence

from torch import nn

from dnnlab.compress import files, networks
from dnnlab.compress.columns import SMALL, ZSTD
from dnnlab.compress.evaluator import CHAIN, CONTROL, Evaluator, Row
from dnnlab.compress.stages import DENSE, Stage
from dnnlab.networks import named


def zstd(evaluator: Evaluator, baseline: Row) -> Row:
    """The row of the FP32 file under zstd. The network does not change, so that the accuracy of the ``baseline`` row
    holds for it too."""
    base = evaluator.base_file
    size = files.zstd_size(base.path.read_bytes())
    ratios = {"ratio": baseline["ratio"] * base.size / size, "ratio_onnx": base.size / size}
    return baseline | {"role": CONTROL, "method": ZSTD, "form": "", "bytes": size, **ratios, "file": ""}


def beside(evaluator: Evaluator, stages: tuple[Stage, ...], rows: Sequence[Row]) -> Iterator[Callable[[], Row]]:
    """The rows of the controls of a chain whose ``rows`` are measured: those that its stages always have, and with
    --controls all others."""
    with_all = evaluator.spec.controls
    size = next(row for row in reversed(rows) if row["role"] == CHAIN)["bytes"]
    for place, stage in enumerate(stages):
        # A control of as many bytes is found by a search for its amount.
        if stage.about.control and (stage.about.control_always or (with_all and stage.searchable)):
            yield functools.partial(stage.module.control, evaluator, stages, place, size)
    if not with_all:
        return
    arch = evaluator.cell.arch
    if named.in_catalogue(arch):
        small = networks.smaller_than(arch, evaluator.data, size / 4)
        if small:
            yield functools.partial(_small_dense, evaluator, stages, small)
    yield functools.partial(_more_epochs, evaluator, stages)


def _small_dense(evaluator: Evaluator, stages: tuple[Stage, ...], name: str) -> Row:
    """The row of a dense network of as many bytes, trained for all the epochs that the chain had."""
    extra = evaluator.retraining().total(stages)

    def make() -> nn.Module:
        model = evaluator.fresh(name, "small").to(evaluator.device)
        retraining = evaluator.retraining(first=True)
        retraining.train(model, "small dense", retraining.length(None) + extra, taught=False)
        return model

    model = evaluator.bare(name)
    model.load_state_dict(evaluator.checkpoint("small dense", make, small=name, extra=extra))
    # It is written in full into a container, since the graph in an ONNX file would be larger than its weights.
    artefact = files.write_container(model, (), evaluator.export_inputs(name), evaluator.stem(stages, "small"))
    row = evaluator.row((), CONTROL, SMALL, model, artefact)
    return row | {"stage": len(stages), "form": DENSE, "unread": ", ".join(sorted(evaluator.unread(name)))}


def _more_epochs(evaluator: Evaluator, stages: tuple[Stage, ...]) -> Row:
    """The row of the network itself, trained on from labels for as long as the chain recovered."""
    retraining = evaluator.retraining()
    extra = retraining.total(stages)

    def make() -> nn.Module:
        model = evaluator.restored((), evaluator.baseline_state()).to(evaluator.device)
        retraining.train(model, "more epochs", extra, taught=False)
        return model

    model = evaluator.restored((), evaluator.checkpoint("more epochs", make, extra=extra, **evaluator.recovery))
    artefact = evaluator.write(model, (), evaluator.stem(stages, "more-epochs"))
    return evaluator.row((), CONTROL, "more epochs", model, artefact) | {"stage": len(stages)}
