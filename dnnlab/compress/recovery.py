"""The training after a stage, called recovery: the network learns again from labels and from the network before the
stage."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnnlab.compress.stages import Stage
from dnnlab.compress.structure import last_layers
from dnnlab.data.dataset import Dataset
from dnnlab.networks import outputs
from dnnlab.networks.blocks import WithAux
from dnnlab.networks.remembered import copied
from dnnlab.statistics.streams import stream, torch_seed
from dnnlab.training import networks
from dnnlab.training.batches import batch_order
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.recorded import WORTH_RECORDING

EPOCHS, STEPS = 10.0, 2000
"""The length of a training that no option gives: so many epochs, and on small data more, until there are so many
steps."""


@dataclass(frozen=True)
class Retraining:
    """What the trainings of all stages of a cell have in common."""

    data: Dataset
    base: int
    seed: int
    batch_size: int
    hyper: Hyperparameters
    """Hyperparameters of recovery; their learning rate is that of the first step of each stage."""
    epochs: float | None
    """Epochs of recovery where the stage gives none; ``None`` takes `EPOCHS`, or as many as make `STEPS` steps."""
    teacher: nn.Module | None
    """The network before the chain; ``None`` recovers from labels alone."""
    temperature: float
    teaching: float
    """The share of the teacher in the loss, from 0 to 1."""
    student: Callable[[], nn.Module]
    """Makes the untrained network that distillation trains."""
    repeats: bool = False
    """Whether the networks do the same at every step, so that a step can be recorded."""

    def stream(self, purpose: str) -> np.random.Generator:
        """Random numbers of this seed for one purpose."""
        return stream(self.base, self.seed, purpose)

    def length(self, epochs: float | None) -> float:
        """The epochs of a training; ``epochs`` if it is given, else the default length."""
        given = self.epochs if epochs is None else epochs
        return given if given is not None else max(EPOCHS, STEPS / (len(self.data.train) // self.batch_size))

    def total(self, stages: Sequence[Stage]) -> float:
        """Epochs of all the training that ``stages`` do."""
        return float(sum(self.length(stage.epochs) for stage in stages if stage.trains))

    def train(
        self,
        model: nn.Module,
        purpose: str,
        epochs: float | None = None,
        *,
        wrap: Callable[[Any], Any] | None = None,
        before: Callable[[float], None] | None = None,
        taught: bool = True,
        hints: bool = False,
        rate: float = 1.0,
    ) -> None:
        """Train ``model``; ``wrap`` puts an optimiser around the optimiser, ``before`` is called before every step
        with the share that is done, and ``rate`` scales the learning rate.

        ``purpose`` names the random streams, so that two trainings never see the same order of batches by accident.
        """
        teacher = self.teacher.eval() if taught and self.teacher is not None else None
        similarities = _Hints(model, teacher, self.data) if hints and teacher is not None else None
        hyper = dataclasses.replace(self.hyper, lr=self.hyper.lr * rate)
        steps = round(self.length(epochs) * (len(self.data.train) // self.batch_size))
        training = networks.NetworkTraining(
            model,
            self.data,
            batch_order(len(self.data.train), self.batch_size, self.stream(f"batches {purpose}")),
            hyper,
            self.stream(f"augmentation {purpose}"),
            objective=None if teacher is None else self._taught(teacher, similarities),
            wrap=wrap,
            repeats=self.repeats and before is None and not hints and steps >= WORTH_RECORDING,
        )
        torch.manual_seed(torch_seed(self.base, self.seed, f"dropout {purpose}"))
        for step in range(steps):
            if before is not None:
                before(step / steps)
            training.step(step / steps)
        training.close()
        if similarities is not None:
            similarities.remove()
        model.eval()

    def _taught(self, teacher: nn.Module, hints: "_Hints | None") -> networks.Objective:
        """The loss with a teacher beside the labels: a mean of KL·T² and cross-entropy (Hinton 2015)."""

        def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
            with torch.no_grad():
                taught = outputs.logits(teacher(x)).float()
            out = model(x)
            given = outputs.logits(out.logits if isinstance(out, WithAux) else out).float()
            labels = F.cross_entropy(given, y, label_smoothing=self.hyper.label_smoothing)
            total = (1 - self.teaching) * labels + self.teaching * distance(given, taught, self.temperature)
            return total if hints is None else total + hints.loss()

        return loss


def distance(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T² · KL(teacher ‖ student) of logits ``[batch, class]`` softened by T, mean over the batch (Hinton 2015)."""
    ours, theirs = F.log_softmax(student / temperature, 1), F.log_softmax(teacher / temperature, 1)
    return temperature**2 * F.kl_div(ours, theirs, reduction="batchmean", log_target=True)


class _Hints:
    """The loss between the inputs of the last layer of student and teacher: the similarities that examples have there.

    Similarities need no layer that maps one width to another (Tung & Mori 2019).
    """

    def __init__(self, student: nn.Module, teacher: nn.Module, data: Dataset) -> None:
        self.inputs: dict[str, Tensor] = {}
        self.hooks = [
            _last_layer(network, data).register_forward_pre_hook(self._keep(name))
            for name, network in (("student", student), ("teacher", teacher))
        ]

    def _keep(self, name: str) -> Callable[[nn.Module, Any], None]:
        def hook(module: nn.Module, inputs: Any) -> None:
            self.inputs[name] = inputs[0].flatten(1)

        return hook

    def loss(self) -> Tensor:
        ours, theirs = (F.normalize(h @ h.T, dim=1) for h in (self.inputs["student"], self.inputs["teacher"].detach()))
        return (ours - theirs).square().sum(1).mean()

    def remove(self) -> None:
        for hook in self.hooks:
            hook.remove()


def _last_layer(model: nn.Module, data: Dataset) -> nn.Module:
    """The layer that makes the logits.

    Raises:
        RuntimeError: several make them, or nobody knows which.
    """
    names = last_layers(model, data)
    if len(names) != 1 or "" in names:
        raise RuntimeError(
            "distill:hints compares what the last layer reads, and this network has no single last layer."
        )
    return model.get_submodule(names.pop())


def frozen(model: nn.Module) -> nn.Module:
    """A copy of the network in evaluation mode that is not trained, to be learned from."""
    return copied(model).eval().requires_grad_(False)
