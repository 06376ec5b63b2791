"""Where numbers come from: code, versions, machine, data, command."""

import hashlib
import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dnnlab

_PACKAGE = Path(dnnlab.__file__).parent


def digest(value: object) -> str:
    """SHA-256 of a JSON value, in hexadecimal; dictionaries count by content, not by order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def code_digest(parts: Iterable[str]) -> str:
    """SHA-256 of the sources of dnnlab's ``parts``: packages or modules, relative to the package."""
    total = hashlib.sha256()
    for part in parts:
        place = _PACKAGE / part
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            total.update(f"{file.relative_to(_PACKAGE).as_posix()}\0".encode())
            total.update(file.read_bytes() + b"\0")
    return total.hexdigest()


def versions() -> dict[str, str]:
    """Of what can change the bits of a result."""
    names = ("torch", "numpy", "scipy", "pandas", "scikit-learn")
    return {
        "dnnlab": dnnlab.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in names},
    }


def machine(device: str) -> dict[str, Any]:
    """The machine and how torch uses it."""
    import torch

    from dnnlab.runner.device import describe

    return {
        "platform": platform.platform(),
        "device": describe(device),
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "precision": str(torch.get_default_dtype()).removeprefix("torch."),
        "tf32": bool(torch.backends.cuda.matmul.allow_tf32),
    }


def git() -> dict[str, Any]:
    """Commit and dirty flag of the checkout that dnnlab runs from; empty where it is installed."""
    if not (_PACKAGE.parent / ".git").exists():
        return {}
    commit = _git("rev-parse", "HEAD")
    return {"commit": commit, "dirty": bool(_git("status", "--porcelain", "--", "dnnlab"))} if commit else {}


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(_PACKAGE.parent), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):  # no git here: the versions must do
        return ""
    return done.stdout.strip()
