"""What all specs do: they ask their question's plan, with the options settled."""

import sys
from dataclasses import dataclass, replace
from types import ModuleType

import pytest

from dnnlab.errors import UsageError
from dnnlab.runner.experiment import Question, Spec

ALONE, OTHER = Question("plan_alone", takes=frozenset({"size"}), because="which is small"), Question("plan_whole")


@dataclass(frozen=True)
class Asked(Spec):
    size: int = 0
    extra: int = 0

    @property
    def question(self):
        return OTHER if self.size > 5 else ALONE

    @property
    def settled(self):
        return replace(self, size=self.size or 3)


@pytest.fixture(autouse=True)
def questions(monkeypatch):
    def refuse(spec):
        if spec.size > 9:
            raise UsageError("too large")

    functions = {"plan": lambda spec: list(range(spec.size))}
    whole = {**functions, "content": lambda spec: {"data": str(spec.size)}, "validate": refuse, "fit": refuse}
    for name, own in (("plan_alone", functions), ("plan_whole", whole)):
        module = ModuleType(f"{name}.plan")
        vars(module).update(own)
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
        monkeypatch.setitem(sys.modules, module.__name__, module)


def test_the_plan_sees_the_options_as_they_are_meant():
    assert Asked().plan() == [0, 1, 2]
    assert Asked(size=2).plan() == [0, 1]


def test_a_plan_that_says_no_more_needs_nothing():
    spec = Asked()
    assert (spec.validate(), spec.content(), spec.fit()) == (None, {}, ())


def test_a_plan_says_what_it_needs_and_what_does_not_fit():
    assert Asked(size=7).content() == {"data": "7"}
    for method in ("validate", "fit"):
        assert not getattr(Asked(size=7), method)()
        with pytest.raises(UsageError, match="too large"):
            getattr(Asked(size=10), method)()


def test_options_of_another_question_are_refused():
    Asked(size=7, extra=1).validate()
    with pytest.raises(UsageError, match="--extra does not go with what is asked, which is small"):
        Asked(size=2, extra=1).validate()
