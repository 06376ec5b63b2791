"""What happens on the device: each stage of a chain trained, written, read back and judged, a row at a time."""

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dnnlab.code import digests
from dnnlab.compress import cards, files, judge, networks
from dnnlab.compress import chain as chains
from dnnlab.compress.chain import Stage
from dnnlab.compress.recovery import Retraining, frozen
from dnnlab.compress.stages import apply
from dnnlab.compress.structure import rebuild
from dnnlab.data import load
from dnnlab.instruments.cost import count
from dnnlab.networks import own
from dnnlab.networks.named import in_catalogue
from dnnlab.runner.checkpoints import State, trained
from dnnlab.runner.journal import Rows
from dnnlab.runner.place import Place
from dnnlab.runner.provenance import digest
from dnnlab.runner.store import slug
from dnnlab.statistics.streams import stream
from dnnlab.training import networks as loops
from dnnlab.training.batches import batch_order
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.pace import seconds_a_step
from dnnlab.training.parts import part_of

Row = dict[str, Any]
_FILE = 3.0
"""Seconds that writing, reading back and timing a file takes, beside the trainings; more for large networks."""
BASELINE, CHAIN, CONTROL, TRIAL = "baseline", "chain", "control", "trial"


def steps(cells: Sequence[Any], spec: Any, device: str, place: Place, past: Sequence[Rows]) -> Iterator[Rows]:
    """The rows of one network under one chain: a row a stage, then its controls; those of ``past`` are taken over."""
    from dnnlab.compress import controls, search

    bench = Bench(cells[0], spec, device, place)
    rows: list[Row] = []

    def made() -> Iterator[Callable[[], Row]]:
        if not bench.cell.recipe:
            yield bench.baseline_row
            yield lambda: controls.zstd(bench, rows[0])
            return
        asked = found = chains.parse(bench.cell.recipe)
        if spec.searching:
            yield from search.trials(bench, asked, rows)
            found = search.chosen(bench, asked, rows)
        for number, stage in enumerate(asked, 1):
            # By the name that was asked for: seeds that find different amounts are one row of the summary.
            yield functools.partial(bench.stage_row, found[:number], CHAIN, str(stage))
        yield from controls.beside(bench, found, rows)

    for make in made():
        if len(rows) < len(past):
            row = {name: values[0] for name, values in past[len(rows)].items()}
        else:
            started = time.perf_counter()
            row = make()
            row["seconds"] = time.perf_counter() - started
            yield {"cell": [0], **{name: [value] for name, value in row.items()}}
        rows.append(row)


def foresee(cells: Sequence[Any], spec: Any, device: str) -> float:
    """About how many seconds the ``cells`` take, from some steps of training each network; every chain as it is asked,
    with its controls, and as often as a search tries it."""
    paces: dict[tuple[str, str], float] = {}
    total = 0.0
    for cell in cells:
        bench = Bench(cell, spec, device, Place(Path()))
        retraining = bench.retraining(first=True)
        if (cell.arch, cell.data) not in paces:
            model = bench.fresh()
            order = batch_order(len(bench.data.train), spec.batch_size, stream(0, 0, "rehearsal"))
            training = loops.NetworkTraining(model, bench.data, order, retraining.hyper, stream(0, 0, "augmentation"))
            paces[cell.arch, cell.data] = seconds_a_step(training)
        an_epoch = paces[cell.arch, cell.data] * (len(bench.data.train) // spec.batch_size)
        if not cell.recipe:
            total += (0.0 if spec.weights else retraining.length(spec.epochs)) * an_epoch + _FILE
            continue
        stages = chains.parse(cell.recipe)
        recovering = [stage for stage in stages if stage.about.trains or stage.word("mode") == "qat"]
        recovery = dataclasses.replace(retraining, epochs=spec.recover)
        epochs = sum(recovery.length(stage.epochs) for stage in recovering)
        # A teacher's forward pass is a third of a training step.
        chain = epochs * an_epoch * (4 / 3 if spec.teaching else 1) + _FILE * len(stages)
        total += chain * (1 + (spec.trials if spec.searching else 0) + (3 if spec.controls else 0))
    return total


_TRAINS = ("dnnlab.compress.measure:Bench.state", "dnnlab.compress.controls")
"""Where the code begins that trains what others start from."""


class Bench:
    """One cell at work: its data, the network it starts from, and what each chain makes of it."""

    def __init__(self, cell: Any, spec: Any, device: str, place: Place) -> None:
        self.cell, self.spec, self.device, self.place = cell, spec, device, place
        self.data = part_of(load(cell.data), spec.train_size, 0, spec.seed).to(device)
        self.host = self.data.to("cpu")

    # Networks

    def fresh(self, name: str = "", purpose: str = "weights") -> nn.Module:
        """A new network: the cell's own, or another by name."""
        return networks.fresh(name or self.cell.arch, self.data, self.spec.seed, self.cell.seed, purpose)

    def empty(self, stages: Sequence[Stage]) -> nn.Module:
        """A network that a state after ``stages`` can be read into."""
        student = any(stage.kind == "distill" for stage in stages)
        return self.fresh(networks.student_name(self.spec, self.cell.arch) if student else "")

    def restored(self, stages: Sequence[Stage], state: Mapping[str, torch.Tensor]) -> nn.Module:
        return rebuild(self.empty(stages), state).eval()

    def identity(self, what: str, **more: Any) -> dict[str, Any]:
        """All that decides the weights of the networks of this cell."""
        spec = self.spec
        names = ("train_size", "seed", "epochs", "batch_size", "optimizer", "lr", "weight_decay", "schedule", "augment")
        return {
            "experiment": "compress",
            "what": what,
            "network": self.cell.arch,
            "content": dict(spec.content()),
            "data": self.data.digest,
            "number": self.cell.seed,
            "device": self.device,
            "threads": torch.get_num_threads(),
            "code": digests.of(_TRAINS).identity,
            **{name: getattr(spec, name) for name in names},
            **more,
        }

    def baseline_state(self) -> State:
        """The network as it is before any chain."""
        if self.spec.weights:
            model = self.fresh()
            own.load_weights(model, self.spec.weights)
            return model.state_dict()
        return trained(self.place, self.identity("baseline"), self._train_baseline)

    def _train_baseline(self) -> State:
        model = self.fresh()
        self.retraining(first=True).train(model, "baseline", taught=False)
        return model.state_dict()

    @functools.cached_property
    def baseline(self) -> nn.Module:
        return self.restored((), self.baseline_state())

    def state(self, stages: tuple[Stage, ...]) -> State:
        """The network after ``stages``."""
        if not stages:
            return self.baseline_state()
        more = self.recovery

        def make() -> State:
            model = self.restored(stages[:-1], self.state(stages[:-1])).to(self.device)
            changed = apply(model, stages[-1], self.retraining())
            return changed.cpu().state_dict()

        if not stages[-1].about.trains and stages[-1].word("mode") != "qat":
            return self.state(stages[:-1])
        return trained(self.place, self.identity("chain", chain=chains.text(stages), **more), make)

    @property
    def recovery(self) -> dict[str, Any]:
        """The options that decide recovery."""
        names = ("recover", "recover_lr", "recover_augment", "temperature", "teaching", "student")
        return {name: getattr(self.spec, name) for name in names}

    def retraining(self, first: bool = False) -> Retraining:
        """What training takes: of the network itself at ``first``, else of recovery."""
        spec = self.spec
        hyper = Hyperparameters(
            optimizer=spec.optimizer,
            lr=spec.lr if first else spec.recover_lr,
            weight_decay=spec.weight_decay,
            schedule=spec.schedule,
            label_smoothing=0.0,
            augment=spec.augment if first else spec.recover_augment or spec.augment,
            ema=0.0,
        )
        teacher = None if first or not spec.teaching else frozen(self.baseline).to(self.device)
        return Retraining(
            data=self.data,
            base=spec.seed,
            seed=self.cell.seed,
            batch_size=spec.batch_size,
            hyper=hyper,
            epochs=spec.epochs if first else spec.recover,
            teacher=teacher,
            temperature=spec.temperature,
            teaching=spec.teaching,
            student=lambda: self.fresh(networks.student_name(spec, self.cell.arch), "student").to(self.device),
            repeats=all(in_catalogue(name) for name in (self.cell.arch, spec.student) if name),
        )

    # Rows

    @functools.cached_property
    def base_file(self) -> files.Artefact:
        return files.write(self.baseline, (), self.desk(self.fresh), self._folder("") / "fp32")

    def desk(self, fresh: Callable[[], nn.Module]) -> files.Desk:
        """For a network that ``fresh`` makes."""
        return files.Desk(self.host, fresh, self._twin)

    def _twin(self, model: nn.Module) -> bytes | None:
        ours, base = ([(n, t.shape) for n, t in m.state_dict().items()] for m in (model, self.baseline))
        return self.base_file.onnx if ours == base else None

    @functools.cached_property
    def base_right(self) -> NDArray[np.bool_]:
        return judge.right(self.base_file.predict, self.host, self.host.test)

    def stem(self, stages: Sequence[Stage], name: str) -> Path:
        """Where an artefact goes, without its ending."""
        return self._folder(self.cell.recipe) / f"{len(stages)}-{name}"

    def _folder(self, recipe: str) -> Path:
        cell = self.cell
        # Names are cut to a length, and a digest tells those apart that are the same until there.
        key = digest([cell.arch, cell.data, recipe])[:6]
        return self.place.artifacts / f"{slug({'recipe': recipe or cell.arch})}-{key}" / f"seed{cell.seed}"

    def baseline_row(self) -> Row:
        return self.row((), BASELINE, "baseline", self.baseline, self.base_file)

    def stage_row(self, stages: tuple[Stage, ...], role: str, method: str) -> Row:
        """The row of a network after ``stages``."""
        model = self.restored(stages, self.state(stages))
        artefact = files.write(model, stages, self.desk(lambda: self.empty(stages)), self.stem(stages, _plain(method)))
        return self.row(stages, role, method, model, artefact)

    def row(self, stages: Sequence[Stage], role: str, method: str, model: nn.Module, artefact: files.Artefact) -> Row:
        """All that is measured of an artefact."""
        shape = self.data.shape
        parameters = sum(p.numel() for p in self.baseline.parameters())
        base = self.base_file
        validation = judge.right(artefact.predict, self.host, self.host.validation)
        base_validation = judge.right(base.predict, self.host, self.host.validation)
        row: Row = {
            "role": role,
            "stage": len(stages),
            "method": method,
            "chain": chains.text(stages),
            "form": "dense" if role == BASELINE else chains.form(stages),
            "params": sum(p.numel() for p in model.parameters()),
            "nonzeros": sum(int(torch.count_nonzero(p)) for p in model.parameters()),
            "macs": count(model, shape).macs,
            "bytes": artefact.size,
            "ratio": 4 * parameters / artefact.size,
            "ratio_onnx": base.size / artefact.size,
            **judge.bits(artefact),
            "validation_accuracy": float(validation.mean()) if len(validation) else math.nan,
            "validation_drop": float(base_validation.mean() - validation.mean()) if len(validation) else math.nan,
            **judge.answers(judge.right(artefact.predict, self.host, self.host.test), self.base_right),
            "diverged": float(not judge.finite(artefact.predict, self.host)),
            "int8_share": artefact.int8_share,
            "int8_kind": artefact.int8_kind,
            "memory_bytes": judge.memory(model, artefact, self.host),
            **judge.Clock(base.onnx, self.host).times(artefact.onnx),
            "file": str(artefact.path.relative_to(self.place.run)),
        }
        cards.write(artefact, row, self.cell, self.host)
        return row


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in ".-" else "-" for c in name)


def told(rows: Rows) -> str:
    """What a part was about: ``chain prune:0.9, ratio 8.2``."""
    return f"{rows['role'][0]} {rows['method'][0]}, ratio {rows['ratio'][0]:.3g}"
