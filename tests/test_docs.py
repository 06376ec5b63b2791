"""What the documentation says is what the program does."""

import shlex
import tomllib
from pathlib import Path

import pytest

from dnnlab.gradient_flow.columns import CELLS, SUMMARY
from dnnlab.registry import EXPERIMENTS, find
from dnnlab.runner.options import CommandLineList, build, fields

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("columns", [CELLS, SUMMARY])
def test_every_column_is_documented(columns):
    text = (ROOT / "docs/gradient-flow.md").read_text()
    for column in columns:
        assert f"| `{column.name}` | {column.dtype.__name__} | {column.help.replace('|', chr(92) + '|')} |" in text


@pytest.mark.parametrize("recipe", sorted(ROOT.glob("experiments/*/*.toml")), ids=lambda path: path.stem)
def test_every_recipe_is_a_valid_spec(recipe):
    content = tomllib.loads(recipe.read_text())
    spec = build(find(content["experiment"]).spec.Spec, content["options"])
    assert spec.plan()


def test_the_readmes_commands_parse():
    lines = [
        line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("dnnlab gradient-flow --act")
    ]
    assert len(lines) == 4
    for line in lines:
        _, experiment, *words = shlex.split(line)
        given = {k.removeprefix("--"): CommandLineList([v]) for k, v in zip(words[::2], words[1::2], strict=True)}
        known = {f.name: f for f in fields(EXPERIMENTS[experiment].spec.Spec)}
        values = {k: v if known[k.replace("-", "_")].many else v[0] for k, v in given.items()}
        assert build(EXPERIMENTS[experiment].spec.Spec, values).plan()


def test_every_option_has_help():
    for experiment in EXPERIMENTS.values():
        assert all(field.info.help for field in fields(experiment.spec.Spec))
