"""What Tab is answered: names that the options take, fast to come by, and nothing else whatever goes wrong."""

import sys

import pytest

from dnnlab.cli import commands
from dnnlab.completion import answer, offers
from dnnlab.completion.answer import NONE, SHELL, VARIABLE
from dnnlab.completion.words import Word, quoted, split
from dnnlab.errors import UsageError
from dnnlab.networks.members import MEMBERS
from dnnlab.registry import EXPERIMENTS
from dnnlab.runner.options import OneOf, build, fields
from dnnlab.runner.run_options import RunOptions, ShowOptions

NAMELESS = {"model", "name", "statement", "target"}
"""Options whose values are text that nobody can know."""
OPTIONS = [(name, field) for name, e in EXPERIMENTS.items() for field in fields(e.spec.Spec)]
TEXTS = [(name, field) for name, field in OPTIONS if field.kind is str and field.name not in NAMELESS]


def test_each_option_of_text_is_completed():
    known = {field.name for _, field in OPTIONS} | {
        field.name for c in (RunOptions, ShowOptions) for field in fields(c)
    }
    assert set(offers.OFFERS) <= known
    for _, field in [*TEXTS, *(("", field) for c in (RunOptions, ShowOptions) for field in fields(c))]:
        named = any(isinstance(check, OneOf) for check in field.checks)
        assert named or field.name in offers.OFFERS or field.kind is not str or field.name in NAMELESS, field.name


def candidates(before, typed):
    return answer.candidates(commands(), before, typed)


@pytest.mark.parametrize(("experiment", "field"), TEXTS, ids=lambda value: getattr(value, "name", value))
def test_what_is_offered_is_what_the_option_takes(experiment, field, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = [c for c in candidates([experiment, field.option], "") if not c.endswith((":", "=", "/"))]
    files = field.name in ("weights", "table", "prune_dead")
    assert whole or files or field.name == "budget"
    for name in whole:
        for check in field.checks:
            check.test(name, field.option) if isinstance(check, OneOf) else check.test(name)


def test_the_catalogue_and_the_options_of_each_family():
    assert candidates(["compare-arch", "--arch"], "") == list(MEMBERS)
    for name in MEMBERS:
        for option in candidates(["compare-arch", "--arch"], f"{name}:"):
            for value in candidates(["compare-arch", "--arch"], option):
                build(EXPERIMENTS["compare-arch"].spec.Spec, {"arch": value, "cost_only": True})


@pytest.mark.parametrize(
    ("before", "typed", "expected"),
    [
        (["gradient-flow", "--act"], "relu,si", ["relu,sigmoid"]),
        (["gradient-flow", "--quiet"], "--opt", ["--optimizer"]),
        (["gradient-flow", "--act", "relu"], "--norm=n", ["--norm=none"]),
        (["compare-arch", "--arch"], "resnet20:act=gelu,norm=l", ["resnet20:act=gelu,norm=layer"]),
        (["compare-arch", "--arch"], "mlp1,resnet20:stem=s", ["mlp1,resnet20:stem=small"]),
        (["compress", "--chain"], "prune:0.9 > sha", ["prune:0.9 > share"]),
        (["nas", "--strategy"], "random,proxy:syn", ["random,proxy:synflow"]),
        (["data"], "", ["get"]),
        (["dead-relu", "--data"], "digits,gaussian:3x224", ["digits,gaussian:3x224x224"]),
        (["dead-relu", "--data"], "tok", ["tokens:"]),
        (["dead-relu", "--data"], "gaussian:3x32x32:cl", ["gaussian:3x32x32:classes="]),
        (["dead-relu", "--data"], "tokens:50x12:classes=2,ex", ["tokens:50x12:classes=2,examples="]),
        (["gradient-flow", "--arch"], "vgg11,resnet18", ["vgg11,resnet18"]),
        (["compare-arch", "--input"], "3x22", ["3x224x224"]),
        (["data", "get"], "", ["mnist", "fashion-mnist", "cifar10"]),
        (["runs", "--"], "--o", []),
        (["show", "a"], "b", []),
    ],
)
def test_words(before, typed, expected):
    assert candidates(before, typed) == expected


def test_verdicts_of_every_question():
    for name, experiment in EXPERIMENTS.items():
        verdicts = {v for question in experiment.spec.QUESTIONS for v in question.schema.tones}
        assert set(candidates([name, "--expect"], "")) == verdicts


def test_verdicts_of_a_recipe(tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('experiment = "dead-relu"\n')
    assert candidates(["run", str(recipe), "--expect"], "") == candidates(["dead-relu", "--expect"], "")


def test_the_second_run_of_a_comparison_is_of_the_experiment_of_the_first(tmp_path):
    for name in ("gradient-flow/a-1", "gradient-flow/b-2", "nas/c-3"):
        folder = tmp_path / "here" / name
        folder.mkdir(parents=True)
        (folder / "journal.jsonl").write_text("")
    words = ["diff", "--out", str(tmp_path / "here")]
    assert set(candidates(words, "")) == {"a-1", "b-2", "c-3"}
    assert set(candidates([*words, "a-1"], "")) == {"a-1", "b-2"}
    assert set(candidates([*words, "a-1"], "gradient-flow/")) == {"gradient-flow/a-1", "gradient-flow/b-2"}


@pytest.fixture
def tab(dnnlab, monkeypatch):
    def press(line):
        monkeypatch.setenv(VARIABLE, "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        return dnnlab()

    return press


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("dnnlab show --out a_file x", NONE),
        ("dnnlab run missing.toml --expect ", NONE),
        ("dnnlab gradient-flow --data csv:bad.csv:", NONE),
        ("dnnlab nonsense ", NONE),
        ("dnnlab show --out $HOME/x", SHELL),
        ("dnnlab gradient-flow --act xyz", NONE),
    ],
)
def test_nothing_is_printed_where_nothing_is_known(tab, line, code, tmp_path):
    (tmp_path / "a_file").write_text("")
    (tmp_path / "bad.csv").write_bytes(b"\xff,\n")
    done = tab(line)
    assert (done.code, done.out, done.err) == (code, "", "")


def test_nothing_is_printed_even_where_the_program_is_broken(tab, monkeypatch):
    monkeypatch.setitem(sys.modules, "dnnlab.cli", None)
    done = tab("dnnlab ")
    assert (done.code, done.out, done.err) == (NONE, "", "")


def test_names_that_would_steer_the_terminal_are_left_out(tab, tmp_path):
    for name in ("fine", "not\x1b[31m", "nor\nthis"):
        folder = tmp_path / "results" / "nas" / name
        folder.mkdir(parents=True)
        (folder / "journal.jsonl").write_text("")
    assert tab("dnnlab show ").out == "fine\n"


def test_an_unknown_command_is_refused():
    with pytest.raises(UsageError, match="unknown command"):
        candidates(["nonsense"], "")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", [Word("")]),
        ("a b", [Word("a"), Word("b")]),
        ("a ", [Word("a"), Word("")]),
        ("a '' ", [Word("a"), Word(""), Word("")]),
        ("it\\'s", [Word("it's")]),
        ("'a b", [Word("a b", "'")]),
        ('"a\\"b\\c', [Word('a"b\\c', '"')]),
        ("x'a b'y", [Word("xa by")]),
        ("$HOME '$x'", [Word("$HOME", "", True), Word("$x")]),
        ("~/x x~ '~'", [Word("~/x", "", True), Word("x~"), Word("~")]),
    ],
)
def test_lines_are_read_as_the_shell_reads_them(line, words):
    assert split(line) == words


@pytest.mark.parametrize("text", ["it's", 'a "b" $c `d`', "a\\", "x*?[y] {z}", "ä ö"])
@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_what_is_written_is_read_as_the_same(text, quote):
    inside = quoted(text, quote)
    closed = quote + inside + ("" if quote and inside.endswith(quote) else quote)
    assert split(closed) == [Word(text)]
