"""The options of ``compress``."""

import dataclasses
import functools
import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from typer import Option

from dnnlab.compress import chain as chains
from dnnlab.compress.presets import PRESETS
from dnnlab.compress.stages import KINDS, Stage
from dnnlab.errors import UsageError
from dnnlab.networks import named
from dnnlab.runner import configuration as ask
from dnnlab.runner import experiment
from dnnlab.runner.options import Check, Help, OneOf
from dnnlab.training.augmentation import AUGMENTATIONS

HELP = """Make a network smaller: five techniques, alone and in chains, with every byte of the written file counted.

A row's accuracy is that of the file, read back; its ratio is 4 bytes a parameter over the bytes of that file.

[bold]Examples[/bold]

Methods side by side: [cyan]dnnlab compress --arch lenet300 --data mnist
--method prune,share,lowrank,structured,int8[/cyan]

A chain, and what each stage does: [cyan]dnnlab compress --chain "prune:0.95 > share:5bit > code"[/cyan]

Han's recipe, with controls of equal bytes: [cyan]dnnlab compress --arch lenet300 --data mnist --preset
deep-compression --controls[/cyan]

The smallest file that loses less than a point on validation data: [cyan]dnnlab compress --preset smallest
--max-drop 1[/cyan]

Your own network: [cyan]dnnlab compress --model mypackage.nets:factory --weights net.safetensors --data folder:images
--preset mobile[/cyan]
"""

NEEDED = ("constriction", "onnx", "onnxruntime", "onnxscript", "torch_pruning", "zstandard")
"""The libraries that the optional extra ``compress`` installs."""
_WHAT, _RECOVER, _SEARCH = "What to compress, and how", "Recovery", "Searching"


def _check_chain(text: str) -> None:
    chains.parse(text)


def _check_target(text: str) -> None:
    if text and not re.fullmatch(r"\d+(\.\d+)?x", text):
        raise UsageError(f"--target {text!r} does not read; write a ratio such as 10x.")


QUESTIONS = (experiment.Question("dnnlab.compress", autocasts=True),)


@dataclass(frozen=True)
class Spec(experiment.Spec):
    """The options of ``compress``; together with data and code they decide every number."""

    arch: Annotated[
        tuple[str, ...],
        Option(
            help="Networks of the catalogue (dnnlab compare-arch --list), with options as in resnet20:width=0.5; "
            "lenet300 when neither this nor --model is given.",
            rich_help_panel=_WHAT,
        ),
        Check(named.check),
    ] = ()
    model: ask.Model = ""
    weights: ask.Weights = ""
    method: Annotated[
        tuple[str, ...],
        Option(
            help=f"Methods side by side, each a chain of one stage: {', '.join(KINDS)}; with arguments as in --chain.",
            rich_help_panel=_WHAT,
        ),
        Check(_check_chain),
    ] = ()
    chain: Annotated[
        tuple[str, ...],
        Option(
            help="Stages in turn, such as 'prune:0.95 > share:5bit > code'; @EPOCHS after a stage says how long the "
            "network then recovers.",
            rich_help_panel=_WHAT,
        ),
        Check(_check_chain),
    ] = ()
    preset: Annotated[
        str,
        Option(
            help="A chain by name. " + "; ".join(f"{name}: {preset.help}" for name, preset in PRESETS.items()) + ".",
            rich_help_panel=_WHAT,
        ),
        OneOf(("", *PRESETS)),
    ] = ""
    student: Annotated[
        str,
        Option(
            help="Network that distill trains: of the catalogue or your own. When not given, --arch at a quarter of "
            "its width.",
            rich_help_panel=_WHAT,
        ),
    ] = ""
    controls: Annotated[
        bool,
        Option(
            "--controls",
            help="Beside each chain: random pruning and a small dense network of as many bytes, and the network "
            "itself after as many epochs more.",
            rich_help_panel=_WHAT,
        ),
    ] = False
    max_drop: Annotated[
        float,
        Option(
            help="Search for the smallest file that loses less than this many percentage points on validation data; 0 "
            "does not search.",
            min=0,
            max=100,
            rich_help_panel=_SEARCH,
        ),
    ] = 0.0
    target: Annotated[
        str,
        Option(help="Search for the most accurate file of this ratio, such as 10x.", rich_help_panel=_SEARCH),
        Check(_check_target),
    ] = ""
    trials: Annotated[
        int, Option(help="How many chains a search tries for each seed.", min=2, max=100, rich_help_panel=_SEARCH)
    ] = 6
    data: ask.Data = ("digits",)
    train_size: ask.TrainSize[int] = 0
    seeds: ask.Seeds = 3
    seed: ask.Seed = 0
    epochs: Annotated[
        float | None,
        Option(
            help="Epochs of training of the network itself; with --weights it is not trained. When not given 10, or as "
            "many as make 2000 steps if that is more.",
            min=0,
            max=10_000,
            rich_help_panel=ask.TRAIN,
        ),
    ] = None
    batch_size: ask.BatchSize[int] = 64
    optimizer: ask.Optimizer[str] = "adam"
    lr: ask.LearningRate[float] = 0.001
    weight_decay: ask.WeightDecay[float] = 0.0
    schedule: ask.Schedule[str] = "cosine"
    augment: Annotated[
        ask.Augment[str],
        Help(f"Change images at random, before and after compressing alike: {', '.join(AUGMENTATIONS)}."),
    ] = "none"
    recover: Annotated[
        float | None,
        Option(
            help="Epochs of recovery after a stage that does not say. When not given 10, or as many as make 2000 "
            "steps if that is more.",
            min=0,
            max=10_000,
            rich_help_panel=_RECOVER,
        ),
    ] = None
    recover_lr: Annotated[
        float, Option(help="Learning rate of recovery.", min=0, max=1e6, rich_help_panel=_RECOVER)
    ] = 0.002
    recover_augment: Annotated[
        str,
        Option(
            help="Change images in recovery in another way than the network itself was trained with, as Hinton's "
            "student saw plain ones; --augment when not given.",
            rich_help_panel=_RECOVER,
        ),
        OneOf(("", *AUGMENTATIONS)),
    ] = ""
    temperature: Annotated[
        float, Option(help="Temperature at which the teacher speaks.", min=0.01, max=1000, rich_help_panel=_RECOVER)
    ] = 4.0
    teaching: Annotated[
        float,
        Option(
            help="Share of the teacher in the loss of recovery; 0 learns from labels alone.",
            min=0,
            max=1,
            rich_help_panel=_RECOVER,
        ),
    ] = 0.9
    inference_batch: Annotated[
        int,
        Option(
            help="How many inputs one call has when the file is used. int8:dynamic has one range for all inputs of a "
            "call, so that its accuracy is judged with calls of this size.",
            min=1,
            max=100_000,
            rich_help_panel=_WHAT,
        ),
    ] = 1
    device: ask.Device = "auto"

    question = QUESTIONS[0]

    def validate(self) -> None:
        """Check that the options fit each other.

        Raises:
            UsageError: they do not.
        """
        ask.check_model(self)
        if self.max_drop and self.target:
            raise UsageError("--max-drop and --target are two searches; give one of them.")
        if self.student and not named.is_users(self.student):
            named.check(self.student)
        self._check_student()
        if self.searching:
            for recipe in itertools.chain.from_iterable(self.recipes.values()):
                if not any(stage.searchable for stage in chains.parse(recipe)):
                    known = " or ".join(name for name, kind in KINDS.items() if kind.amount_at)
                    raise UsageError(f"there is nothing to search in {recipe!r}; give a chain with {known}.")

    def _check_student(self) -> None:
        making = [stage.kind for stage in self.stages if stage.about.makes_student]
        if making and not self.student and not all(map(named.in_catalogue, self.networks)):
            raise UsageError(f"{making[0]} needs a network to train; give --student, such as --student mlp1.")
        if self.student and not making:
            known = " or ".join(name for name, kind in KINDS.items() if kind.makes_student)
            raise UsageError(f"--student is trained by {known}; add it to --method or --chain.")

    @property
    def settled(self) -> "Spec":
        """The options, with the values that are meant by those that were left open."""
        return dataclasses.replace(self, arch=() if self.model else self.networks, preset=self.meant_preset)

    @property
    def meant_preset(self) -> str:
        return self.preset or ("" if self.method or self.chain else "deep-compression")

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks, each as `networks.named.build` reads it."""
        return (self.model,) if self.model else self.arch or ("lenet300",)

    @property
    def searching(self) -> bool:
        return bool(self.max_drop or self.target)

    def missed(self, row: Mapping[str, Any]) -> str:
        """What a search was asked for that the ``row`` at the end of a chain does not have; empty where it has all."""
        if self.target and row["ratio"] < float(self.target[:-1]):
            found, asked = _told_apart(row["ratio"], float(self.target[:-1]))
            return f"--target asked for {asked}x, and the strongest chain tried has a ratio of {found}x"
        drop = row["validation_drop"] * 100
        if self.max_drop and not drop < self.max_drop:
            found, asked = _told_apart(drop, self.max_drop)
            wanted = f"--max-drop asked for a drop under {asked} on validation data"
            unit = "" if math.isnan(drop) else ", in percentage points"
            return f"{wanted}, and that of the gentlest chain tried is {found}{unit}"
        return ""

    @functools.cached_property
    def recipes(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """The chains for every network on every data set, as `chain.text` writes them."""
        given, preset = [*self.method, *self.chain], self.meant_preset
        result = {}
        for network, data in itertools.product(self.networks, self.data):
            texts = [*given, *([PRESETS[preset].on(network, data)] if preset else [])]
            result[network, data] = tuple(dict.fromkeys(chains.text(chains.parse(text)) for text in texts))
        return result

    @property
    def stages(self) -> list[Stage]:
        """The stages of all chains."""
        return [stage for own in self.recipes.values() for recipe in own for stage in chains.parse(recipe)]

    def content(self) -> Mapping[str, str]:
        """Digests of the data sets, and of the user's own networks and weights, computed once for all cells: the keys
        of checkpoints contain them."""
        return self._content

    @functools.cached_property
    def _content(self) -> Mapping[str, str]:
        return ask.content(self) | named.user_digests([name for name in (*self.arch, self.student) if name])


def _told_apart(found: float, asked: float) -> tuple[str, str]:
    """Two numbers with three digits, or as many as it takes to tell them apart."""
    if math.isnan(found):
        return "not known", f"{asked:g}"
    digits = next((n for n in range(3, 17) if f"{found:.{n}g}" != f"{asked:.{n}g}"), 3)
    return f"{found:.{digits}g}", f"{asked:g}"
