"""What packages offer to users: one list at run time and for editors, nothing loaded early, and all of it in keys."""

import importlib
import subprocess
import sys

import pytest

from dnnlab.code import digests
from dnnlab.code.reach import Package, Reach
from dnnlab.code.user_code import dependencies
from docs.make_api import PACKAGES

SOURCES = Package(digests.PACKAGE)
LAZY = [name for name in PACKAGES if "__getattr__" in SOURCES.module(name).definitions]


@pytest.mark.parametrize("name", LAZY)
def test_what_is_offered_is_what_editors_are_told(name):
    package, told = importlib.import_module(name), SOURCES.module(name).type_imports
    assert sorted(package.__all__) == sorted(told) == dir(package)
    for offered, place in told.items():
        assert getattr(package, offered) is getattr(importlib.import_module(place.module), place.name)
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        _ = package.nothing


@pytest.mark.parametrize("name", LAZY)
def test_no_name_hides_a_module(name):
    """``from dnnlab.instruments import cost`` is the module, whoever has imported what before."""
    assert not {f"{name}.{offered}" for offered in importlib.import_module(name).__all__} & set(SOURCES.names)


def test_importing_the_packages_loads_nothing_heavy():
    code = f"import sys, {', '.join(PACKAGES)}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "scipy", "pandas"} & set(done.stdout.split())


def test_dnnlab_itself_imports_from_where_things_are_defined():
    """Through the package, a run's key would depend on all that the package offers."""
    offered = {(name, each) for name in LAZY for each in importlib.import_module(name).__all__}
    for name in SOURCES.names:
        module = SOURCES.module(name)
        found = list(module.imports.values())
        for definition in (each for several in module.definitions.values() for each in several):
            found += definition.local.values()
            found += [target for method in definition.methods for target in method.local.values()]
        assert not offered & {(target.module, target.name) for target in found}, name


@pytest.mark.parametrize("name", LAZY)
def test_a_users_network_that_imports_a_public_name_has_its_code_in_the_key(name, tmp_path, monkeypatch):
    offered, mine = importlib.import_module(name).__all__[0], f"mine_{name.rpartition('.')[2]}"
    (tmp_path / f"{mine}.py").write_text(f"from {name} import {offered}\ndef net(): return {offered}\n")
    monkeypatch.syspath_prepend(tmp_path)
    reach = Reach(SOURCES, dependencies(importlib.import_module(mine), "net").ours, digests.BEYOND)
    sys.modules.pop(mine)
    assert {place.module for place in SOURCES.module(name).type_imports.values()} <= reach.modules
