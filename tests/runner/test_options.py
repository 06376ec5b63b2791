"""Options, written once and read by one validator, whoever gives them."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from typer import Option

from dnnlab.errors import UsageError
from dnnlab.gradient_flow.spec import Spec
from dnnlab.runner import options
from dnnlab.runner.options import (
    Check,
    CommandLineList,
    Help,
    OneOf,
    arguments,
    build,
    command_signature,
    every,
    non_default,
    only,
)
from dnnlab.runner.run_options import RunOptions, ShowOptions


def even(value):
    if value % 2:
        raise UsageError(f"{value} is odd; give an even number.")


@dataclass(frozen=True)
class Sample:
    names: Annotated[tuple[str, ...], Option(help="Names."), OneOf(("a", "b", "c"))] = ("a",)
    counts: Annotated[tuple[int, ...], Option(help="Counts.", min=0, max=100), Check(even)] = (2,)
    rate: Annotated[float, Option(help="Rate.", min=0)] = 0.5
    flag: Annotated[bool, Option(help="Flag.")] = False
    some_place: Annotated[Path, Option(help="Place.")] = Path("here")
    text: Annotated[str, Option(help="Text.")] = ""
    maybe: Annotated[str | None, Option(help="Maybe.")] = None

    def validate(self):
        if self.rate == 13:
            raise UsageError("--rate 13 is unlucky.")


def test_defaults():
    assert build(Sample, {}) == Sample()


@pytest.mark.parametrize(
    ("given_options", "expected"),
    [
        ({"names": "a,b"}, {"names": ("a", "b")}),
        ({"names": CommandLineList(["a,b", "c"])}, {"names": ("a", "b", "c")}),
        ({"names": ["b", "b", "a"]}, {"names": ("b", "a")}),
        ({"names": " a , b "}, {"names": ("a", "b")}),
        ({"counts": 4}, {"counts": (4,)}),
        ({"counts": "4,6"}, {"counts": (4, 6)}),
        ({"counts": [4, "6", 8.0]}, {"counts": (4, 6, 8)}),
        ({"rate": "1e-3"}, {"rate": 0.001}),
        ({"rate": 2}, {"rate": 2.0}),
        ({"flag": True}, {"flag": True}),
        ({"some-place": "x"}, {"some_place": Path("x")}),
        ({"some_place": Path("x")}, {"some_place": Path("x")}),
        ({"maybe": None}, {"maybe": None}),
        ({"maybe": "x"}, {"maybe": "x"}),
        ({"text": ""}, {"text": ""}),
    ],
)
def test_values_are_read(given_options, expected):
    assert build(Sample, given_options) == Sample(**expected)


def test_the_items_of_an_array_are_not_split():
    with pytest.raises(UsageError, match="'a,b'"):
        build(Sample, {"names": ["a,b"]})


@pytest.mark.parametrize(
    ("given_options", "message"),
    [
        ({"names": "d"}, "unknown value for --names 'd': known are a, b and c."),
        ({"names": []}, "--names needs at least one value: a, b or c."),
        ({"names": ""}, "--names is empty; give a, b or c."),
        ({"names": 3}, "--names must be a, b or c, not '3'."),
        ({"counts": "3"}, "3 is odd; give an even number."),
        ({"counts": "2,,4"}, "--counts must be a whole number from 0 to 100, not ''."),
        ({"counts": 2.5}, "not '2.5'"),
        ({"counts": "2.0"}, "not '2.0'"),
        ({"counts": -2}, "not '-2'"),
        ({"counts": 102}, "not '102'"),
        ({"counts": True}, "not 'True'"),
        ({"counts": float("nan")}, "not 'nan'"),
        ({"counts": float("inf")}, "not 'inf'"),
        ({"counts": [[2]]}, r"not '\[2\]'"),
        ({"counts": {}}, "not '{}'"),
        ({"rate": "nan"}, "--rate must be a number of at least 0, not 'nan'."),
        ({"rate": "-inf"}, "not '-inf'"),
        ({"rate": "9" * 400}, "--rate must be a number"),
        ({"rate": 10**400}, "--rate must be a number"),
        ({"counts": "9" * 400}, "--counts must be a whole number"),
        ({"rate": None}, "not 'None'"),
        ({"rate": 13}, "unlucky"),
        ({"flag": "yes"}, "--flag must be true or false, not 'yes'."),
        ({"flag": 1}, "not '1'"),
        ({"some_place": ""}, "--some-place is empty; give a path."),
        ({"some_place": "a\0b"}, "--some-place must be a path"),
        ({"ratee": 1}, "unknown option 'ratee': did you mean rate?"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_right(given_options, message):
    with pytest.raises(UsageError, match=message):
        build(Sample, given_options)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([f.name for f in fields(Sample)]), junk))
def test_anything_is_either_read_or_refused(given_options):
    try:
        sample = build(Sample, given_options)
    except UsageError:
        return
    assert build(Sample, every(sample)) == sample


words = st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True)
counts = st.lists(st.integers(0, 50).map(lambda n: 2 * n), min_size=1, max_size=3, unique=True)


@given(words, counts, st.floats(0, 12), st.booleans())
def test_command_recipe_and_python_give_the_same(names, numbers, rate, flag):
    typed = build(
        Sample,
        {"names": CommandLineList([",".join(names)]), "counts": CommandLineList(map(str, numbers)),
         "rate": repr(rate), "flag": flag},
    )  # fmt: skip
    recipe = tomllib.loads(tomli_w.dumps({"names": names, "counts": numbers, "rate": rate, "flag": flag}))
    called = Sample(tuple(names), tuple(numbers), rate, flag)
    assert typed == build(Sample, recipe) == called
    assert build(Sample, tomllib.loads(tomli_w.dumps(every(called)))) == called
    assert build(Sample, non_default(called)) == called


def test_what_was_chosen_is_what_differs():
    assert non_default(Sample()) == {}
    assert non_default(Sample(counts=(4,), some_place=Path("x"))) == {"counts": [4], "some_place": "x"}
    assert "maybe" not in every(Sample())


def test_options_are_told_apart_by_their_class():
    given_options = {"dry-run": True, "quiet": True, "depth": 3}
    assert only(ShowOptions, given_options) == {"dry-run": True}
    assert only(RunOptions, given_options) == {"quiet": True}


def test_a_command_has_every_option_once_and_its_defaults_are_read_back():
    signature = command_signature(Spec, RunOptions, ShowOptions)
    names = [f.name for cls in (Spec, RunOptions, ShowOptions) for f in fields(cls)]
    assert list(signature.parameters) == names
    defaults = {name: parameter.default for name, parameter in signature.parameters.items()}
    assert build(Spec, {f.name: defaults[f.name] for f in fields(Spec)}) == Spec()


def test_completion_goes_on_after_a_comma():
    names = next(f for f in options.fields(Sample) if f.name == "names")
    complete = options._completer(names, None)
    assert complete("") == ["a", "b", "c"]
    assert complete("a,b") == ["a,b"]
    assert complete("a,") == ["a,a", "a,b", "a,c"]
    assert complete("x") == []


def test_every_option_has_help():
    for cls in (Spec, RunOptions, ShowOptions):
        assert all(len(field.info.help or "") > 5 for field in options.fields(cls))


@pytest.mark.parametrize("name", ["../x", "/x", "a b", ".hidden", "a\0", "a/b"])
def test_a_name_that_is_no_folder_is_refused(name):
    with pytest.raises(UsageError, match="--name"):
        build(RunOptions, {"name": name})


def test_python_may_give_any_iterable_of_values():
    expected = build(Sample, {"counts": [2, 4]}).counts
    assert build(Sample, {"counts": range(2, 6, 2)}).counts == expected
    assert build(Sample, {"counts": np.array([2, 4])}).counts == expected
    assert all(type(count) is int for count in build(Sample, {"counts": np.array([2, 4])}).counts)


T = TypeVar("T")
Rate = Annotated[T, Option(help="Rate.", min=0, max=1), Check(even)]


def test_one_declaration_serves_a_value_a_list_and_another_help():
    @dataclass(frozen=True)
    class Asks:
        one: Rate[float] = 0.0
        several: Rate[tuple[int, ...]] = (0,)
        own: Annotated[Rate[int], Help("Another rate.")] = 0

    one, several, own = options.fields(Asks)
    assert [(field.kind, field.many) for field in (one, several, own)] == [(float, False), (int, True), (int, False)]
    assert [field.help for field in (one, several, own)] == ["Rate.", "Rate.", "Another rate."]
    assert "own: Another rate. (a whole number from 0 to 1)" in options.python_help("", Asks)
    for name in ("one", "several", "own"):
        with pytest.raises(UsageError, match="from 0 to 1, not '2'"):
            build(Asks, {name: "2"})
        with pytest.raises(UsageError, match="is odd; give"):
            build(Asks, {name: "1"})


def test_arguments_are_what_one_would_type():
    assert arguments(Sample()) == []
    called = Sample(names=("b", "c"), counts=(4,), rate=0.25, flag=True, some_place=Path("x y"))
    assert arguments(called) == [
        *("--names", "b", "--names", "c", "--counts", "4", "--rate", "0.25", "--flag", "--some-place", "x y"),
    ]
