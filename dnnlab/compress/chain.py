"""Chains of stages, as a user writes them: ``prune:0.95 > share:5bit > code``.

Importing this module imports nothing heavy.
"""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dnnlab.errors import UsageError, unknown

DENSE, SPARSE, SHARED, CODED, INT8 = "dense", "sparse", "shared", "coded", "int8"
"""What a network is like between two stages, and so how it is written."""


class TooMuch(RuntimeError):
    """A stage was to take more out of a network than can be taken."""


@dataclass(frozen=True)
class Kind:
    """A kind of stage: what it may follow, what it makes of a network, and what may be written behind its name."""

    name: str
    about: str
    after: tuple[str, ...]
    gives: str
    """The form of what comes out; empty where it stays."""
    amount: str
    """A pattern of its main argument; empty where there is none."""
    example: str
    default: str
    words: Mapping[str, tuple[str, ...]]
    """What else may be said, by what it decides; the first is the default."""
    trains: bool
    """Whether recovery training follows."""


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "prune", "set weights to zero", (DENSE,), SPARSE, r"0?\.\d+|2of4", "prune:0.95", "0.9",
            {
                "schedule": ("gradual", "oneshot", "rewind"),
                "criterion": ("lamp", "global", "layer", "movement", "random"),
            },
            True,
        ),
        Kind(
            "structured", "take whole channels and units out", (DENSE,), "", r"\d+(?:\.\d+)?x", "structured:2x", "2x",
            {"criterion": ("magnitude", "taylor", "bn")}, True,
        ),
        Kind(
            "lowrank", "factorise layers", (DENSE,), "", r"0?\.\d+|\d+(?:\.\d+)?x", "lowrank:2x", "2x",
            {"form": ("tucker", "cp"), "judge": ("macs", "latency")}, True,
        ),
        Kind(
            "distill", "train the --student under the network so far", (DENSE,), "", "", "distill", "",
            {"hints": ("logits", "hints")}, True,
        ),
        Kind(
            "share", "share weights by a codebook", (DENSE, SPARSE), SHARED, r"\d+bit|\d+levels", "share:5bit", "5bit",
            {}, True,
        ),
        Kind("code", "entropy-code indices and codebook numbers", (SPARSE, SHARED), CODED, "", "code", "", {}, False),
        Kind(
            "int8", "quantise to eight bits", (DENSE, SPARSE), INT8, "", "int8", "",
            {"mode": ("static", "dynamic", "weights", "qat")}, False,
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """One stage with its arguments."""

    kind: str
    amount: str
    words: tuple[tuple[str, str], ...]
    epochs: float | None = None
    """Of recovery training, where it is said."""

    @property
    def about(self) -> Kind:
        return KINDS[self.kind]

    def word(self, name: str) -> str:
        """What it says of ``name``, such as its schedule; empty where that is nothing it could say."""
        return dict(self.words).get(name, "")

    @property
    def share(self) -> float:
        """Its amount as a share; nan where it is none."""
        return float(self.amount) if re.fullmatch(r"0?\.\d+", self.amount) else float("nan")

    @property
    def factor(self) -> float:
        """Its amount as a factor; nan where it is none."""
        return float(self.amount[:-1]) if self.amount.endswith("x") else float("nan")

    @property
    def levels(self) -> int:
        """Entries of a codebook."""
        digits = int(re.sub(r"\D", "", self.amount))
        return 2**digits - 1 if self.amount.endswith("bit") else digits

    def __str__(self) -> str:
        kind = self.about
        parts = [self.kind, *([self.amount] if self.amount else [])]
        parts += [value for name, value in self.words if value != kind.words[name][0]]
        return ":".join(parts) + (f"@{self.epochs:g}" if self.epochs is not None else "")


def parse(text: str) -> tuple[Stage, ...]:
    """Read a chain: stages with ``>`` between them, each ``NAME[:ARGUMENT…][@EPOCHS]``.

    Raises:
        UsageError: a stage is not known, says what it cannot, or follows what it cannot follow.
    """
    stages = tuple(_stage(part.strip(), text) for part in text.split(">"))
    form = DENSE
    for stage in stages:
        if form not in stage.about.after:
            raise UsageError(f"chain {text!r}: {stage.kind} cannot follow what leaves a network {form}.")
        form = stage.about.gives or form
    return stages


def _stage(text: str, chain: str) -> Stage:
    body, at, epochs = text.partition("@")
    name, *arguments = (part.strip() for part in body.split(":"))
    if name not in KINDS:
        raise unknown("stage", name, KINDS)
    kind = KINDS[name]
    amount, words = kind.default, {word: values[0] for word, values in kind.words.items()}
    for argument in arguments:
        place = next((word for word, values in kind.words.items() if argument in values), None)
        if place is not None:
            words[place] = argument
        elif kind.amount and re.fullmatch(kind.amount, argument):
            amount = argument
        else:
            known = [value for values in kind.words.values() for value in values]
            also = f", or one of {', '.join(known)}" if known else ""
            takes = f"write it as in {kind.example}{also}" if kind.amount or known else "it takes no argument"
            raise UsageError(f"chain {chain!r}: {argument!r} says nothing to {name}; {takes}.")
    stage = Stage(name, amount, tuple(words.items()), _epochs(epochs, chain) if at else None)
    _check(stage, chain)
    return stage


def _epochs(text: str, chain: str) -> float:
    try:
        epochs = float(text)
    except ValueError:
        epochs = float("nan")
    if not 0 <= epochs <= 10_000:
        raise UsageError(f"chain {chain!r}: @{text} must be a number of epochs, such as @5.")
    return epochs


def _check(stage: Stage, chain: str) -> None:
    if stage.epochs is not None and not stage.about.trains and stage.word("mode") != "qat":
        raise UsageError(f"chain {chain!r}: {stage.kind} does not train, so it takes no @EPOCHS.")
    if stage.kind == "share" and not 1 <= stage.levels <= 65535:
        raise UsageError(f"chain {chain!r}: a codebook has 1bit to 16bit, not {stage.amount}.")
    if stage.factor <= 1:
        raise UsageError(f"chain {chain!r}: {stage.kind}:{stage.amount} makes nothing smaller; take more than 1x.")
    if stage.word("judge") == "latency" and not math.isnan(stage.share):
        raise UsageError(f"chain {chain!r}: latency is met by a factor, such as lowrank:2x:latency, not by an energy.")
    if stage.word("criterion") == "movement" and stage.word("schedule") != "gradual":
        raise UsageError(f"chain {chain!r}: movement is seen along training alone; leave out {stage.word('schedule')}.")
    if stage.share == 0:
        raise UsageError(f"chain {chain!r}: {stage.kind}:{stage.amount} does nothing; take a share above 0.")


def text(stages: Sequence[Stage]) -> str:
    """The chain as `parse` reads it, with words that are the default left out."""
    return " > ".join(map(str, stages))


def form(stages: Sequence[Stage]) -> str:
    """What a network is like after ``stages``."""
    now = DENSE
    for stage in stages:
        now = stage.about.gives or now
    return now


def with_amount(stages: Sequence[Stage], place: int, amount: str) -> tuple[Stage, ...]:
    """The chain with another amount at ``place``."""
    changed = dataclasses.replace(stages[place], amount=amount)
    return (*stages[:place], changed, *stages[place + 1 :])
