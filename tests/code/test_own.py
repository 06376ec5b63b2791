"""The digest of a user's own network: what its factory uses, whatever else is loaded, and nothing else."""

import importlib
import subprocess
import sys
import textwrap

import pytest

from dnnlab.errors import UsageError
from dnnlab.networks import own

FILES = {
    "mine.py": """
    import helper
    from package.inner import width
    def net():
        from late import act
        import importlib
        other = importlib.import_module("by_" + "name")
        from torch import nn
        return nn.Sequential(nn.Flatten(), nn.Linear(64, width), act(), nn.Linear(width, other.CLASSES))
    def elsewhere():
        import only_here
        return only_here.net()
    """,
    "helper.py": "import deeper\n",
    "deeper.py": "x = 1\n",
    "package/__init__.py": "y = 1\n",
    "package/inner.py": "from .further import width\n",
    "package/further.py": "width = 8\n",
    "late.py": "from torch import nn\nact = nn.ReLU\n",
    "by_name.py": "CLASSES = 10\n",
    "only_here.py": "z = 1\n",
    "unrelated.py": "u = 1\n",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name, source in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(source))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = set(sys.modules)
    yield tmp_path
    forget(set(sys.modules) - before)


def forget(names):
    for name in names:
        if name.partition(".")[0] + ".py" in FILES or name.startswith("package"):
            del sys.modules[name]
    own._known.clear()
    importlib.invalidate_caches()


def digest():
    return own.digest("mine:net", "")


def anew():
    """As another process would work it out."""
    forget(list(sys.modules))
    return digest()


USED = sorted(FILES.keys() - {"unrelated.py"})


@pytest.mark.parametrize("name", USED)
def test_every_module_that_it_uses_counts_also_those_imported_late(name, folder):
    before = anew()
    assert anew() == before
    (folder / name).write_text((folder / name).read_text() + "more = 1\n")
    assert anew() != before


def test_what_else_is_loaded_does_not_count(folder):
    before = anew()
    importlib.import_module("unrelated")
    assert digest() == before
    forget(list(sys.modules))
    importlib.import_module("unrelated")
    importlib.import_module("only_here")
    importlib.import_module("late")
    assert digest() == before
    (folder / "unrelated.py").write_text("u = 2\n")
    assert anew() == before


def test_it_is_the_same_in_another_process_and_from_another_folder(folder, tmp_path_factory):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from dnnlab.networks import own\nprint(own.digest('mine:net', ''))"
    )
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=elsewhere, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == anew()


def test_code_that_changed_since_it_was_imported_is_refused(folder):
    anew()
    (folder / "late.py").write_text("from torch import nn\nact = nn.Tanh\n")
    with pytest.raises(UsageError, match="has changed since this process imported it; start Python again"):
        digest()
    for name in ("late", "mine"):
        importlib.reload(sys.modules[name])
    assert digest() == anew()


def test_weights_that_a_factory_reads_itself_count(folder):
    (folder / "mine.py").write_text(
        "import torch\ndef net():\n"
        "    made = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))\n"
        "    made.load_state_dict(torch.load('w.pt'))\n"
        "    return made\n"
    )
    import torch

    state = {"1.weight": torch.zeros(10, 64), "1.bias": torch.zeros(10)}
    torch.save(state, folder / "w.pt")
    before = anew()
    assert anew() == before
    torch.save(state | {"1.bias": torch.ones(10)}, folder / "w.pt")
    assert anew() != before


@pytest.mark.parametrize(
    "noise",
    ["torch.Generator().manual_seed(time.time_ns())", "torch.Generator().manual_seed(os.getpid() + next(COUNT))"],
)
def test_a_factory_that_gives_another_network_every_time_still_has_one_digest(noise, folder):
    (folder / "mine.py").write_text(
        "import itertools, os, time, torch\nCOUNT = itertools.count()\ndef net():\n"
        "    made = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))\n"
        f"    torch.nn.init.normal_(made[1].weight, generator={noise})\n"
        "    return made\n"
    )
    assert anew() == anew()


def test_random_numbers_go_on_as_if_nothing_was(folder):
    import random

    import numpy as np
    import torch

    def draw():
        return random.random(), np.random.rand(), float(torch.rand(()))

    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(5)
    expected = draw()
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(5)
    anew()
    assert draw() == expected


@pytest.mark.parametrize(
    "network",
    ["nn.LazyLinear(10)", "nn.Linear(64, 10, dtype=torch.bfloat16)", "nn.Linear(64, 10, dtype=torch.complex64)",
     "nn.Embedding(4, 3, sparse=True)", "nn.ParameterList([torch.eye(3).to_sparse()])"],
)  # fmt: skip
def test_tensors_of_any_kind(network, folder):
    (folder / "mine.py").write_text(f"import torch\nfrom torch import nn\ndef net(): return {network}\n")
    assert anew() == anew()


def test_definitions_of_a_notebook_count_with_what_they_name(folder, monkeypatch):
    import linecache
    import types

    def cell(source, number):
        name = f"<cell {number}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        exec(compile(source, name, "exec"), vars(notebook))

    notebook = types.ModuleType("notebook_of_mine")
    monkeypatch.setitem(sys.modules, "notebook_of_mine", notebook)
    cell("from torch import nn\nimport helper\nwidth = 8\nidle = 1\ndef act(): return nn.ReLU()\n", 1)
    cell(
        "def net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), act(), nn.Linear(width, helper.n))\n",
        2,
    )
    notebook.helper.n = 10
    seen = [own.code_digest("notebook_of_mine:net")]
    for change in ("width = 9\n", "def act(): return nn.Tanh()\n"):
        cell(change, 3)
        own._known.clear()
        seen.append(own.code_digest("notebook_of_mine:net"))
    assert len(set(seen)) == 3
    cell("idle = 2\n", 4)
    own._known.clear()
    assert own.code_digest("notebook_of_mine:net") == seen[-1]
