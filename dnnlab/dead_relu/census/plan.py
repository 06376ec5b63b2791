"""The cells: configurations, each under every remedy where these are asked for, and seeds."""

import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dnnlab import data as datasets
from dnnlab.dead_relu.remedy import NO_REMEDY, remedies_for, treat
from dnnlab.errors import UsageError
from dnnlab.networks import shape
from dnnlab.networks.activations import activation


@dataclass(frozen=True)
class Cell:
    """One configuration and one seed. Its fields are the first columns of ``cells.csv``.

    They describe the untreated network; `treated` is what the remedy makes of it.
    """

    remedy: str
    model: str
    act: str
    init: str
    norm: str
    skip: str
    depth: int
    width: int
    data: str
    batch_size: int
    optimizer: str
    lr: float
    weight_decay: float
    clip: float
    seed: int

    def __str__(self) -> str:
        if self.model:
            return f"{self.model} on {self.data}"
        return f"{self.act} depth {self.depth} width {self.width} norm {self.norm} skip {self.skip} on {self.data}"

    @property
    def together(self) -> Hashable:
        """A stack shares its shape, data and optimiser; init, rates and clipping are a member's own."""
        treated = self.treated
        network = (self.model, treated.act, treated.norm, treated.skip, self.depth, self.width)
        alone = (self.lr, self.weight_decay, self.clip, self.seed) if self.model else None
        return (*network, self.data, self.batch_size, self.optimizer, alone)

    @property
    def treated(self) -> "Cell":
        """The cell with its remedy applied."""
        return Cell(**treat(asdict(self), self.remedy))

    side_by_side = False

    @property
    def weight(self) -> float:
        """A stack is full at 64 members, or at some 2²⁷ numbers of activations and parameters."""
        layers = self.depth * (self.depth + 1) / 2 if self.skip == "dense" else self.depth
        return max(1 / 64, layers * self.width * (self.width + 4 * self.batch_size) / 2**27)

    @property
    def macs(self) -> float:
        """Of one training step: forward, and twice that backward. A user's own model is not counted."""
        return math.nan if self.model else 3.0 * self._shape.macs() * self.batch_size

    @property
    def bytes(self) -> float:
        """Memory of one step, at least. A user's own model is not counted."""
        return 0.0 if self.model else self._shape.bytes(self.batch_size)

    @property
    def _shape(self) -> shape.MLPShape:
        return shape.MLPShape.like(self.act, self.depth, self.width, self.norm, self.skip)


def zero_somewhere(pattern: str) -> bool:
    """Whether an activation of the pattern is zero on a whole half-line, so that its units can die."""
    return any(activation(part.partition("*")[0].strip()).zero_up_to is not None for part in pattern.split("+"))


def plan(spec: Any) -> Sequence[Cell]:
    """The product of the lists, then the remedies, seeds last."""
    own = bool(spec.model)
    lists: dict[str, Sequence[Any]] = {
        "act": ("",) if own else spec.act,
        "init": ("",) if own else spec.init,
        "norm": ("",) if own else spec.norm,
        "skip": ("",) if own else spec.skip,
        "depth": (0,) if own else spec.depths,
        "width": (0,) if own else spec.widths,
        "data": spec.data,
        "batch_size": spec.batch_size,
        "optimizer": spec.optimizer,
        "lr": spec.lr,
        "weight_decay": spec.weight_decay,
        "clip": spec.clip,
    }
    cells = []
    for values in itertools.product(*lists.values()):
        configuration = dict(zip(lists, values, strict=True))
        for remedy in remedies_for(configuration) if spec.remedies else (NO_REMEDY,):
            cells += [Cell(remedy, spec.model, **configuration, seed=seed) for seed in range(spec.seeds)]
    return cells


def content(spec: Any) -> Mapping[str, str]:
    """Digests of the data sets, and of the model's code and weights."""
    digests = datasets.digests(spec.data)
    if spec.model:
        from dnnlab.networks.own import digest

        digests["model"] = digest(spec.model, spec.weights)
    return digests


def validate(spec: Any) -> None:
    """Remedies are of networks whose units can die.

    Raises:
        UsageError: these cannot.
    """
    if spec.remedies and not all(zero_somewhere(act) for act in spec.act):
        raise UsageError("--remedies treat networks whose units can die; take --act relu.")
