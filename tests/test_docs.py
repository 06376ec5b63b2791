"""What the documentation says is what the program does."""

import doctest
import re
import shlex
import sys
import tomllib
from itertools import zip_longest
from pathlib import Path

import pytest

from dnnlab.cli import commands as program_commands
from dnnlab.registry import EXPERIMENTS, find
from dnnlab.runner.options import CommandLineList, build, fields
from docs import make_api, make_cli, make_columns, make_stub

ROOT = Path(__file__).parents[1]
program = program_commands()


@pytest.mark.parametrize("recipe", sorted(ROOT.glob("experiments/*/*.toml")), ids=lambda path: path.stem)
def test_every_recipe_is_a_valid_spec(recipe):
    content = tomllib.loads(recipe.read_text())
    spec = build(find(content["experiment"]).spec.Spec, content["options"])
    assert spec.plan()


DOCUMENTS = ["README.md", "experiments/README.md", *(f"docs/{path.name}" for path in sorted(ROOT.glob("docs/*.md")))]


def commands(file):
    """The commands of dnnlab in the blocks of a document, as lists of words."""
    for block in re.findall(r"^```sh\n(.*?)^```", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["dnnlab"]:
                yield words[1:]


@pytest.fixture
def modules(request, tmp_path, monkeypatch):
    """The modules that a document shows, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    text = (ROOT / request.getfixturevalue("document")).read_text(encoding="utf-8")
    for name, code in re.findall(r"^```python\n(?=# (\w+)\.py)(.*?)^```", text, re.MULTILINE | re.DOTALL):
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
        sys.modules.pop(name, None)


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.usefixtures("modules")
def test_the_options_of_every_command_in_the_documents_fit(document):
    for name, *words in commands(document):
        if name not in EXPERIMENTS:
            continue
        known = {field.option: field for field in fields(EXPERIMENTS[name].spec.Spec)}
        given = {}
        for option, value in asked(name, words):
            if field := known.get(option):
                given[field.name] = CommandLineList([value]) if field.many else value
        if "RUN" in str(given):  # a file of a run that the reader has
            continue
        assert build(EXPERIMENTS[name].spec.Spec, given).plan()


def asked(experiment, words):
    """Options with their values, True where they take none; an option that the command lacks is an error."""
    flags = {option: p.is_flag for p in program.commands[experiment].params for option in p.opts}
    words = iter(words)
    for option in words:
        yield option, True if flags[option] else next(words)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_other_command_in_the_documents_is_one(document):
    for name, *words in commands(document):
        if name in EXPERIMENTS or name == "spectrum":  # which docs/adding-an-experiment.md adds
            continue
        command, context = program.commands[name], None
        if words and words[0] in getattr(command, "commands", {}):
            command, words = command.commands[words[0]], words[1:]
        context = command.make_context(name, words)  # reads the words, and raises where they do not fit
        assert context.params


def test_first_steps_has_a_command_of_each_experiment():
    assert {name for name, *_ in commands("docs/first-steps.md")} >= set(EXPERIMENTS)


def test_every_option_has_help():
    for experiment in EXPERIMENTS.values():
        assert all(field.info.help for field in fields(experiment.spec.Spec))


def up_to_date(file, text):
    """Fails with the first line that ``make docs`` would write otherwise, not with all of them."""
    there = file.read_text(encoding="utf-8").splitlines(keepends=True) if file.exists() else []
    for number, (one, other) in enumerate(zip_longest(there, text.splitlines(keepends=True)), start=1):
        if one != other:
            pytest.fail(
                f"line {number} of {file.relative_to(ROOT)} is not what the program says; run `make docs`\n"
                f"there:   {one!r}\nprogram: {other!r}",
                pytrace=False,
            )


def test_the_reference_of_the_command_line_is_the_programs():
    up_to_date(make_cli.FILE, make_cli.reference())


def test_what_editors_know_is_what_the_program_takes():
    up_to_date(make_stub.FILE, make_stub.stub())


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=list(EXPERIMENTS))
def test_the_pages_of_columns_are_the_programs(experiment):
    up_to_date(make_columns.FOLDER / f"{experiment.name}.md", make_columns.page(experiment))


def test_there_are_no_other_pages_of_columns():
    left = {path.stem for path in make_columns.FOLDER.glob("*.md")} - set(EXPERIMENTS)
    assert not left, "a page of columns belongs to no experiment; run `make docs`"


def test_the_reference_of_python_is_what_the_docstrings_say():
    up_to_date(make_api.FILE, make_api.reference())


@pytest.mark.parametrize("offer", [pytest.param(o, id=f"{o.package}.{o.name}") for o in make_api.offers()])
def test_every_public_name_has_an_example_that_runs(offer, short_timings, capsys):
    assert offer.examples.examples, f"the docstring of {offer.name} needs an example: >>> ..."
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    failed, _ = runner.run(offer.examples)
    assert not failed, capsys.readouterr().out


def test_every_page_of_the_docs_is_linked_from_another():
    """What ``make docs`` writes into ``docs/columns`` links back, and does not count."""
    docs = ROOT / "docs"
    linked = {
        (file.parent / target).resolve()
        for file in (ROOT / "README.md", ROOT / "ARCHITECTURE.md", *docs.glob("*.md"))
        for target in re.findall(r"\]\(([\w./-]+\.md)(?:#[\w-]*)?\)", file.read_text(encoding="utf-8"))
        if (file.parent / target).resolve() != file.resolve()
    }
    alone = sorted(str(page) for page in docs.resolve().rglob("*.md") if page not in linked)
    assert not alone, "no page links to these"
