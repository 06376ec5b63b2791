"""The command line: dispatches, and imports nothing heavy before something must be computed."""

import functools
import inspect
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.main

import dnnlab
from dnnlab import cli_runs
from dnnlab.completion import offers, shells
from dnnlab.errors import UsageError, are, unknown
from dnnlab.registry import EXPERIMENTS, find
from dnnlab.runner.options import CommandLineList, build, command_signature, fields, only
from dnnlab.runner.recipe import PROFILES
from dnnlab.runner.run_options import RunOptions, ShowOptions
from dnnlab.runner.streams import others_on_stderr
from dnnlab.terminal import say, tell

if TYPE_CHECKING:
    from dnnlab.runner.experiment import Experiment

app = typer.Typer(
    name="dnnlab",
    rich_markup_mode="rich",
    add_completion=False,  # the options are below
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A lecture on deep networks as experiments: measured, beside theory, on your own networks too.",
)
_data = typer.Typer(help="What data there are, and how to get more.", invoke_without_command=True)
app.add_typer(_data, name="data", rich_help_panel="Data")

_RECIPES = "Recipes"
_Profile = Annotated[
    str,
    typer.Option(
        "--profile",
        help=f"The recipe's table of options: {' or '.join(PROFILES)}.",
        autocompletion=offers.profiles,
    ),
]


def _version(value: bool) -> None:
    if value:
        tell(f"dnnlab {dnnlab.__version__}")
        raise typer.Exit


def _install_completion(value: bool) -> None:
    if value:
        shell = shells.shell_of("--install-completion")
        tell(f"{shell} completion installed in {shells.install(shell)}; it begins when a new shell is started.")
        raise typer.Exit


def _show_completion(value: bool) -> None:
    if value:
        tell(shells.SCRIPTS[shells.shell_of("--show-completion")])
        raise typer.Exit


@app.callback(no_args_is_help=True, invoke_without_command=True)
def _main(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    install_completion: Annotated[
        bool,
        typer.Option(
            "--install-completion",
            callback=_install_completion,
            is_eager=True,
            help="Install completion for the current shell.",
        ),
    ] = False,
    show_completion: Annotated[
        bool,
        typer.Option(
            "--show-completion",
            callback=_show_completion,
            is_eager=True,
            help="Show completion for the current shell, to copy it or customize the installation.",
        ),
    ] = False,
) -> None:
    pass


def _experiment_command(experiment: "Experiment") -> Callable[..., None]:
    def command(**options: Any) -> None:
        given = {name: CommandLineList(v) if isinstance(v, list) else v for name, v in options.items()}
        _run(experiment, given)

    signature = command_signature(
        experiment.spec.Spec, RunOptions, ShowOptions, more=experiment.goes_with, offers=offers.OFFERS
    )
    command.__signature__ = signature  # type: ignore[attr-defined]
    return command


def _in_lines(text: str) -> str:
    """``text`` with each paragraph on one line, for a terminal of any width to break."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


# Help is given as such, never as a docstring: python -OO has none.
for _experiment in EXPERIMENTS.values():
    app.command(_experiment.name, help=_in_lines(_experiment.spec.HELP), rich_help_panel="Experiments")(
        _experiment_command(_experiment)
    )


def _run(experiment: "Experiment", options: dict[str, Any], called: str = "") -> None:
    """Measure or plan what the options say, show it, and exit with the code that the outcome has. A new run without a
    name is ``called`` so."""
    how, show = only(RunOptions, options), only(ShowOptions, options)
    spec = build(experiment.spec.Spec, {k: v for k, v in options.items() if k not in how and k not in show})
    to_run, to_show = build(RunOptions, how), build(ShowOptions, show)
    if experiment.catalogue is not None and experiment.catalogue.is_requested(spec):
        experiment.catalogue.show(to_show.json)
        return
    known = spec.question.schema.tones
    if to_show.expect is not None and to_show.expect not in known:
        raise unknown("verdict for --expect", to_show.expect, known)
    if to_show.dry_run:
        from dnnlab.runner.dry import foresee

        with others_on_stderr():
            outlook = foresee(experiment, spec, to_run, called)
        tell(outlook.to_json() if to_show.json else outlook)
        return
    from dnnlab.runner.run import tabulate

    with others_on_stderr():
        run = tabulate(experiment, spec, to_run, shlex.join(["dnnlab", *sys.argv[1:]]), called)
    cli_runs.show(run, to_show.json, to_run.quiet, to_show.all)
    judged = [v for v in run.summary[run.schema.verdict] if v == to_show.expect or v not in run.schema.references]
    others = [verdict for verdict in judged if to_show.expect is not None and verdict != to_show.expect]
    missed = to_show.expect is not None and (others or not judged)
    if missed:
        many = (
            f"{len(others)} of {len(judged)} rows {are(len(others))} not {to_show.expect}"
            if judged
            else "no row has a verdict"
        )
        say(f"dnnlab: {many}.")
    if missed or run.failed:
        raise typer.Exit(1)


_HOW = command_signature(RunOptions, ShowOptions, offers=offers.OFFERS).parameters.values()


def _recipe_command() -> Callable[..., None]:
    def command(recipe: Path, profile: str, **how: Any) -> None:
        _check_profile(profile)
        _run_recipe(recipe, profile, how)

    argument = Annotated[
        Path,
        typer.Argument(help="A TOML file: experiment = NAME, and a table \\[options].", autocompletion=offers.recipes),
    ]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    arguments = [
        inspect.Parameter("recipe", kind, annotation=argument),
        inspect.Parameter("profile", kind, annotation=_Profile, default="quick"),
    ]
    command.__signature__ = inspect.Signature([*arguments, *_HOW])  # type: ignore[attr-defined]
    return command


def _run_recipe(recipe: Path, profile: str, how: dict[str, Any]) -> None:
    """Run the ``recipe``, which may be one of the lecture's; what is not a default in ``how`` wins over it."""
    from dnnlab.reproduce import shipped
    from dnnlab.runner import recipe as recipes
    from dnnlab.runner import store

    defaults = {field.name: field.default for cls in (RunOptions, ShowOptions) for field in fields(cls)}
    content = recipes.read(shipped.found(recipe))
    given = {name: value for name, value in how.items() if str(value) != str(defaults[name])}
    with recipes.located(content):
        _run(find(content.experiment), content.options_for(profile) | given, store.called(recipe))


def _demo_command() -> Callable[..., None]:
    def command(**how: Any) -> None:
        from dnnlab.reproduce import shipped

        _run_recipe(shipped.folder() / shipped.DEMO, "quick", how)

    command.__signature__ = inspect.Signature([*_HOW])  # type: ignore[attr-defined]
    return command


def _check_profile(profile: str) -> None:
    if profile not in PROFILES:
        raise unknown("profile", profile, PROFILES)


app.command(
    "demo",
    help="Gradients through 20 sigmoid layers on real handwritten digits, and what cures them: the lecture's recipe "
    "experiments/1-deep-networks/demo.toml, which comes with dnnlab.\n\n"
    "Example: [cyan]dnnlab demo --out first-results[/cyan]",
    rich_help_panel=_RECIPES,
)(_demo_command())
app.command(
    "run",
    help="Run a recipe, such as one that dnnlab init writes, or the spec.toml in the folder of any run. Options given "
    "here win over the recipe's. dnnlab reproduce decides the claim in it, too.",
    rich_help_panel=_RECIPES,
)(_recipe_command())


@app.command(
    "reproduce",
    help="Decide the lecture's claims: run every recipe, skip what is finished, and write the ledger and its page.",
    rich_help_panel=_RECIPES,
)
def reproduce_claims(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Recipes, or folders of them; all of the lecture's when none is named.", autocompletion=offers.recipes
        ),
    ] = None,
    profile: _Profile = "quick",
    seed: Annotated[
        int | None, typer.Option(help="Other seeds than the recipes' own, which are made of what they ask.", min=0)
    ] = None,
    out: cli_runs.Out = cli_runs.DEFAULT_OUT,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be run; run nothing.")] = False,
    published: Annotated[
        bool,
        typer.Option("--published", help="Show the verdicts that came with dnnlab, measured elsewhere; run nothing."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the ledger as JSON on stdout, alone.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no messages.")] = False,
) -> None:
    from dnnlab.reproduce import command
    from dnnlab.reproduce.columns import FAILED

    _check_profile(profile)
    if published:
        if dry_run or seed is not None or out != cli_runs.DEFAULT_OUT:
            raise UsageError(
                "--published runs nothing: --dry-run, --seed and --out mean nothing with it; leave them out."
            )
        command.display(*command.published(paths or [], profile, quiet), as_json, quiet)
        return
    if dry_run:
        command.foresee(paths or [], profile, seed, out)
        return
    rows, page = command.reproduce(paths or [], profile, seed, out, quiet)
    command.display(rows, page, as_json, quiet)
    if any(row["verdict"] == FAILED for row in rows):
        raise typer.Exit(1)


@app.command("init", help="Write a commented recipe to start from.", rich_help_panel=_RECIPES)
def write_recipe(
    path: Annotated[Path, typer.Argument(help="The file to write.", autocompletion=offers.any_path)] = Path(
        "my-recipe.toml"
    ),
) -> None:
    from dnnlab.reproduce.template import write

    write(path)
    named = shlex.quote(str(path))
    tell(f"{path}: edit it, then dnnlab run {named}, or dnnlab reproduce {named} for its verdict")


cli_runs.add_to(app)


@app.command(
    "decompress",
    help="Write the state dict in a .dnnz container as .safetensors, exactly, and list what each layer takes.",
    rich_help_panel="Data",
)
def decompress_file(
    file: Annotated[
        Path,
        typer.Argument(help="A container that dnnlab compress wrote: FILE.dnnz.", autocompletion=offers.containers),
    ],
    to: Annotated[
        Path | None,
        typer.Option(help="Where to write; FILE.safetensors when not given.", autocompletion=offers.any_path),
    ] = None,
) -> None:
    from dnnlab.compress.unpack import unpack

    unpack(file, to)


@_data.callback()
def list_data(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        from dnnlab.runner.listing import show_data

        show_data()


@_data.command("get", help="Download a data set, checked against its published checksums.")
def get_data(
    name: Annotated[str, typer.Argument(help="mnist, fashion-mnist or cifar10.", autocompletion=offers.downloads)],
    mirror: Annotated[str | None, typer.Option(help="Another address that serves the same files.")] = None,
) -> None:
    from dnnlab.data.download import download

    tell(download(name, mirror=mirror))


@functools.cache
def commands() -> Any:
    """The Click command that ``app`` describes. Making it takes a tenth of a second."""
    return typer.main.get_command(app)
