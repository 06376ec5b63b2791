"""No number is stale: whatever dnnlab runs to measure is in the key of what it measures, and nothing else is."""

import ast
import contextlib
import importlib
import inspect
import sys
from pathlib import Path

import pytest

from dnnlab.code import digests
from dnnlab.code.reach import Package, Reach
from dnnlab.registry import EXPERIMENTS
from dnnlab.runner import engine
from dnnlab.runner import plan as planning
from dnnlab.runner.options import build
from dnnlab.runner.place import Place

SMALL = {"seeds": 1}
NET = {"depth": [3], "width": [4], **SMALL}
QUESTIONS = {
    "gradient-flow": [
        {**NET, "steps": 2, "norm": ["none", "batch"], "skip": ["none", "residual"], "dropout": [0.1]},
        {**NET, "jacobian": True},
        {"model": "mine:net", "steps": 1, **SMALL},
    ],
    "dead-relu": [
        {**NET, "steps": 4, "remedies": True},
        {"born": True, "width": [2], "depth": [2], "nets": 100},
        {"model": "mine:net", "steps": 1, **SMALL},
    ],
    "compare-arch": [
        {"arch": ["mlp1:width=0.1", "mine:net"], "budget": ["steps=2"], **SMALL},
        {"arch": ["mlp1"], "cost_only": True, **SMALL},
        {"preset": "shallow-deep", "budget": ["steps=1"], **SMALL},
        {"preset": "transfer", "budget": ["steps=2"], **SMALL},
        {"preset": "separability", "budget": ["steps=1"], **SMALL},
        {"block": True},
    ],
    "compress": [
        {"arch": ["mlp1:width=0.1"], "chain": [chain], "epochs": 1, "train_size": 300, **more, **SMALL}
        for chain, more in [
            ("lowrank:2x@1", {}),
            ("prune:0.8@1 > share:3bit@1 > code", {"controls": True}),
            ("structured:2x@1", {}),
            ("distill@1", {"student": "mlp1:width=0.05"}),
            ("int8", {}),
        ]
    ],
    "nas": [
        {"strategy": [name], "space": space, "budget": "6", "epochs": 1, "finalists": 1, "retrain": 1,
         "train_size": 200, **SMALL}
        for name, space in [("evolution", "mlp"), ("darts", "mlp"), ("proxy:synflow", "cell"), ("oneshot", "cell"),
                            ("halving", "mlp"), ("tpe", "mlp")]
    ] + [{"proxies": True, "space": "mlp", "epochs": 1, "train_size": 200, **SMALL}],
    "check": [{"statement": ["1 + 1 = 2", "params(resnet20) > 1e5", "mean(gelu) > 0", "memory(resnet20, 2) > 1"]}],
}  # fmt: skip
"""Small plans of every question of every experiment."""
MINE = """
from torch import nn
def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "mine.py").write_text(MINE)
    yield
    sys.modules.pop("mine", None)


def planned(name, options):
    experiment = EXPERIMENTS[name]
    spec = build(experiment.spec.Spec, options)
    return experiment, spec, planning.make(experiment, spec, "cpu")


def roots(name, options):
    _, spec, plan = planned(name, options)
    return planning.roots(spec, plan.cells)


@pytest.fixture(scope="module")
def everything_imported():
    """All modules of dnnlab: what runs while one is imported would look as if it measured."""
    for name in Package(digests.PACKAGE).names:
        if not name.endswith("__main__"):
            importlib.import_module(name)


@contextlib.contextmanager
def executed():
    """The code of the functions that run meanwhile."""
    seen = set()

    def note(frame, event, argument):
        if event == "call" and frame.f_code.co_flags & inspect.CO_OPTIMIZED:  # no body of a class or module
            seen.add(frame.f_code)

    sys.setprofile(note)
    try:
        yield seen
    finally:
        sys.setprofile(None)


BESIDE = {"dnnlab.code", "dnnlab.errors", "dnnlab.terminal", "dnnlab.stops", "dnnlab.runner.progress"}
"""What makes keys, says something, or shows how far it is: it runs while measuring, and no number comes from it."""


DAILY = {"gradient-flow": 3, "dead-relu": 3, "compare-arch": 4, "compress": 1, "nas": 1, "check": 1}
"""How many of the plans are tried every day; the others take minutes."""


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param(name, options, marks=[pytest.mark.slow] * (number >= DAILY[name]))
        for name, several in QUESTIONS.items()
        for number, options in enumerate(several)
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whatever_runs_to_measure_is_in_the_key(name, options, mine, everything_imported, short_timings, tmp_path):
    experiment, spec, plan = planned(name, options)
    work = engine.Work(experiment, spec, "cpu", Place(tmp_path / name / "run"))
    with executed() as seen:
        for stack in plan.stacks[:2]:
            entries = list(engine.measure(work, stack, (), lambda share: None))
            assert not any(entry.error for entry in entries)
    reach = Reach(Package(digests.PACKAGE), planning.roots(spec, plan.cells), digests.BEYOND)
    ours = {where(code) for code in seen if Path(code.co_filename).is_relative_to(digests.PACKAGE)}
    assert len(ours) > 5
    assert sorted(f"{module}:{name}" for module, name in ours if not is_in(reach, module, name)) == []


def where(code):
    """The module and the definition of a function, or of the one that it lies in."""
    place = Path(code.co_filename).relative_to(digests.PACKAGE.parent).with_suffix("")
    name = code.co_qualname.partition(".<")[0]
    return ".".join(place.parts).removesuffix(".__init__"), "" if name.startswith("<") else name


def is_in(reach, module, name):
    beside = any(f"{module}.".startswith(f"{place}.") for place in BESIDE)
    made = name.rpartition(".")[2] in ("__init__", "__repr__", "__eq__", "__hash__", "__create_fn__")  # by dataclasses
    owner = (module, name.partition(".")[0])
    return beside or not name or (module, name) in reach.definitions or (made and owner in reach.definitions)


def constants(module):
    """The numbers and texts in ``module`` that can decide numbers: not those of options, nor of what is only said."""
    todo = ast.parse(module.file.read_bytes()).body
    while todo:
        node = todo.pop(0)
        if isinstance(node, ast.Constant):
            if type(node.value) in (int, float, str) and node.lineno == node.end_lineno:
                yield node
        elif not isinstance(node, ast.Raise | ast.JoinedStr | ast.Expr):
            annotations = ("annotation", "returns")
            todo += [
                child
                for name, value in ast.iter_fields(node)
                if name not in annotations
                for child in (value if isinstance(value, list) else [value])
                if isinstance(child, ast.AST)
            ]


def definitions_by_line(module):
    """The name of what each line of ``module`` defines."""
    found = {}
    for statement in ast.parse(module.file.read_bytes()).body:
        target = getattr(statement, "target", None) or (getattr(statement, "targets", None) or [None])[0]
        target = target.elts[0] if isinstance(target, ast.Tuple) else target
        name = getattr(statement, "name", None) or getattr(target, "id", "")
        found |= dict.fromkeys(range(statement.lineno, statement.end_lineno + 1), name)
        for inner in statement.body if isinstance(statement, ast.ClassDef) else ():
            if isinstance(inner, ast.FunctionDef):
                found |= dict.fromkeys(range(inner.lineno, inner.end_lineno + 1), f"{name}.{inner.name}")
    return found


def test_a_constant_that_changes_changes_the_keys_of_those_experiments_that_reach_it_and_of_no_other(mine):
    """Every module in turn, one constant in each: of a reached definition where there is one."""
    package = Package(digests.PACKAGE)
    asked = {name: sorted({r for o in several for r in roots(name, o)}) for name, several in QUESTIONS.items()}
    before = {name: Reach(package, own, digests.BEYOND) for name, own in asked.items()}
    assert set(QUESTIONS) == set(EXPERIMENTS), "QUESTIONS of tests/code/test_keys.py lacks an experiment"
    assert len({reach.digest for reach in before.values()}) == len(EXPERIMENTS)
    tried = changed = 0
    for name in package.names:
        module = package.module(name)
        lines = module.file.read_text().splitlines(keepends=True)
        places = definitions_by_line(module)
        nodes = [(node, places.get(node.lineno, "")) for node in constants(module)]
        if not nodes:
            continue
        reached = [pair for pair in nodes if any((name, pair[1]) in reach.definitions for reach in before.values())]
        node, definition = (reached or nodes)[0]
        line = lines[node.lineno - 1].encode()
        other = repr(node.value + ("x" if isinstance(node.value, str) else 1))
        text = line[: node.col_offset] + other.encode() + line[node.end_col_offset :]
        source = "".join([*lines[: node.lineno - 1], text.decode(), *lines[node.lineno :]])
        mutated = package.with_source(name, source)
        expected = {each for each, reach in before.items() if (name, definition) in reach.definitions}
        digest = {each: Reach(mutated, own, digests.BEYOND).digest for each, own in asked.items()}
        after = {each for each in asked if digest[each] != before[each].digest}
        assert after == expected, f"{name}:{definition} line {node.lineno}"
        tried, changed = tried + 1, changed + bool(after)
    assert tried > 150
    assert changed > 80
