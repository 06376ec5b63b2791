"""``dnnlab.gradient_flow(…)``: the same run as the command's and the recipe's."""

import inspect
import json
import pydoc
from collections.abc import Sequence
from html import escape

import pandas as pd
import pytest

import dnnlab as package
from dnnlab.dead_relu.spec import Spec
from dnnlab.errors import UsageError
from dnnlab.gradient_flow.columns import CELLS, SUMMARY
from dnnlab.runner.options import fields
from dnnlab.runner.run_options import RunOptions

OPTIONS = {"act": "sigmoid", "depth": 5, "width": 8, "seeds": 3}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return package.gradient_flow(**OPTIONS, out=tmp_path_factory.mktemp("out"), quiet=True)


def test_it_gives_tables_and_figures(run):
    assert list(run.summary.columns) == [column.name for column in SUMMARY]
    assert list(run.cells.columns) == [column.name for column in CELLS]
    assert run.summary[["act", "depth", "width", "seeds", "verdict"]].values.tolist() == [
        ["sigmoid", 5, 8, 3, "vanishing"]
    ]
    assert (run.cells["remedy"] == "").sum() == 3 * (5 + 2)
    assert run.figures
    assert all(figure.with_suffix(".png").exists() for figure in run.figures)
    assert run.page.exists()
    assert run.failed == 0


def test_it_shows_itself_in_a_notebook_and_a_terminal(run):
    html = run._repr_html_()
    assert "<table" in html
    assert html.count("data:image/png;base64,") == len(run.figures)
    assert run.__rich__().row_count == 1
    head, *sentences = repr(run).splitlines()
    assert head == f"<{run.title}: 1 rows in {run.path}>"
    assert sentences
    assert all(f"<p>{escape(sentence)}</p>" in html for sentence in sentences)


def test_called_again_it_measures_nothing(run):
    journal = (run.path / "journal.jsonl").read_bytes()
    again = package.gradient_flow(**OPTIONS, out=run.path.parents[1], quiet=True)
    assert again.path == run.path
    assert (run.path / "journal.jsonl").read_bytes() == journal
    pd.testing.assert_frame_equal(again.summary, run.summary)


def test_quiet_says_nothing_and_otherwise_it_speaks_on_stderr(run, capsys):
    out = run.path.parents[1]
    package.gradient_flow(**OPTIONS, out=out, quiet=True)
    assert capsys.readouterr() == ("", "")
    package.gradient_flow(**OPTIONS, out=out)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "finished on" in captured.err


def test_recipe_and_command_lead_to_the_same_folder(run, dnnlab, tmp_path):
    out = run.path.parents[1]
    recipe = tmp_path / "r.toml"
    recipe.write_text('experiment = "gradient-flow"\n[options]\nact = ["sigmoid"]\ndepth = 5\nwidth = 8\nseeds = 3\n')
    typed = [text for name, value in OPTIONS.items() for text in (f"--{name}", value)]
    for arguments in (["run", recipe], ["run", run.path / "spec.toml"], ["gradient-flow", *typed]):
        done = dnnlab(*arguments, "--json", "--quiet", "--out", out)
        assert done.err == ""
        assert json.loads(done.out)["run"] == str(run.path)


def test_a_recipe_may_say_where_and_the_command_line_wins(run, dnnlab, tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        'experiment = "gradient-flow"\n[options]\nact = "sigmoid"\ndepth = 5\nwidth = 8\nseeds = 3\n'
        'out = "in-the-recipe"\ndry-run = true\n'
    )
    assert "in-the-recipe" in dnnlab("run", recipe).out
    assert str(tmp_path / "typed") in dnnlab("run", recipe, "--out", tmp_path / "typed").out


@pytest.mark.parametrize("options", [{"dept": 5}, {"depth": 1}, {"depth": None}, {"act": ["relu", 3]}, {"quiet": "no"}])
def test_what_is_wrong_raises(options, tmp_path):
    with pytest.raises(UsageError) as caught:
        package.gradient_flow(**{"out": tmp_path} | options)
    assert isinstance(caught.value, ValueError)  # for those who do not know our errors
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_experiment_is_an_attribute_error():
    with pytest.raises(AttributeError, match="gradient_flo"):
        _ = package.gradient_flo


def test_the_catalogue_is_the_command_lines():
    with pytest.raises(UsageError, match="dnnlab compare-arch --list"):
        package.compare_arch(list=True)


def test_an_object_in_the_place_of_its_import_path_says_what_would_be_right():
    with pytest.raises(UsageError, match=r"--model is given by its import path, such as '.*test_python_call:Net'"):
        package.gradient_flow(model=Net)


class Net:
    """Any callable."""


def test_help_and_signature_have_every_option_with_its_text():
    text = pydoc.render_doc(package.dead_relu, renderer=pydoc.plaintext)
    parameters = inspect.signature(package.dead_relu).parameters
    for field in (*fields(Spec), *fields(RunOptions)):
        assert f"\n    {field.name}: {field.info.help.split()[0]}" in text
        assert parameters[field.name].default == field.default
    assert "[bold]" not in text
    assert parameters["lr"].annotation == float | Sequence[float]
    assert parameters["steps"].annotation == int | None


def test_the_package_shows_its_experiments_and_create_model_alone():
    assert dir(package) == sorted(
        ["gradient_flow", "dead_relu", "compare_arch", "compress", "nas", "check", "create_model"]
    )


def test_a_wrong_option_is_one_short_error():
    with pytest.raises(UsageError, match="did you mean depth") as caught:
        package.gradient_flow(dept=3)
    assert len(caught.traceback) == 2  # this line, and the call itself
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
