"""The supernets of one seed, trained once each and kept like retrained networks."""

import time
from random import Random
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dnnlab.nas import supernets
from dnnlab.nas.problem import Inherit, Supernet
from dnnlab.networks.spaces.space import Code
from dnnlab.runner.checkpoints import State, trained
from dnnlab.statistics.streams import stream
from dnnlab.training.stacked import batch_order

if TYPE_CHECKING:
    from dnnlab.nas.lab import Lab

_ALPHA = "mixture."
SECONDS = "seconds"
"""Beside the weights in a checkpoint, what training them took: a run that finds it there counts as much."""


class SharedWeights:
    """Supernets of the space of ``lab``, on its data."""

    def __init__(self, lab: "Lab") -> None:
        self.lab = lab
        self._trained: dict[Supernet, tuple[nn.Module, State]] = {}
        self.seconds: dict[Supernet, float] = {}
        """Of training each, in whichever run that was."""
        self._macs: dict[bool, float] = {}

    def macs_an_example(self, mixed: bool) -> float:
        """Of a forward and a backward pass; counted once."""
        if mixed not in self._macs:
            self._macs[mixed] = supernets.macs_an_example(self._fresh(), self.lab.space, self.lab.data, mixed)
        return self._macs[mixed]

    def _fresh(self) -> nn.Module:
        assert self.lab.space.supernet is not None
        return self.lab.space.supernet(self.lab.data.shape, self.lab.classes).to(self.lab.device)

    def trained(self, asked: Supernet) -> tuple[nn.Module, State]:
        """The supernet, and the logits of its mixture by dimension where it has one."""
        if asked not in self._trained:
            lab, purpose = self.lab, f"supernet {asked.kind} {asked.number}"
            torch.manual_seed(int(stream(lab.spec.seed, lab.seed, purpose).integers(2**63)))
            model = self._fresh()
            state = trained(lab.place, lab.identity([asked]), lambda: self._train(asked, model, purpose))
            self.seconds[asked] = float(state[SECONDS])
            alphas = {k: v for k, v in state.items() if k.startswith(_ALPHA)}
            model.load_state_dict({k: v for k, v in state.items() if k not in alphas and k != SECONDS})
            self._trained[asked] = model.to(lab.device), alphas
        return self._trained[asked]

    def _train(self, asked: Supernet, model: nn.Module, purpose: str) -> State:
        lab, started = self.lab, time.perf_counter()
        examples, batch = len(lab.data.train), lab.spec.batch_size
        rng, other = (stream(lab.spec.seed, lab.seed, f"{what} {purpose}") for what in ("batches", "mixture"))
        steps = max(1, round(asked.epochs * (examples // batch)))
        alphas: list[Tensor] = []
        if asked.kind == "darts":
            orders = batch_order(examples // 2, batch // 2, other), batch_order(examples // 2, batch // 2, rng)
            alphas = supernets.train_darts(model, lab.space, lab.data, orders, lab.spec.lr, steps)
        else:
            order, paths = batch_order(examples, batch, rng), Random(int(rng.integers(2**63)))
            supernets.train_paths(model, lab.space, lab.data, order, paths, lab.spec.lr, steps)
        mixture = {f"{_ALPHA}{i}": alpha for i, alpha in enumerate(alphas)}
        state = {name: value.cpu() for name, value in model.state_dict().items()}  # waits for the device
        return state | mixture | {SECONDS: torch.tensor(time.perf_counter() - started, dtype=torch.float64)}

    def discretised(self, asked: Supernet) -> Code:
        """The architecture that a mixture ends in."""
        _, alphas = self.trained(asked)
        return supernets.discretise(self.lab.space, [alphas[f"{_ALPHA}{i}"] for i in range(len(alphas))])

    def inherited(self, request: Inherit) -> float:
        """Validation accuracy under a supernet's weights."""
        model, _ = self.trained(request.supernet)
        return supernets.inherited(model, self.lab.space, request.code, self.lab.data)
