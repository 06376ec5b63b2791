"""The wheel, installed outside of the checkout: what it holds, and that its commands find everything there."""

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pandas as pd
import pytest

import dnnlab as package

ROOT = Path(__file__).parents[1]
CHECK = "experiments/3-architectures/01-resnet-parameters.toml"
"""A recipe that counts, which takes no time."""


def run(command, folder, **environment):
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return subprocess.run(
        list(map(str, command)), cwd=folder, env=clean | environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel that the sources give, built in a copy of them, so that no file of a build comes into the checkout."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("this environment has no pip, which builds the wheel")
    place = tmp_path_factory.mktemp("build")
    for name in ("dnnlab", "experiments", "results/reference"):
        shutil.copytree(ROOT / name, place / "sources" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place / "sources")
    done = run([sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", place, place / "sources"], place)
    if done.returncode and re.search("No matching distribution found|Could not find a version", done.stderr):
        pytest.skip(f"pip finds no index that has the build backend: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    (built,) = place.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Runs a program of a fresh environment that has the wheel, and the libraries of this one."""
    place = tmp_path_factory.mktemp("elsewhere")
    environment, work = place / "environment", place / "work"
    work.mkdir()
    made = run([sys.executable, "-m", "venv", "--without-pip", environment], place)
    assert made.returncode == 0, made.stderr
    scheme = {"base": str(environment), "platbase": str(environment)}
    programs, site = (Path(sysconfig.get_path(name, "venv", scheme)) for name in ("scripts", "purelib"))
    # A folder that a .pth file names comes after those of the environment, and its own .pth files do not count: no
    # editable checkout of this environment is seen.
    libraries = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (site / "libraries.pth").write_text("\n".join(libraries), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", environment, "install", "--no-deps", "--no-index"]
    done = run([*pip, wheel], place)
    assert done.returncode == 0, done.stderr

    def call(program, *arguments, **more):
        cache = {"XDG_CACHE_HOME": str(place / "cache"), "OMP_NUM_THREADS": "1", "LOKY_MAX_CPU_COUNT": "1"}
        return run([programs / program, *arguments], work, **cache, **more)

    call.work, call.site, call.wheel = work, site, wheel
    where = call("python", "-c", "import dnnlab; print(dnnlab.__file__)")
    assert Path(where.stdout.strip()) == site / "dnnlab" / "__init__.py", where.stderr
    return call


def test_it_holds_the_package_the_recipes_and_the_published_ledger(wheel):
    """Every file that the checkout has of them, with its bytes, and nothing else."""
    expected = {}
    for source, name in (
        ("dnnlab", "dnnlab"),
        ("experiments", "dnnlab/experiments"),
        ("results/reference", "dnnlab/reference"),
    ):
        for file in (ROOT / source).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                expected[f"{name}/{file.relative_to(ROOT / source).as_posix()}"] = file.read_bytes()
    with zipfile.ZipFile(wheel) as content:
        held = {name: content.read(name) for name in content.namelist()}
    about = {name for name in held if name.startswith("dnnlab_experiments-") and ".dist-info/" in name}
    assert {name: held[name] for name in set(held) - about} == expected
    assert {"dnnlab/py.typed", "dnnlab/__init__.pyi", "dnnlab/reference/cpu-quick/ledger.csv"} <= set(held)
    assert {f"dnnlab/experiments/{part.name}" for part in (ROOT / "experiments").iterdir() if part.is_dir()} <= {
        name.rpartition("/")[0] for name in held
    }


def test_its_commands_find_what_came_with_it(installed):
    version = installed("dnnlab", "--version")
    assert version.stdout.strip() == f"dnnlab {package.__version__}", version.stderr
    demo = installed("dnnlab", "demo", "--dry-run", "--json", "--out", "mine")
    assert demo.returncode == 0, demo.stderr
    recipe = tomllib.loads((ROOT / "experiments/1-deep-networks/demo.toml").read_text(encoding="utf-8"))["options"]
    plan = json.loads(demo.stdout)
    rows = len(recipe["act"]) * len(recipe["init"]) * len(recipe["norm"])
    assert plan["cells"] == rows * recipe["seeds"]
    done = installed("dnnlab", "reproduce", CHECK, "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["summary"]
    published = pd.read_csv(ROOT / "results/reference/cpu-quick/ledger.csv").set_index("recipe")["verdict"]
    assert row["verdict"] == published["01-resnet-parameters"]
    assert (installed.work / "results" / "ledger-quick" / "ledger.html").is_file(), "it is one of the lecture's claims"
    shown = installed("dnnlab", "reproduce", CHECK, "--published", "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["summary"][0]["measured"] == row["measured"]
    assert Path(json.loads(shown.stdout)["ledger"]) == installed.site / "dnnlab" / "reference" / "cpu-quick"


def test_what_lacks_an_extra_says_how_to_add_it_to_this_wheel(installed):
    """The command is the one for the wheel and for an environment without pip, as this is one. What pip would make of
    it is checked by its own reader of requirements."""
    from packaging.requirements import Requirement

    code = (
        "import importlib.util, sys\nfind = importlib.util.find_spec\n"
        "hidden = ('pip', 'onnxruntime')\n"
        "importlib.util.find_spec = lambda name, *more: None if name in hidden else find(name, *more)\n"
        "sys.argv = ['dnnlab', 'compress']\nfrom dnnlab.__main__ import main\nmain()"
    )
    done = installed("python", "-c", code)
    assert done.returncode == 2, done.stderr
    command = shlex.split(done.stderr.strip().removesuffix(".").partition("; ")[2])
    python = installed("python", "-c", "import sys; print(sys.executable)").stdout.strip()
    assert command[:-1] == ["uv", "pip", "install", "--python", python]
    wanted = Requirement(command[-1])
    assert (wanted.name, wanted.extras, wanted.url) == ("dnnlab-experiments", {"compress"}, installed.wheel.as_uri())


@pytest.mark.slow
def test_the_demo_measures_what_the_checkout_measures(installed, tmp_path):
    done = installed("dnnlab", "demo", "--out", "demo", "--json")
    assert done.returncode == 0, done.stderr
    run_ = Path(json.loads(done.stdout)["run"])
    assert (installed.work / run_ / "report.html").is_file()
    rows = pd.DataFrame(json.loads(done.stdout)["summary"]).set_index(["act", "init", "norm"])
    assert len(rows) == 8
    assert rows.loc[("sigmoid", "torch", "none"), "verdict"] == "vanishing"
    assert rows.loc[("sigmoid", "critical", "none"), "verdict"] == "healthy"
    checkout = run(
        [sys.executable, "-m", "dnnlab", "demo", "--out", tmp_path, "--json"], tmp_path, PYTHONPATH=str(ROOT),
        OMP_NUM_THREADS="1", LOKY_MAX_CPU_COUNT="1",
    )  # fmt: skip
    assert json.loads(checkout.stdout)["summary"] == json.loads(done.stdout)["summary"]


@pytest.mark.slow
def test_it_compresses_and_unpacks(installed):
    done = installed("dnnlab", "compress", "--chain", "prune:0.9 > share:5bit > code", "--seeds", "1", "--json")
    if "compress needs" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert max(row["ratio"] for row in found["summary"]) > 10
    containers = (installed.work / found["run"]).rglob("*.dnnz")
    smallest = min(containers, key=lambda file: file.stat().st_size)
    unpacked = installed("dnnlab", "decompress", smallest, "--to", "whole.safetensors")
    assert unpacked.returncode == 0, unpacked.stderr
    assert (installed.work / "whole.safetensors").stat().st_size > 10 * smallest.stat().st_size


def test_the_citation_is_of_this_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", text, re.MULTILINE) == [package.__version__]
    assert f"\n## {package.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    authors = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["authors"]
    assert re.findall(r"^  - name: (.*)$", text, re.MULTILINE) == [each["name"] for each in authors]
