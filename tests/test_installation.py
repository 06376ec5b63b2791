"""The command that adds an extra, for each way in which a copy of dnnlab can have come to be there."""

import importlib.metadata
import importlib.util
import json
import os
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from dnnlab import installation
from dnnlab.code import digests
from dnnlab.code.reach import Package, Reach
from dnnlab.registry import EXPERIMENTS

ROOT = Path(__file__).parents[1]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Lays out a copy of dnnlab with what an installer wrote about it, and lets the module believe to be that copy."""
    monkeypatch.setattr(installation, "_installer", lambda: ["pip", "install"])

    def lay_out(origin=None, package=None, distribution=installation.DISTRIBUTION, text=""):
        site = tmp_path / "site-packages"
        metadata = site / f"{distribution.replace('-', '_')}-0.1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {distribution}\nVersion: 0.1.0\n{text}\n")
        if origin is not None:
            (metadata / "direct_url.json").write_text(json.dumps(origin))
        package = package or site / "dnnlab"
        package.mkdir(parents=True, exist_ok=True)
        monkeypatch.setattr(installation, "_PACKAGE", package)
        monkeypatch.syspath_prepend(str(site))
        return package

    return lay_out


def words():
    return shlex.split(installation.command_for("compress"))


def test_from_an_index(installed):
    installed()
    assert words() == ["pip", "install", "dnnlab-experiments[compress]"]


def test_from_a_folder(installed, tmp_path):
    folder = tmp_path / "the sources"
    folder.mkdir()
    installed({"url": folder.as_uri(), "dir_info": {}})
    assert words() == ["pip", "install", f"dnnlab-experiments[compress] @ {folder.as_uri()}"]
    assert "%20" in folder.as_uri()


def test_from_a_wheel(installed, tmp_path):
    wheel = tmp_path / "dnnlab_experiments-0.1.0-py3-none-any.whl"
    wheel.touch()
    installed({"url": wheel.as_uri(), "archive_info": {"hash": "sha256=0"}})
    assert words() == ["pip", "install", f"dnnlab-experiments[compress] @ {wheel.as_uri()}"]


def test_from_a_wheel_that_is_gone(installed, tmp_path):
    """The libraries themselves are named, as its metadata have them."""
    text = (
        "Requires-Dist: torch>=2.6\nProvides-Extra: compress\nRequires-Dist: onnx>=1.17; extra == 'compress'\n"
        "Requires-Dist: zstandard>=0.22 ; extra == \"compress\"\nRequires-Dist: optuna>=4.0; extra == 'nas'"
    )
    installed({"url": (tmp_path / "gone.whl").as_uri(), "archive_info": {}}, text=text)
    assert words() == ["pip", "install", "onnx>=1.17", "zstandard>=0.22"]


def test_from_a_repository(installed):
    vcs = {"vcs": "git", "requested_revision": "main", "commit_id": "0" * 40}
    installed({"url": "https://example.org/dnnlab.git", "vcs_info": vcs})
    url = f"git+https://example.org/dnnlab.git@{'0' * 40}"
    assert words() == ["pip", "install", f"dnnlab-experiments[compress] @ {url}"]


def test_from_an_address(installed):
    url = "https://example.org/dnnlab_experiments-0.1.0-py3-none-any.whl"
    installed({"url": url, "archive_info": {}})
    assert words() == ["pip", "install", f"dnnlab-experiments[compress] @ {url}"]


def test_an_editable_checkout(installed, tmp_path):
    checkout = tmp_path / "my checkout"
    installed({"url": checkout.as_uri(), "dir_info": {"editable": True}}, checkout / "dnnlab")
    assert words() == ["pip", "install", "--editable", f"{checkout}[compress]"]


def test_a_checkout_that_is_not_installed_beside_a_copy_that_is(installed, tmp_path):
    checkout = tmp_path / "checkout"
    installed(None, checkout / "dnnlab")
    (checkout / "pyproject.toml").touch()
    assert words() == ["pip", "install", "--editable", f"{checkout}[compress]"]


def test_a_folder_that_nothing_is_known_of(installed, tmp_path):
    installed(None, tmp_path / "copied" / "dnnlab")
    assert words() == ["pip", "install", "dnnlab-experiments[compress]"]


def test_the_other_dnnlab_of_the_index_is_not_taken_for_this_one(installed):
    installed({"url": "https://example.org/other.whl", "archive_info": {}}, distribution="dnnlab")
    assert words() == ["pip", "install", "dnnlab-experiments[compress]"]


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """A virtual environment that the module believes to run in, with a ``pip`` in it."""
    folder = tmp_path / "own" / "bin"
    folder.mkdir(parents=True)
    for name in ("python", "pip"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setattr(sys, "prefix", str(folder.parent))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.mark.skipif(os.name == "nt", reason="the stand-ins are no programs of Windows")
def test_plain_pip_where_it_is_that_of_the_python_that_runs(environment, tmp_path, monkeypatch):
    assert installation.command("onnx") == "pip install onnx"
    other = tmp_path / "other" / "bin"
    other.mkdir(parents=True)
    (environment / "pip").rename(other / "pip")
    monkeypatch.setenv("PATH", f"{other}{os.pathsep}{environment}")
    own = f"{environment / 'python'} -m pip install onnx"
    assert installation.command("onnx") == own
    monkeypatch.setenv("PATH", str(tmp_path))
    assert installation.command("onnx") == own


@pytest.mark.skipif(os.name == "nt", reason="the stand-ins are no programs of Windows")
def test_outside_of_an_environment_python_is_named(environment, monkeypatch):
    """One folder may hold several Pythons and the pip of one of them."""
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)
    assert installation.command("onnx") == f"{environment / 'python'} -m pip install onnx"


def test_without_pip_it_is_uv(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "pip" else found(name, *a))
    monkeypatch.setattr(sys, "executable", "/the environment/bin/python")
    given = shlex.split(installation.command("onnx>=1.17"))
    assert given == ["uv", "pip", "install", "--python", "/the environment/bin/python", "onnx>=1.17"]


def test_on_windows_words_are_in_double_quotes(monkeypatch):
    monkeypatch.setattr(installation, "_installer", lambda: [r"C:\Own Python\python.exe", "-m", "pip", "install"])
    monkeypatch.setattr(installation.os, "name", "nt")
    given = installation.command("onnx>=1.17", "numpy")
    monkeypatch.undo()  # pytest itself asks for the name
    assert given == r'"C:\Own Python\python.exe" -m pip install "onnx>=1.17" numpy'


def test_the_name_is_that_of_the_project_and_every_extra_that_is_named_is_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == installation.DISTRIBUTION
    sources = [file.read_text(encoding="utf-8") for file in digests.PACKAGE.rglob("*.py")]
    named = {part.partition("'")[0] for text in sources for part in text.split("command_for('")[1:]}
    assert named == {"compress", "models", "nas", "ray", "slurm"}
    assert named <= set(project["optional-dependencies"])


def test_nothing_says_to_install_the_other_dnnlab():
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *digests.PACKAGE.rglob("*.py")]
    assert len(files) > 300
    assert not [file for file in files if "install 'dnnlab[" in file.read_text(encoding="utf-8")]


def test_how_dnnlab_was_installed_is_in_no_key():
    package = Package(digests.PACKAGE)
    roots = {
        question.module_name("measure") for each in EXPERIMENTS.values() for question in each.spec.QUESTIONS
    } & set(package.names)
    assert len(roots) > 8
    assert "dnnlab.installation" not in Reach(package, sorted(roots), digests.BEYOND).modules
