"""The digest of a user's own network: what its factory uses, whatever else is loaded, and nothing else."""

import ast
import builtins
import importlib
import json
import subprocess
import sys
import textwrap

import pytest

from dnnlab.code import digests, user_code
from dnnlab.errors import UsageError
from dnnlab.networks import user_network

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
    user_network._first_seen.clear()
    user_network._imported_with.clear()
    importlib.invalidate_caches()


def digest():
    return user_network.digest("mine:net", "")


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
    source = (folder / "mine.py").read_text().replace("return nn.Sequential", "made = nn.Sequential")
    more = "    made.f, made.s = (lambda x: x in {'a', 'b', 'c'}), {'d', 'e', 'f'}\n    return made\n"
    source = source.replace("other.CLASSES))\n", f"other.CLASSES))\n{more}")
    assert more in source
    (folder / "mine.py").write_text(source)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from dnnlab.networks import user_network\nprint(user_network.digest('mine:net', ''))"
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


SETTINGS = {
    "a plain attribute": "made.scale = setting",
    "an attribute in a container": "made.settings = {'scale': [setting]}",
    "a function": "made.scale = [lambda x: x, lambda x: x * 2][setting]",
    "a closure": "made.scale = (lambda s: lambda x: s * x)(setting)",
    "a partial": "made.scale = functools.partial(torch.mul, other=setting)",
    "an object": "made.settings = types.SimpleNamespace(scale=setting)",
    "a tensor": "made.scale = torch.tensor(float(setting))",
    "an array": "made.scale = numpy.array([setting])",
    "a buffer that is not saved": "made.register_buffer('b', torch.tensor(float(setting)), persistent=False)",
    "what is trained": "made[1].weight.requires_grad = bool(setting)",
    "tied weights": "made.tied = made[1].weight if setting else nn.Parameter(made[1].weight.detach().clone())",
    "heads": "made.append(nn.MultiheadAttention(8, [2, 4][setting]))",
    "a hook": "made.register_forward_hook((lambda s: lambda m, i, o: o * s)(setting))",
    "a sparse tensor": "made.register_buffer('b', (torch.eye(200) * setting).to_sparse())",
    "a script": "made.inner = torch.jit.script([nn.ReLU(), nn.Tanh()][setting])",
}


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_that_a_factory_reads_count_wherever_they_are_kept(setting, folder):
    (folder / "mine.py").write_text(
        "import functools, json, pathlib, types, numpy, torch\nfrom torch import nn\ndef net():\n"
        "    setting = json.loads(pathlib.Path('setting.json').read_text())\n"
        "    made = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
        f"    {SETTINGS[setting]}\n"
        "    return made\n"
    )
    found = []
    for value in (0, 0, 1):
        (folder / "setting.json").write_text(str(value))
        found.append(anew())
    assert found[0] == found[1] != found[2]


IMPORTS = {
    "a name at import": "from importlib import import_module\nact = import_module('late').act",
    "a name that is put together": "import importlib\nact = importlib.import_module('la' + 'te').act",
    "in a function": "from importlib import import_module\ndef load(): return import_module('la' + 'te').act",
    "by __import__": "act = __import__('la' + 'te').act",
    "what registers itself": "import pkgutil\nfor found in pkgutil.iter_modules(['.']):\n"
    "    if found.name == 'late': __import__(found.name)",
}


@pytest.mark.parametrize("how", IMPORTS)
def test_modules_count_however_they_are_imported(how, folder):
    (folder / "mine.py").write_text(
        f"{IMPORTS[how]}\nfrom torch import nn\ndef net():\n    if 'load' in globals(): load()\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    )
    before = anew()
    assert anew() == before
    (folder / "late.py").write_text("from torch import nn\nact = nn.Tanh\n")
    assert anew() != before


def test_a_helper_that_is_called_like_a_module_of_python_counts(folder):
    (folder / "this.py").write_text("x = 1\n")
    (folder / "mine.py").write_text("import this\nfrom torch import nn\ndef net(): return nn.Linear(this.x, 10)\n")
    before = anew()
    sys.modules.pop("this", None)
    (folder / "this.py").write_text("x = 2\n")
    assert anew() != before
    sys.modules.pop("this", None)


def test_dnnlabs_own_code_counts_where_a_network_is_made_of_it(folder, monkeypatch):
    (folder / "mine.py").write_text("import dnnlab\ndef net(): return dnnlab.create_model('lenet5')\n")
    before = anew()
    monkeypatch.setattr(digests, "of", lambda roots: digests.Reached(f"other {roots}", {}))
    monkeypatch.setattr(user_code, "of", digests.of)
    assert anew() != before


def test_a_file_that_changed_between_import_and_the_first_look_is_refused(folder):
    importlib.import_module("mine")
    (folder / "mine.py").write_text(
        (folder / "mine.py").read_text().replace("nn.Linear(64, width)", "nn.Linear(64, 5)")
    )
    with pytest.raises(UsageError, match="has changed since this process imported it"):
        digest()


def test_weights_that_changed_in_a_session_count(folder):
    import torch

    (folder / "mine.py").write_text("import torch\ndef net():\n    made = torch.nn.Linear(64, 10)\n"
                                    "    made.bias.data = torch.load('w.pt')\n    return made\n")  # fmt: skip
    found = []
    for value in (0.0, 0.0, 1.0):
        torch.save(torch.full((10,), value), folder / "w.pt")
        found.append(digest())
    assert found[0] == found[1] != found[2]


def test_what_does_not_come_out_the_same_leaves_the_rest_in_the_key(folder):
    import torch

    (folder / "mine.py").write_text(
        "import time, torch\nclass Scale(torch.nn.Module):\n"
        "    def __init__(self, f): super().__init__(); self.f = f\n"
        "    def extra_repr(self): return repr(self.f)\n    def forward(self, x): return self.f(x)\n"
        "def net():\n    made = torch.nn.Sequential(Scale(lambda v: 2 * v), torch.nn.Linear(64, 10))\n"
        "    made.made = time.time_ns()\n    made[1].bias.data = torch.load('w.pt')\n    return made\n"
    )
    found = []
    for value in (0.0, 0.0, 1.0):
        torch.save(torch.full((10,), value), folder / "w.pt")
        found.append(anew())
    assert found[0] == found[1] != found[2]


def test_data_of_modules_that_are_read_from_files_count(folder):
    (folder / "deeper.py").write_text("import json, pathlib\nx = json.loads(pathlib.Path('x.json').read_text())\n")
    found = []
    for value in (1, 1, 2):
        (folder / "x.json").write_text(json.dumps({"a": [value]}))
        found.append(anew())
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    "network", ["class Net(nn.Module):\n    def __repr__(self): raise RuntimeError('no')",
                "class Net(nn.Module):\n    def state_dict(self, *a, **k): raise RuntimeError('no')"],
)  # fmt: skip
def test_a_network_that_raises_when_it_is_looked_at_is_known_all_the_same(network, folder):
    (folder / "mine.py").write_text(f"from torch import nn\n{network}\ndef net(): return Net()\n")
    assert anew() == anew()


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
    seen = [user_network.code_digest("notebook_of_mine:net")]
    for change in ("width = 9\n", "def act(): return nn.Tanh()\n"):
        cell(change, 3)
        user_network._first_seen.clear()
        seen.append(user_network.code_digest("notebook_of_mine:net"))
    assert len(set(seen)) == 3
    cell("idle = 2\n", 4)
    user_network._first_seen.clear()
    assert user_network.code_digest("notebook_of_mine:net") == seen[-1]


def test_whose_a_file_is_is_told_without_an_import(monkeypatch):
    """It is asked within every import, and an import there would ask again, without end."""

    def refused(*args):
        raise AssertionError(f"imports {args[0]}")

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", refused)
        found = [
            user_code._is_users(file)
            for file in ("/home/me/net.py", "/home/me/net.so", user_code.__file__, ast.__file__)
        ]
        found.append(user_code._is_users("/usr/lib/python3/dist-packages/torch/nn.py"))
    assert found == [True, False, False, False, False]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            "def net():\n    raise ValueError('odd.')",
            "model 'mine:net' fails when called: ValueError: odd (mine.py, line 2).",
        ),
        (
            "def net():\n    import no_such",
            "fails when called: ModuleNotFoundError: No module named 'no_such' (mine.py, line 2).",
        ),
        ("import sys\nsys.exit(3)", "model 'mine:net' fails on import: SystemExit: 3 (mine.py, line 2)."),
        ("\nimport no_such", ": No module named 'no_such' (mine.py, line 2)."),
        ("def net(:", "fails on import: SyntaxError: invalid syntax (mine.py, line 1)."),
    ],
)
def test_a_factory_that_fails_is_told_with_the_line_of_its_file(source, sentence, folder):
    (folder / "mine.py").write_text(source)
    with pytest.raises(UsageError) as caught:
        user_network.factory("mine:net", 10)()
    assert str(caught.value).endswith(sentence)
