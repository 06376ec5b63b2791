"""Imports run one way, from the command line down to statistics; `ARCHITECTURE.md` says what each folder holds."""

import re
from pathlib import Path

import pytest

import dnnlab
from dnnlab.code.digests import PACKAGE
from dnnlab.code.reach import Package
from dnnlab.registry import EXPERIMENTS

ROOT = Path(__file__).parents[1]
LAYERS = (
    ("__main__",),
    ("cli",),
    ("cli_runs",),
    ("completion", "reproduce"),
    ("registry",),
    ("gradient_flow", "dead_relu", "compare_arch", "compress", "nas", "check"),
    ("runner",),
    ("report", "training"),
    ("instruments", "theory"),
    ("networks",),
    ("data",),
    ("code", "statistics", "tensor_file"),
    ("atomic", "installation", "lazy", "memory", "stops", "terminal", "toml"),
    ("locks",),
    ("errors",),
)
"""From the top: each imports from its own folder and from layers below."""
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
PACKAGES = Package(PACKAGE)


def place(module):
    """The folder, or module at the top, that ``module`` lies in."""
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("module", [name for name in PACKAGES.names if place(name)])
def test_imports_run_one_way(module):
    """Also those inside functions; what is for the type checker alone is free."""
    own = place(module)
    assert own in LEVEL, f"dnnlab/{own} has no place in LAYERS of tests/test_house.py and in ARCHITECTURE.md"
    source = PACKAGES.module(module)
    found = list(source.imports.values())
    found += [target for several in source.definitions.values() for d in several for target in d.local.values()]
    found += [
        target
        for several in source.definitions.values()
        for d in several
        for method in d.methods
        for target in method.local.values()
    ]
    for target in found:
        if target.module.partition(".")[0] != "dnnlab":
            continue
        named = f"{target.module}.{target.name}" if target.module == "dnnlab" else target.module
        other = place(named)
        if other and other != own and other != "__version__":
            assert LEVEL[own] < LEVEL[other], f"{module} imports {named}, which lies above or beside it"


TEXT = (ROOT / "ARCHITECTURE.md").read_text()


def test_every_folder_and_module_at_the_top_stands_in_the_tree():
    tree = TEXT.split("```")[1]
    for path in PACKAGE.iterdir():
        if (path.name.startswith("__") and path.name != "__main__.py") or path.name == "py.typed":
            continue
        name = path.name if path.is_file() else f"{path.name}/"
        assert re.search(rf"(^|\s){re.escape(name)}(\s|$)", tree), f"ARCHITECTURE.md says nothing of dnnlab/{name}"


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:\w+/)+(?:\w+\.py)?|\w+\.py)`", TEXT))))
def test_every_place_that_it_names_is_there(name):
    beside = {"columns.py", "measure.py", "plan.py", "spec.py", "summary.py", "words.py", "figures.py"}
    assert name in beside or (PACKAGE / name).exists() or (ROOT / name).exists(), f"ARCHITECTURE.md names {name}"


def test_python_knows_every_experiment():
    assert [name.replace("_", "-") for name in dnnlab._EXPERIMENTS] == list(EXPERIMENTS), (
        "an experiment stands in dnnlab/registry.py and not in dnnlab/__init__.py, or the other way round"
    )
