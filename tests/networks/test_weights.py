"""Files of weights that are not read, and what to do about them."""

import shlex
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from dnnlab.errors import UsageError
from dnnlab.networks import weights


@pytest.mark.parametrize("file", [".", "/", "..", "nothing.pt", "folder/"])
def test_what_is_no_file_gets_no_command(tmp_path, monkeypatch, file):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match=r"since a pickle can run code\.$"):
        weights.check(file)


def test_a_file_that_is_there_is_not_overwritten(tmp_path):
    for name in ("net.pt", "net.safetensors", "net-2.safetensors"):
        (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=r"net-3\.safetensors"):
        weights.check(str(tmp_path / "net.pt"))


@pytest.mark.parametrize("nested", [False, True])
def test_the_command_that_the_error_gives_converts_what_pytorch_saved(tmp_path, monkeypatch, nested):
    monkeypatch.chdir(tmp_path)
    matrix = torch.arange(6.0).view(2, 3)
    state = {"weight": matrix.T, "tied": matrix, "steps": torch.tensor(3)}
    name = "my net's.pt"
    torch.save({"state_dict": state, "epoch": 3} if nested else state, name)
    with pytest.raises(UsageError, match="since a pickle can run code") as raised:
        weights.check(name)
    _, _, command = str(raised.value).partition("this converts it: ")
    program, *arguments = shlex.split(command)
    assert program == "python"
    subprocess.run([sys.executable, *arguments], check=True)
    loaded = load_file("my net's.safetensors")
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[key], value) for key, value in state.items())
