"""What the documentation says is what the program does."""

import doctest
import shlex
import tomllib
from pathlib import Path

import pytest

from dnnlab.registry import EXPERIMENTS, find
from dnnlab.runner.options import CommandLineList, build, fields
from docs import make_api
from docs.make_cli import reference
from docs.make_stub import stub

ROOT = Path(__file__).parents[1]


def tables():
    for experiment in EXPERIMENTS.values():
        for question in experiment.spec.QUESTIONS:
            schema = question.schema
            for name, columns in (("summary", schema.summary), ("cells", schema.cells)):
                yield pytest.param(experiment.name, columns, id=f"{experiment.name}{question.asked_by}-{name}")


@pytest.mark.parametrize(("experiment", "columns"), list(tables()))
def test_every_column_is_documented(experiment, columns):
    text = (ROOT / f"docs/{experiment}.md").read_text()
    for column in columns:
        assert f"| `{column.name}` | {column.dtype.__name__} | {column.help.replace('|', chr(92) + '|')} |" in text


@pytest.mark.parametrize("recipe", sorted(ROOT.glob("experiments/*/*.toml")), ids=lambda path: path.stem)
def test_every_recipe_is_a_valid_spec(recipe):
    content = tomllib.loads(recipe.read_text())
    spec = build(find(content["experiment"]).spec.Spec, content["options"])
    assert spec.plan()


def commands(file):
    """The experiments' commands in a document, as lists of words."""
    for line in (ROOT / file).read_text().splitlines():
        words = shlex.split(line) if line.startswith("dnnlab ") else []
        if len(words) > 1 and words[1] in EXPERIMENTS:
            yield words[1:]


def test_the_readmes_commands_parse():
    found = list(commands("README.md"))
    assert {experiment for experiment, *_ in found} == set(EXPERIMENTS)
    for experiment, *words in found:
        known = {f.option: f for f in fields(EXPERIMENTS[experiment].spec.Spec)}
        given = {}
        while words:
            field = known[words.pop(0)]
            value = True if field.kind is bool else words.pop(0)
            given[field.name] = CommandLineList([value]) if field.many else value
        spec = build(EXPERIMENTS[experiment].spec.Spec, given)
        assert spec.plan()


def test_every_option_has_help():
    for experiment in EXPERIMENTS.values():
        assert all(field.info.help for field in fields(experiment.spec.Spec))


def test_the_reference_of_the_command_line_is_the_programs():
    """``make docs`` writes it."""
    assert (ROOT / "docs/cli.md").read_text() == reference()


def test_what_editors_know_is_what_the_program_takes():
    """``make docs`` writes it."""
    assert (ROOT / "dnnlab/__init__.pyi").read_text() == stub()


def test_the_reference_of_python_is_what_the_docstrings_say():
    assert make_api.FILE.read_text() == make_api.reference(), (
        "docs/api.md is not what the docstrings say; run: make docs"
    )


@pytest.mark.parametrize("offer", [pytest.param(o, id=f"{o.package}.{o.name}") for o in make_api.offers()])
def test_every_public_name_has_an_example_that_runs(offer, short_timings, capsys):
    assert offer.examples.examples, f"the docstring of {offer.name} needs an example: >>> ..."
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    failed, _ = runner.run(offer.examples)
    assert not failed, capsys.readouterr().out


def test_every_page_of_the_docs_is_linked_from_another():
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    texts = [(ROOT / "README.md").read_text(), *((ROOT / "docs" / page).read_text() for page in pages)]
    assert not {page for page in pages if not any(f"{page})" in text for text in texts)}
