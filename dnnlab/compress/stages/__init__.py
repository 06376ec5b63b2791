"""The stages of compression: what each kind of stage declares, and one stage as a user writes it.

What a stage does is in the module of its name in this package: ``apply`` where it trains, ``write`` where it gives a
form, and ``control`` where it declares one. Importing this package imports nothing heavy.
"""

import importlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from dnnlab.compress.evaluator import Evaluator
    from dnnlab.compress.files import Artefact, ExportInputs
    from dnnlab.compress.recovery import Retraining
    from dnnlab.data.dataset import Dataset

DENSE, SPARSE, SHARED, CODED, INT8 = "dense", "sparse", "shared", "coded", "int8"
"""The forms of a network between two stages, which decide how its file is written."""


class TooMuch(RuntimeError):
    """A stage should take more out of a network than can be taken."""


class StageModule(Protocol):
    """The module of a kind of stage. It has those of these functions that the declaration needs."""

    def apply(self, model: "nn.Module", stage: "Stage", retraining: "Retraining") -> "nn.Module":
        """``model`` after ``stage`` and its recovery training. Modules of stages that train have it; ``model`` may be
        changed. With no epochs it gives the network before the training.
        """

    def write(
        self, model: "nn.Module", stages: tuple["Stage", ...], inputs: "ExportInputs", stem: "Path"
    ) -> "Artefact":
        """Write the file of ``model``, which ``stages`` made and which has the form that this kind gives."""

    def left(self, model: "nn.Module", stage: "Stage", data: "Dataset") -> Mapping[str, str]:
        """The layers of ``model`` by name that ``stage`` leaves as they are, each with the reason."""

    def missed(self, model: "nn.Module", stage: "Stage", row: Mapping[str, Any]) -> str:
        """What was asked of ``stage`` that ``model``, whose measurements are ``row``, does not have; empty where it
        has all."""

    def control(self, evaluator: "Evaluator", stages: tuple["Stage", ...], place: int, size: int) -> dict[str, Any]:
        """The row of the control of the chain ``stages`` for the stage at ``place``; ``size`` is the bytes of the
        chain's file."""


def _always(stage: "Stage") -> bool:
    return True


def _never(stage: "Stage") -> bool:
    return False


def _nothing(stage: "Stage") -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of stage: all that other modules know of it."""

    name: str
    about: str
    example: str
    after: tuple[str, ...]
    """The forms after which it may come."""
    gives: str = ""
    """The form that it gives a network, whose file its module writes; empty where it keeps the form."""
    amount: str = ""
    """A regular expression of its main argument; empty where it has none."""
    default: str = ""
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The other words that it takes, by what they decide; the first is the default."""
    refusal: Callable[["Stage"], str] = _nothing
    """One sentence why its arguments do not fit each other; empty where they do."""
    trains: Callable[["Stage"], bool] = _always
    """Whether it trains the network, so that the length of recovery can be given."""
    makes_student: bool = False
    """Whether a new, smaller network takes the place of the one before."""
    amount_at: Callable[[float], str] | None = None
    """The amount at a strength from 0 (weak) to 1 (strong); a stage without it cannot be searched."""
    control: str = ""
    """The name of its control in the tables; empty where it has none."""
    control_always: bool = False
    """Whether the control is measured without --controls too."""
    needs: Mapping[str, str] = field(default_factory=dict)
    """The optional library that each of its words needs."""
    layers: tuple[str, ...] = ()
    """The classes of `torch.nn` on which it works; where there are none, every weight of two dimensions or more."""
    tried: Callable[["Stage"], bool] = _never
    """Whether it is tried on a user's own network before anything is trained, as it may find too little to do."""
    may_miss: Callable[["Stage"], bool] = _never
    """Whether what it was asked for may be missed, which its module then tells."""
    leaves: Callable[["Stage"], bool] = _never
    """Whether it leaves some layers as they are, which its module then names."""
    leaves_by_shape: bool = False
    """Whether the shapes of layers decide that it leaves all of them, so that it does so in a narrower network too."""


def _sparsity_at(strength: float) -> str:
    """The sparsity at a strength: from half of the weights to two in a thousand that are left."""
    return f"{1 - 0.5 * (0.002 / 0.5) ** strength:.4f}".lstrip("0")


def _factor_at(strength: float) -> str:
    """The factor at a strength: from 1.2 to 10 times fewer MACs."""
    return f"{1.2 * (10.0 / 1.2) ** strength:.2f}x"


def _prune_refusal(stage: "Stage") -> str:
    if stage.word("criterion") == "movement" and stage.word("schedule") != "gradual":
        return f"movement is seen along training alone; leave out {stage.word('schedule')}."
    return ""


def _lowrank_refusal(stage: "Stage") -> str:
    if stage.word("judge") == "latency" and not math.isnan(stage.share):
        return "latency is met by a factor, such as lowrank:2x:latency, not by an energy."
    return ""


def _share_refusal(stage: "Stage") -> str:
    return "" if 1 <= stage.levels <= 65535 else f"a codebook has 1bit to 16bit, not {stage.amount}."


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="prune",
            about="set weights to zero",
            example="prune:0.95",
            after=(DENSE,),
            gives=SPARSE,
            amount=r"0?\.\d+|2of4",
            default="0.9",
            words={
                "schedule": ("gradual", "oneshot", "rewind"),
                "criterion": ("lamp", "global", "layer", "movement", "random"),
            },
            refusal=_prune_refusal,
            amount_at=_sparsity_at,
            control="random pruning",
            leaves=lambda stage: stage.amount == "2of4",
            may_miss=lambda stage: stage.amount != "2of4",
        ),
        Kind(
            name="structured",
            about="take whole channels and units out",
            example="structured:2x",
            after=(DENSE,),
            amount=r"\d+(?:\.\d+)?x",
            default="2x",
            words={
                "criterion": ("magnitude", "taylor", "bn"),
                "multiple": tuple(f"round={channels}" for channels in (1, 4, 8, 16, 32)),
            },
            amount_at=_factor_at,
            layers=("Linear", *(f"{kind}{d}d" for kind in ("Conv", "ConvTranspose") for d in (1, 2, 3))),
            leaves=_always,
            tried=_always,
        ),
        Kind(
            name="lowrank",
            about="factorise layers",
            example="lowrank:2x",
            after=(DENSE,),
            amount=r"0?\.\d+|\d+(?:\.\d+)?x",
            default="2x",
            words={"form": ("tucker", "cp"), "judge": ("macs", "latency")},
            refusal=_lowrank_refusal,
            needs={"cp": "tensorly"},
            layers=("Linear", "Conv2d"),
            leaves=_always,
            leaves_by_shape=True,
            tried=lambda stage: stage.word("judge") == "macs" and math.isnan(stage.share),
            may_miss=lambda stage: stage.word("judge") == "latency",
        ),
        Kind(
            name="distill",
            about="train the --student under the network so far",
            example="distill",
            after=(DENSE,),
            words={"hints": ("logits", "hints")},
            makes_student=True,
            control="student alone",
            control_always=True,
        ),
        Kind(
            name="share",
            about="share weights by a codebook",
            example="share:5bit",
            after=(DENSE, SPARSE),
            gives=SHARED,
            amount=r"\d+bit|\d+levels",
            default="5bit",
            refusal=_share_refusal,
        ),
        Kind(
            name="code",
            about="entropy-code indices and codebook numbers",
            example="code",
            after=(SPARSE, SHARED),
            gives=CODED,
            trains=_never,
        ),
        Kind(
            name="int8",
            about="quantise to eight bits",
            example="int8",
            after=(DENSE, SPARSE),
            gives=INT8,
            words={"mode": ("static", "dynamic", "weights", "qat")},
            trains=lambda stage: stage.word("mode") == "qat",
            layers=("Linear", "Conv1d", "Conv2d", "Conv3d"),
            leaves=lambda stage: stage.word("mode") == "qat",
        ),
    )
}


@dataclass(frozen=True)
class Stage:
    """One stage with its arguments."""

    kind: str
    amount: str
    words: tuple[tuple[str, str], ...]
    epochs: float | None = None
    """Epochs of recovery training; ``None`` where they are not given."""

    @property
    def about(self) -> Kind:
        return KINDS[self.kind]

    @property
    def module(self) -> StageModule:
        return cast(StageModule, importlib.import_module(f"{__name__}.{self.kind}"))

    def word(self, name: str) -> str:
        """Its word for ``name``, such as its schedule; empty where it has none."""
        return dict(self.words).get(name, "")

    @property
    def share(self) -> float:
        """Its amount as a share from 0 to 1; nan where it is none."""
        return float(self.amount) if re.fullmatch(r"0?\.\d+", self.amount) else math.nan

    @property
    def factor(self) -> float:
        """Its amount as a factor, such as 4 of ``4x``; nan where it is none."""
        return float(self.amount[:-1]) if self.amount.endswith("x") else math.nan

    @property
    def multiple(self) -> int:
        """Channels are kept in multiples of this number."""
        return int(self.word("multiple").partition("=")[2] or 1)

    @property
    def levels(self) -> int:
        """The number of entries of its codebook."""
        digits = int(re.sub(r"\D", "", self.amount))
        return 2**digits - 1 if self.amount.endswith("bit") else digits

    @property
    def trains(self) -> bool:
        return self.about.trains(self)

    @property
    def searchable(self) -> bool:
        """Whether a search can change its amount, which it cannot where that is a fixed pattern, such as 2of4."""
        return self.about.amount_at is not None and not (math.isnan(self.share) and math.isnan(self.factor))

    @property
    def needs(self) -> Mapping[str, tuple[str, str]]:
        """The optional libraries that it needs, each with what needs it, and what to take instead."""
        named = [(self.about.needs.get(value), name, value) for name, value in self.words]
        return {
            package: (f"{self.kind}:{value}", self.about.words[name][0]) for package, name, value in named if package
        }

    def __str__(self) -> str:
        parts = [self.kind, *([self.amount] if self.amount else [])]
        parts += [value for name, value in self.words if value != self.about.words[name][0]]
        return ":".join(parts) + (f"@{self.epochs:g}" if self.epochs is not None else "")
