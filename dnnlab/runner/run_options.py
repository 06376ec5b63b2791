"""The options of how to run and how to show: they never change a number."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from dnnlab.runner import executors
from dnnlab.runner.options import Check

FORMS = ("markdown", "latex", "csv")
"""The forms in which ``dnnlab show --format`` prints a table."""
_PANEL = "Where and how"
_LONGEST = 200


def _check_name(name: str) -> None:
    from dnnlab.errors import UsageError

    if len(name) > _LONGEST:
        raise UsageError(f"--name has {len(name)} characters; a folder's name takes {_LONGEST}.")
    if (name and not all(c.isalnum() or c in "-_.+" for c in name)) or name.startswith("."):
        raise UsageError(f"--name {name!r} becomes a folder; use letters, digits, '-', '_', '+' and '.' only.")


def _check_engine(engine: str) -> None:
    executors.parse(engine)


@dataclass(frozen=True)
class RunOptions:
    """The options of running, which the command line, recipes and Python share."""

    out: Annotated[Path, Option(help="Root folder of all runs.", rich_help_panel=_PANEL)] = Path("results")
    name: Annotated[
        str,
        Option(help="Name of the run's folder, before its key.", rich_help_panel=_PANEL),
        Check(_check_name),
    ] = ""
    fresh: Annotated[bool, Option(help="Measure anew, beside an earlier run of the same.", rich_help_panel=_PANEL)] = (
        False
    )
    large: Annotated[bool, Option(help="Measure even a plan of more than a million cells.", rich_help_panel=_PANEL)] = (
        False
    )
    engine: Annotated[
        str,
        Option(
            help="Who measures: auto, inline (this process), processes or processes:N, ray or ray:ADDRESS, submitit or "
            "submitit:PARTITION. The numbers are the same.",
            rich_help_panel=_PANEL,
        ),
        Check(_check_engine),
    ] = "auto"
    quiet: Annotated[bool, Option(help="No progress, no messages.", rich_help_panel=_PANEL)] = False


@dataclass(frozen=True)
class ShowOptions:
    """The options of showing, which the command line alone has."""

    json: Annotated[bool, Option(help="Print the summary as JSON on stdout, alone.", rich_help_panel=_PANEL)] = False
    all: Annotated[
        bool, Option(help="Print all columns of the summary, also those the screen leaves out.", rich_help_panel=_PANEL)
    ] = False
    dry_run: Annotated[
        bool,
        Option(
            help="Print the plan, its cost and about how long it takes on this machine; keep nothing.",
            rich_help_panel=_PANEL,
        ),
    ] = False
    expect: Annotated[
        str | None,
        Option(
            help="Exit 1 when a row's verdict is another: a check for your own CI. Rows that others are compared with "
            "have none.",
            rich_help_panel=_PANEL,
        ),
    ] = None
