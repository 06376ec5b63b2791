"""The commands on runs that have been measured."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dnnlab.completion import offers
from dnnlab.errors import UsageError, counted, unknown
from dnnlab.registry import find
from dnnlab.runner.run_options import FORMS
from dnnlab.runner.streams import others_on_stderr
from dnnlab.terminal import say, tell

if TYPE_CHECKING:
    from dnnlab.runner.result import Run

Out = Annotated[Path, typer.Option("--out", help="Root folder of all runs.", autocompletion=offers.any_path)]
DEFAULT_OUT = Path("results")


def show(run: "Run", as_json: bool, quiet: bool, everything: bool) -> None:
    """Print the table, which does not wait for figures and page, then where those are."""
    try:
        if as_json:
            tell(run.to_json())
        else:
            run.show(everything)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # the reader, such as head, has seen enough; Rich makes it a SystemExit
        run.draw()
        raise
    with others_on_stderr():
        run.draw()
    if not as_json:
        for path in (*run.figures, run.page):
            say(f"{'page' if path == run.page else 'figure'}: {path}", quiet)
    if run.failed:
        say(f"dnnlab: {run.failure}")


def show_tables(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="A run's folder, or part of its name; of several that fit, the newest.",
            autocompletion=offers.runs,
        ),
    ],
    out: Out = DEFAULT_OUT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Print all columns of the summary, also those the screen leaves out.")
    ] = False,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORM",
            help=f"Print the table alone, as {', '.join(FORMS[:-1])} or {FORMS[-1]}.",
            autocompletion=offers.forms,
        ),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one HTML page with all of these runs to this file.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show a run that is being measured until it is finished.")
    ] = False,
) -> None:
    if form is not None and form not in FORMS:
        raise unknown("format", form, FORMS)
    if as_json and len(runs) > 1:
        raise UsageError("--json prints one run; name one.")
    if form and (as_json or everything):
        raise UsageError("--format prints a table of its own kind; give it without --json and --all.")
    if follow and (form or as_json):
        raise UsageError("--follow shows a run to people; give it without --json and --format.")
    if page is not None and (form or as_json or follow):
        raise UsageError("--page writes a page for people; give it without --json, --format and --follow.")
    if page is not None and (page.is_dir() or page.suffix != ".html"):
        raise UsageError(f"--page {page} must be a file whose name ends in .html.")
    if follow:
        _follow(runs, out)
    opened_runs = [_open(run, out, newest=True) for run in runs]
    for number, opened in enumerate(opened_runs):
        if number:
            tell("")
        if form:
            tell(opened.written(form))
            with others_on_stderr():
                opened.draw()
        else:
            show(opened, as_json, quiet=False, everything=everything)
    if page is not None:
        from dnnlab.runner.page import write_together

        page.parent.mkdir(parents=True, exist_ok=True)
        with others_on_stderr():
            write_together(page, opened_runs)
        say(f"page of {counted(len(opened_runs), 'run')}: {page}")


def _follow(runs: list[str], out: Path) -> None:
    from dnnlab.runner import following, reopening, store

    if len(runs) > 1:
        raise UsageError("--follow follows one run; name one.")
    folder = store.find(runs[0], out, newest=True)
    following.follow(find(reopening.experiment_of(folder)), folder)


def open_page(
    run: Annotated[
        str,
        typer.Argument(
            help="A run's folder, or part of its name; of several that fit, the newest.", autocompletion=offers.runs
        ),
    ],
    out: Out = DEFAULT_OUT,
) -> None:
    import webbrowser

    opened = _open(run, out, newest=True)
    with others_on_stderr():
        opened.draw()
    if not webbrowser.open(opened.page.absolute().as_uri()):
        say("no browser was found here; open the page yourself:")
    tell(opened.page)


def _open(text: str, out: Path, newest: bool = False) -> "Run":
    from dnnlab.runner import reopening, store

    folder = store.find(text, out, newest)
    with others_on_stderr():
        return reopening.reopen(find(reopening.experiment_of(folder)), folder)


def list_runs(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN]...", help="With --rm: the runs to remove.", autocompletion=offers.runs),
    ] = None,
    out: Out = DEFAULT_OUT,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OPTION=VALUE",
            help="Only runs with this value of an option, of experiment, state or verdict; may be repeated.",
        ),
    ] = None,
    rm: Annotated[bool, typer.Option("--rm", help="Remove the runs that are named, after showing their size.")] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Remove checkpoints that no run starts from, decoded data in your cache, and what kills left.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
) -> None:
    from dnnlab.runner import listing, removal

    if bool(names) != rm:
        raise UsageError("runs are named to remove them: dnnlab runs --rm RUN; without --rm all runs are listed.")
    if where and (rm or prune):
        raise UsageError("--where chooses what is listed; runs are removed by their names: dnnlab runs --rm RUN.")
    if not (rm or prune):
        listing.show_runs(out, where or ())
        return
    items = [*removal.runs(names or [], out), *(removal.leftovers(out) if prune else [])]
    removal.remove(items, yes)


def diff_runs(
    before: Annotated[str, typer.Argument(help="A run.", autocompletion=offers.runs)],
    after: Annotated[str, typer.Argument(help="Another run of the same experiment.", autocompletion=offers.runs)],
    out: Out = DEFAULT_OUT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    from dnnlab.runner.diff import compare, show_diff

    left, right = _open(before, out), _open(after, out)
    with others_on_stderr():
        left.draw()
        right.draw()
    if left.experiment.name != right.experiment.name:
        raise UsageError(
            f"{before} is a {left.experiment.name} run and {after} a {right.experiment.name} run; give two of one kind."
        )
    show_diff(compare(left, right), as_json)


# Help is given as such, never as a docstring: python -OO has none.
_COMMANDS: dict[str, tuple[Callable[..., None], str]] = {
    "show": (
        show_tables,
        "Show a run again; tables, figures and page that are missing or were changed are made again from its journal.",
    ),
    "open": (
        open_page,
        "Open the page of a run in the browser.",
    ),
    "runs": (
        list_runs,
        "List all runs, the newest first, with their verdicts; or remove some, and what no run needs any more.",
    ),
    "diff": (
        diff_runs,
        "Compare two runs: which rows moved, with intervals, corrected for their number.",
    ),
}


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    for name, (command, about) in _COMMANDS.items():
        app.command(name, help=about, rich_help_panel="Runs")(command)
