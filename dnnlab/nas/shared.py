"""The supernets of one seed, each trained once and kept in a checkpoint like retrained networks."""

import time
from random import Random
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dnnlab.nas import supernets
from dnnlab.nas.problem import Inherit, Supernet
from dnnlab.networks.spaces.space import Code
from dnnlab.runner.checkpoints import State, trained
from dnnlab.statistics.streams import stream, torch_seed
from dnnlab.training.batches import batch_order

if TYPE_CHECKING:
    from dnnlab.nas.evaluator import Evaluator

_ALPHA = "mixture."
SECONDS = "seconds"
"""The entry of a checkpoint with the seconds that training took, so that a run that finds the checkpoint counts as
much."""


class SharedWeights:
    """Supernets of the space of ``evaluator``, on its data."""

    def __init__(self, evaluator: "Evaluator") -> None:
        self.evaluator = evaluator
        self._trained: dict[Supernet, tuple[nn.Module, State]] = {}
        self.seconds: dict[Supernet, float] = {}
        """The seconds that each supernet's training took, also where an earlier run trained it."""
        self._macs: dict[bool, float] = {}

    def macs_an_example(self, mixed: bool) -> float:
        """Multiply–accumulates of a forward and a backward pass of one example."""
        if mixed not in self._macs:
            self._macs[mixed] = supernets.macs_an_example(
                self._fresh(), self.evaluator.space, self.evaluator.data, mixed
            )
        return self._macs[mixed]

    def _fresh(self) -> nn.Module:
        assert self.evaluator.space.supernet is not None
        return self.evaluator.space.supernet(self.evaluator.data.shape, self.evaluator.classes).to(
            self.evaluator.device
        )

    def trained(self, supernet: Supernet) -> tuple[nn.Module, State]:
        """The trained supernet, and the logits of its mixture by dimension where it has one."""
        if supernet not in self._trained:
            evaluator, purpose = self.evaluator, f"supernet {supernet.kind} {supernet.number}"
            torch.manual_seed(torch_seed(evaluator.spec.seed, evaluator.seed, purpose))
            model = self._fresh()
            state = trained(
                evaluator.place, evaluator.identity([supernet]), lambda: self._train(supernet, model, purpose)
            )
            self.seconds[supernet] = float(state[SECONDS])
            alphas = {k: v for k, v in state.items() if k.startswith(_ALPHA)}
            model.load_state_dict({k: v for k, v in state.items() if k not in alphas and k != SECONDS})
            self._trained[supernet] = model.to(evaluator.device), alphas
        return self._trained[supernet]

    def _train(self, supernet: Supernet, model: nn.Module, purpose: str) -> State:
        evaluator, started = self.evaluator, time.perf_counter()
        examples, batch = len(evaluator.data.train), evaluator.spec.batch_size
        rng, other = (
            stream(evaluator.spec.seed, evaluator.seed, f"{what} {purpose}") for what in ("batches", "mixture")
        )
        steps = max(1, round(supernet.epochs * (examples // batch)))
        alphas: list[Tensor] = []
        if supernet.kind == "darts":
            orders = batch_order(examples // 2, batch // 2, other), batch_order(examples // 2, batch // 2, rng)
            alphas = supernets.train_darts(model, evaluator.space, evaluator.data, orders, evaluator.spec.lr, steps)
        else:
            order, paths = batch_order(examples, batch, rng), Random(int(rng.integers(2**63)))
            supernets.train_paths(model, evaluator.space, evaluator.data, order, paths, evaluator.spec.lr, steps)
        mixture = {f"{_ALPHA}{i}": alpha for i, alpha in enumerate(alphas)}
        state = {name: value.cpu() for name, value in model.state_dict().items()}  # waits for the device
        return state | mixture | {SECONDS: torch.tensor(time.perf_counter() - started, dtype=torch.float64)}

    def discretised(self, supernet: Supernet) -> Code:
        """The architecture that a mixture ends in."""
        _, alphas = self.trained(supernet)
        return supernets.discretise(self.evaluator.space, [alphas[f"{_ALPHA}{i}"] for i in range(len(alphas))])

    def inherited(self, request: Inherit) -> float:
        """Validation accuracy of an architecture under a supernet's weights."""
        model, _ = self.trained(request.supernet)
        return supernets.inherited(model, self.evaluator.space, request.code, self.evaluator.data)
