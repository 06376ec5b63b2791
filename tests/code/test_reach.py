"""What code reaches, in small packages whose answer is plain to see."""

import textwrap

import pytest

from dnnlab.code.reach import Package, Reach


@pytest.fixture
def reach(tmp_path):
    """The definitions that ``roots`` reach in a package of these sources."""

    def find(sources, *roots, beyond=()):
        folder = tmp_path / "pack"
        for name, source in {"__init__.py": "", **sources}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(textwrap.dedent(source))
        return Reach(Package(folder), roots, beyond)

    return find


def names(found):
    named = ((module, name) for module, name in found.definitions if name and not name.startswith("#"))
    return {f"{module.removeprefix('pack.')}:{name}" for module, name in named}


def test_names_are_followed_and_other_definitions_are_not(reach):
    source = """
    FACTOR = 2
    OTHER = 3
    def used(x): return FACTOR * x
    def measure(x): return used(x)
    def draw(x): return OTHER * x
    """
    assert names(reach({"a.py": source}, "pack.a:measure")) == {"a:measure", "a:used", "a:FACTOR"}


@pytest.mark.parametrize(
    "measure",
    [
        "from pack.b import used\ndef measure(): return used()",
        "from pack import b\ndef measure(): return b.used()",
        "import pack.b\ndef measure(): return pack.b.used()",
        "import pack.b as other\ndef measure(): return other.used()",
        "from . import b\ndef measure(): return b.used()",
        "from .b import used as mine\ndef measure(): return mine()",
        "def measure():\n    from pack.b import used\n    return used()",
        "from pack.c import used\ndef measure(): return used()",
        "def measure(f=lambda: 1):\n    from pack import b\n    return [b.used() for _ in range(2)]",
        "from pack.b import Thing\ndef measure(thing: Thing): return thing.used()",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pack.b import Thing\n"
        "def measure(thing: 'Thing'): return thing.used()",
    ],
)
def test_ways_to_name_what_lies_elsewhere(reach, measure):
    sources = {
        "a.py": measure,
        "b.py": """
        FACTOR = 2
        OTHER = 3
        def used(): return FACTOR
        def other(): return OTHER
        class Thing:
            def used(self): return FACTOR
            def other(self): return OTHER
        """,
        "c.py": "from pack.b import used\n",
    }
    found = names(reach(sources, "pack.a:measure"))
    assert "b:FACTOR" in found
    assert "b:OTHER" not in found


@pytest.mark.parametrize(
    "named",
    ["import_module('pack.rooms.one')", "import_module(f'pack.rooms.{name}')", "import_module(f'{__name__}.{name}')",
     "import_module(f'pack.{name}.one')", "import_module(TABLE[name])"],
)  # fmt: skip
def test_modules_that_are_named_in_strings_are_reached_as_a_whole(reach, named):
    sources = {
        "rooms/__init__.py": f"from importlib import import_module\nTABLE = {{'one': 'pack.rooms.one'}}\n"
        f"def measure(name): return {named}.run()\n",
        "rooms/one.py": "def run(): return 1\n",
    }
    found = reach(sources, "pack.rooms:measure")
    assert "rooms.one:run" in names(found)
    assert found.unknown == (set() if "TABLE" not in named else {"pack.rooms:measure"})


def test_what_no_number_depends_on_changes_no_digest(reach):
    plain = """
    from pack.errors import Wrong
    def measure(x):
        if x < 0:
            raise Wrong(f"{x} is below 0")
        return 2 * x
    """
    told = '''
    """A docstring."""
    from typing import Annotated
    from pack.errors import Wrong
    from pack.terminal import say
    # A comment.
    def measure(x: Annotated[float, say("an option")]) -> float:
        """Twice x."""
        if x < 0:
            raise Wrong(f"{x} is less than 0")
        say("twice")
        return 2 * x
    '''
    errors = {"errors.py": "class Wrong(Exception): pass\n", "terminal.py": "def say(text): print(text)\n"}
    plain = plain.replace("return", "say('two')\n        return")
    before = reach({"a.py": "from pack.terminal import say\n" + textwrap.dedent(plain)} | errors, "pack.a:measure")
    after = reach({"a.py": told} | errors, "pack.a:measure")
    assert after.digest == before.digest
    assert names(after) == {"a:measure"}


@pytest.mark.parametrize(
    "change",
    [("2 * x", "3 * x"), ("x=1", "x=2"), ("'torch'", "'he'"), ("< 0", "<= 0"), ("@cache", "@other"),
     ("import cache,", "import wraps as cache,"), ("from functools", "import faulthandler\n    from functools")],
)  # fmt: skip
def test_what_decides_numbers_changes_the_digest(reach, change):
    source = """
    from functools import cache, lru_cache as other
    TABLE = {'init': 'torch'}
    @cache
    def measure(x=1):
        if x < 0:
            return TABLE
        return 2 * x
    """
    before = reach({"a.py": source}, "pack.a:measure").digest
    assert reach({"a.py": source.replace(*change)}, "pack.a:measure").digest != before


def test_methods_count_where_something_asks_for_them(reach):
    source = """
    import torch
    class Base:
        def shared(self): return 1
        def idle(self): return 2
    class Own(Base):
        def __init__(self): self.x = 1
        def __call__(self): return self.shared()
        @property
        def late(self): return 3
        def never(self): return 4
    class Layer(torch.nn.Module):
        def forward(self, x): return x
    class Deeper(Layer):
        def backward(self, x): return x
    def measure(): return Own()(), Deeper()
    def asks(thing): return thing.late
    def by_name(thing): return getattr(thing, "idle")
    def on_the_way(thing): return thing.late.real
    """
    alone = names(reach({"a.py": source}, "pack.a:measure"))
    assert {"a:Own.__init__", "a:Own.__call__", "a:Base.shared", "a:Layer.forward", "a:Deeper.backward"} <= alone
    assert not {"a:Own.late", "a:Own.never", "a:Base.idle"} & alone
    assert "a:Own.late" in names(reach({"a.py": source}, "pack.a:measure", "pack.a:asks"))
    assert "a:Own.late" in names(reach({"a.py": source}, "pack.a:measure", "pack.a:on_the_way"))
    assert "a:Base.idle" in names(reach({"a.py": source}, "pack.a:measure", "pack.a:by_name"))
    one = reach({"a.py": source}, "pack.a:Own.never")
    assert "a:Own.never" in names(one)


def test_what_runs_on_import_counts_and_so_does_what_registers_itself(reach):
    sources = {
        "__init__.py": "import torch\ntorch.set_default_dtype(torch.float64)\n",
        "table.py": """
        TABLE = {}
        def entered(function):
            TABLE[function.__name__] = function
            return function
        """,
        "a.py": """
        from pack.table import TABLE, entered
        @entered
        def one(): return 1
        def idle(): return 2
        def measure(name): return TABLE[name]()
        """,
    }
    found = reach(sources, "pack.a:measure")
    assert ("pack", "") in found.definitions
    assert names(found) == {"a:measure", "a:one", "table:TABLE", "table:entered"}
    assert found.libraries == {"torch"}


def test_libraries_are_those_of_what_is_reached(reach):
    source = """
    import numpy as np, pandas
    import json
    def measure():
        from scipy import stats
        return np.mean([stats.norm.ppf(0.5)]), json.dumps(1)
    def draw(): return pandas.DataFrame()
    """
    assert reach({"a.py": source}, "pack.a:measure").libraries == {"numpy", "scipy"}


def test_a_name_that_a_function_binds_is_its_own(reach):
    source = """
    from pack import other
    def one(other): return other.x
    def two(): return [other.x for other in range(3)]
    def three(): return other.x
    """
    files = {"a.py": source, "other.py": "x = 1\n"}
    assert "other:x" not in names(reach(files, "pack.a:one", "pack.a:two"))
    assert "other:x" in names(reach(files, "pack.a:three"))


def test_what_lies_beyond_is_not_entered(reach):
    files = {"a.py": "from pack.door import run\ndef measure(): return run()\n", "door.py": "def run(): return 1\n"}
    assert names(reach(files, "pack.a:measure", beyond=("pack.door",))) == {"a:measure"}


@pytest.mark.parametrize("root", ["pack.none", "pack.a:none", "pack.a:Own.none"])
def test_a_root_that_is_not_there_is_an_error(reach, root):
    with pytest.raises(KeyError):
        reach({"a.py": "class Own: pass\n"}, root)
