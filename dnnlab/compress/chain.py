"""Chains of stages, as a user writes them: ``prune:0.95 > share:5bit > code``.

Importing this module imports nothing heavy.
"""

import dataclasses
import re
from collections.abc import Sequence

from dnnlab.compress.stages import DENSE, KINDS, Stage
from dnnlab.errors import UsageError, unknown


def parse(text: str) -> tuple[Stage, ...]:
    """Read a chain: stages with ``>`` between them, each ``NAME[:ARGUMENT…][@EPOCHS]``.

    Raises:
        UsageError: a stage is not known, says what it cannot, or follows what it cannot follow.
    """
    stages = tuple(_stage(part.strip(), text) for part in text.split(">"))
    for place, stage in enumerate(stages):
        before = form(stages[:place])
        if before not in stage.about.after:
            raise UsageError(f"chain {text!r}: {stage.kind} cannot follow what leaves a network {before}.")
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
    if refusal := _refusal(stage):
        raise UsageError(f"chain {chain!r}: {refusal}")
    return stage


def _epochs(text: str, chain: str) -> float:
    try:
        epochs = float(text)
    except ValueError:
        epochs = float("nan")
    if not 0 <= epochs <= 10_000:
        raise UsageError(f"chain {chain!r}: @{text} must be a number of epochs, such as @5.")
    return epochs


def _refusal(stage: Stage) -> str:
    """Why ``stage`` makes no sense, as one sentence; empty where it does."""
    if stage.epochs is not None and not stage.trains:
        return f"{stage.kind} does not train, so it takes no @EPOCHS."
    if refusal := stage.about.refusal(stage):
        return refusal
    if stage.factor <= 1:
        return f"{stage.kind}:{stage.amount} makes nothing smaller; take more than 1x."
    return f"{stage.kind}:{stage.amount} does nothing; take a share above 0." if stage.share == 0 else ""


def text(stages: Sequence[Stage]) -> str:
    """The chain as `parse` reads it, without the words that are defaults."""
    return " > ".join(map(str, stages))


def forms(stages: Sequence[Stage]) -> tuple[str, ...]:
    """The forms that a network goes through, from its own to the form after the last of ``stages``."""
    return (DENSE, *(stage.about.gives for stage in stages if stage.about.gives))


def form(stages: Sequence[Stage]) -> str:
    """The form of a network after ``stages``."""
    return forms(stages)[-1]


def at_strength(stages: Sequence[Stage], strength: float) -> tuple[Stage, ...]:
    """The chain with every amount that a search can change set by ``strength``, from 0 (weak) to 1 (strong)."""
    return tuple(
        dataclasses.replace(stage, amount=stage.about.amount_at(strength))
        if stage.searchable and stage.about.amount_at
        else stage
        for stage in stages
    )
