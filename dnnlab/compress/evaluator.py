"""Trains and compresses one network of one seed, writes its files, reads them back and measures them."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dnnlab.code import digests
from dnnlab.compress import chain as chains
from dnnlab.compress import files, metrics, model_card, networks
from dnnlab.compress.files import Artefact
from dnnlab.compress.plan import Cell
from dnnlab.compress.recovery import Retraining, frozen
from dnnlab.compress.spec import Spec
from dnnlab.compress.stages import Stage, TooMuch
from dnnlab.compress.structure import listed, rebuild
from dnnlab.data import load
from dnnlab.instruments.cost import count
from dnnlab.instruments.unread import unread
from dnnlab.networks import user_network
from dnnlab.networks.named import in_catalogue
from dnnlab.networks.parametrised import make_plain
from dnnlab.networks.unread import set_aside
from dnnlab.runner.checkpoints import State, trained
from dnnlab.runner.place import Place
from dnnlab.runner.provenance import digest
from dnnlab.runner.store import slug
from dnnlab.training import hyperparameters
from dnnlab.training.parts import part_of

Row = dict[str, Any]
BASELINE, CHAIN, CONTROL, TRIAL = "baseline", "chain", "control", "trial"
"""The kinds of rows."""
_TRAINS = ("dnnlab.compress.evaluator:Evaluator.state", "dnnlab.compress.controls")
"""The code that a key of a checkpoint depends on: the code that trains networks."""


def plain(model: nn.Module) -> nn.Module:
    """``model`` with parameters in the place of weights that it computes from others: the form that is compressed."""
    make_plain(model)
    return model


class Evaluator:
    """Compresses the network of one cell, and measures each file that results."""

    def __init__(self, cell: Cell, spec: Spec, device: str, place: Place) -> None:
        self.cell, self.spec, self.device, self.place = cell, spec, device, place
        self.data = part_of(load(cell.data), spec.train_size, 0, spec.seed, cell.seed).to(device)
        self.host = self.data.to("cpu")
        self._unread: dict[str, frozenset[str]] = {}

    # Networks

    def fresh(self, name: str = "", purpose: str = "weights") -> nn.Module:
        """A network that is not trained: the cell's own, or another by name."""
        return networks.fresh(name or self.cell.arch, self.data, self.spec.seed, self.cell.seed, purpose)

    def empty(self, stages: Sequence[Stage]) -> nn.Module:
        """A network that the state dict of a network after ``stages`` can be loaded into."""
        return self.bare(self.name_after(stages))

    def bare(self, name: str) -> nn.Module:
        """The network called ``name``, not trained, in the form that is compressed: without what inference does
        without, which is in its state dict alone."""
        model = plain(self.fresh(name))
        parameters = dict(model.named_parameters())
        set_aside(model, [tensor for tensor in self.unread(name) if tensor in parameters])
        return model

    def unread(self, name: str) -> frozenset[str]:
        """The tensors of the network called ``name`` that inference does without. They are found before it is trained,
        so that each process finds the same."""
        if name not in self._unread:
            self._unread[name] = unread(plain(self.fresh(name)), self.host)
        return self._unread[name]

    def name_after(self, stages: Sequence[Stage]) -> str:
        """The name of the network after ``stages``: the cell's own, or its student."""
        return self.student_name if any(stage.about.makes_student for stage in stages) else self.cell.arch

    @property
    def student_name(self) -> str:
        return networks.student_name(self.spec, self.cell.arch)

    def restored(self, stages: Sequence[Stage], state: Mapping[str, torch.Tensor]) -> nn.Module:
        return rebuild(self.empty(stages), state).eval()

    def checkpoint(self, what: str, make: Callable[[], nn.Module], **more: Any) -> State:
        """The network that ``make`` trains, loaded from a checkpoint where an earlier training of the same left one.
        ``what`` and ``more`` hold all that decides its weights, beside what is the same for all networks of the cell.
        """
        return trained(self.place, self._identity(what) | more, lambda: make().cpu().state_dict())

    def _identity(self, what: str) -> dict[str, Any]:
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
        }

    def baseline_state(self) -> State:
        """The state dict of the network before any chain."""
        if self.spec.weights:
            model = self.fresh()
            user_network.load_weights(model, self.spec.weights, lambda network: unread(network, self.host))
            return plain(model).state_dict()

        def make() -> nn.Module:
            model = self.fresh()
            self.retraining(first=True).train(model, "baseline", taught=False)
            return plain(model)

        return self.checkpoint("baseline", make)

    @functools.cached_property
    def baseline(self) -> nn.Module:
        return self.restored((), self.baseline_state())

    def state(self, stages: tuple[Stage, ...]) -> State:
        """The state dict of the network after ``stages``."""
        if not stages:
            return self.baseline_state()
        *before, last = stages
        if not last.trains:
            return self.state(tuple(before))

        def make() -> nn.Module:
            model = self.restored(before, self.state(tuple(before))).to(self.device)
            try:
                return last.module.apply(model, last, self.retraining())
            except TooMuch as problem:
                if left := self._left(stages):
                    raise TooMuch(f"{str(problem).removesuffix('.')}; it leaves {listed(left)}.") from problem
                raise

        return self.checkpoint("chain", make, chain=chains.text(stages), **self.recovery)

    @property
    def recovery(self) -> dict[str, Any]:
        """The options that decide recovery training."""
        names = ("recover", "recover_lr", "recover_augment", "temperature", "teaching", "student")
        return {name: getattr(self.spec, name) for name in names}

    def retraining(self, first: bool = False) -> Retraining:
        """What training needs: for the network itself if ``first``, else for recovery."""
        spec = self.spec
        hyper = hyperparameters.of(spec)
        if not first:
            augment = spec.recover_augment or spec.augment
            hyper = dataclasses.replace(hyper, lr=spec.recover_lr, augment=augment)
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
            student=lambda: plain(self.fresh(self.student_name, "student")).to(self.device),
            repeats=all(in_catalogue(name) for name in (self.cell.arch, spec.student) if name),
        )

    # Files

    @functools.cached_property
    def base_file(self) -> Artefact:
        return self.write(self.baseline, (), self._folder("") / "fp32")

    def write(self, model: nn.Module, stages: tuple[Stage, ...], stem: Path) -> Artefact:
        """Write the file of ``model``, which ``stages`` made; ``stem`` is its path without the ending."""
        return files.write(model, stages, self.export_inputs(self.name_after(stages)), stem)

    def export_inputs(self, name: str) -> files.ExportInputs:
        """What is needed to write a network of the architecture called ``name``."""
        return files.ExportInputs(self.host, lambda: self.bare(name), self._known_onnx, self.unread(name))

    def _known_onnx(self, model: nn.Module) -> bytes | None:
        ours, base = ([(n, t.shape) for n, t in m.state_dict().items()] for m in (model, self.baseline))
        return self.base_file.onnx if ours == base else None

    def stem(self, stages: Sequence[Stage], name: str) -> Path:
        """The path of an artefact without its ending."""
        plain = "".join(c if c.isalnum() or c in ".-" else "-" for c in name)
        return self._folder(self.cell.recipe) / f"{len(stages)}-{plain}"

    def _folder(self, recipe: str) -> Path:
        cell = self.cell
        # Names are cut to a length; a digest tells apart those that are the same up to there.
        key = digest([cell.arch, cell.data, recipe])[:6]
        return self.place.artifacts / f"{slug({'recipe': recipe or cell.arch})}-{key}" / f"seed{cell.seed}"

    # Rows

    def baseline_row(self) -> Row:
        return self.row((), BASELINE, BASELINE, self.baseline, self.base_file)

    def stage_row(self, stages: tuple[Stage, ...], role: str, method: str) -> Row:
        """The row of a network after ``stages``."""
        model = self.restored(stages, self.state(stages))
        return self.row(stages, role, method, model, self.write(model, stages, self.stem(stages, method)))

    def row(self, stages: Sequence[Stage], role: str, method: str, model: nn.Module, artefact: Artefact) -> Row:
        """The row of all that is measured of an artefact; its model card is written beside it."""
        base = self.base_file
        row: Row = {
            "role": role,
            "stage": len(stages),
            "method": method,
            "chain": chains.text(stages),
            "form": chains.form(stages),
            **self.without_test(model, artefact),
            "macs": (counted := count(model, self.data.shape, self.data.dtype)).macs,
            "uncounted": ", ".join(counted.uncounted),
            "ratio_onnx": base.size / artefact.size,
            **metrics.bits(artefact),
            **metrics.judged(self.correct(artefact, self.host.test), self._base_correct, self.host),
            "judged_batch": float(self.spec.inference_batch) if artefact.by_call else math.nan,
            "diverged": float(not metrics.finite(artefact.predict, self.host)),
            **metrics.eight_bits(artefact, chains.form(stages), self.host),
            "memory_bytes": self._memory(artefact),
            **metrics.latency(base.onnx, artefact.onnx, self.host),
            "file": artefact.path.relative_to(self.place.run).as_posix(),
        }
        row["unread"] = ", ".join(sorted(self.unread(self.name_after(stages))))
        row |= self._left_and_missed(stages, model, row)
        model_card.write(artefact, row, self.cell, self.host)
        return row

    def _left_and_missed(self, stages: Sequence[Stage], model: nn.Module, row: Row) -> Row:
        """What the last stage left as it was, and what was asked of it, or of a search for the chain that it ends, and
        not reached."""
        if not stages:
            return {"left": "", "missed": ""}
        last = stages[-1]
        missed = [last.module.missed(model, last, row)] if last.about.may_miss(last) else []
        if row["role"] == CHAIN and len(stages) == len(chains.parse(self.cell.recipe)):
            missed.append(self.spec.missed(row))
        return {"left": listed(self._left(stages)), "missed": ", and ".join(filter(None, missed))}

    def _left(self, stages: Sequence[Stage]) -> Mapping[str, str]:
        """The layers that the last of ``stages`` leaves as they are, each with the reason."""
        *before, last = stages
        if not last.about.leaves(last):
            return {}
        return last.module.left(self.restored(before, self.state(tuple(before))), last, self.host)

    def correct(self, artefact: Artefact, index: torch.Tensor) -> NDArray[np.bool_]:
        """Which of the examples ``index`` the file classifies correctly, in batches of the size of use where the others
        of a call matter."""
        if artefact.by_call:
            return metrics.correct(artefact.predict, self.host, index, self.spec.inference_batch)
        return metrics.correct(artefact.predict, self.host, index)

    def _memory(self, artefact: Artefact) -> float:
        same = artefact.onnx == self.base_file.onnx
        return self._base_memory if same else metrics.memory(artefact.onnx, self.host)

    @functools.cached_property
    def _base_memory(self) -> float:
        return metrics.memory(self.base_file.onnx, self.host)

    def without_test(self, model: nn.Module, artefact: Artefact) -> Row:
        """The row of an artefact with its sizes and its accuracy on validation data alone, which is all that a search
        may use."""
        ours, base = (
            float(correct.mean()) if len(correct) else math.nan
            for correct in (self.correct(file, self.host.validation) for file in (artefact, self.base_file))
        )
        return {
            "params": sum(p.numel() for p in model.parameters()),
            "nonzeros": sum(int(torch.count_nonzero(p)) for p in model.parameters()),
            "bytes": artefact.size,
            "ratio": 4 * self._base_params / artefact.size,
            "validation_accuracy": ours,
            "validation_drop": base - ours,
        }

    @functools.cached_property
    def _base_params(self) -> int:
        return sum(p.numel() for p in self.baseline.parameters())

    @functools.cached_property
    def _base_correct(self) -> NDArray[np.bool_]:
        return self.correct(self.base_file, self.host.test)
