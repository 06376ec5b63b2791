"""The options of ``check``."""

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from dnnlab.check import language
from dnnlab.check.names import HELP as FUNCTIONS
from dnnlab.errors import UsageError
from dnnlab.runner import experiment
from dnnlab.runner.options import Check, Whole

HELP = f"""Check statements that arithmetic and counting decide, with the derivation shown.

[bold]Examples[/bold]

[cyan]dnnlab check --statement "0.25^20 = 9.09e-13"[/cyan]

[cyan]dnnlab check --statement "params(resnet50) < params(resnet34)" --statement "largest_slope(tanh) = 1"[/cyan]

Arithmetic is exact. Where a function gives a rounded number, an inequality is undecided if its sides are too close to
tell, and an = holds. After = a number on the right with a point or an exponent is meant to the digits that are written.
Besides + - · / ^ and brackets there are

{"; ".join(text.replace("[", chr(92) + "[") for text in FUNCTIONS.values())}.
"""


def _check(text: str) -> None:
    language.parse(text, FUNCTIONS)


QUESTIONS = (experiment.Question("dnnlab.check", without_torch=True),)


@dataclass(frozen=True)
class Spec(experiment.Spec):
    """The options of ``check``."""

    statement: Annotated[
        tuple[str, ...],
        Option(help="Two sides and a relation: =, <, >, ≤ or ≥. May be repeated."),
        Whole(),
        Check(_check),
    ] = ()
    seed = 0
    device = "cpu"
    question = QUESTIONS[0]

    def validate(self) -> None:
        """Raise a `UsageError` where there is nothing to check."""
        if not self.statement:
            raise UsageError('nothing to check; give --statement, such as --statement "0.25^20 = 9.09e-13".')
