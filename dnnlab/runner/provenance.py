"""The origin of numbers: code, versions, machine, data, command."""

import hashlib
import importlib.metadata
import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dnnlab
from dnnlab.errors import listing

_PACKAGE = Path(dnnlab.__file__).parent


def digest(value: object) -> str:
    """SHA-256 of a JSON value in hexadecimal; the order of keys does not count."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def versions() -> dict[str, str]:
    """The versions of everything that can change the bits of a result."""
    names = ("torch", "numpy", "scipy", "pandas", "scikit-learn")
    return {
        "dnnlab": dnnlab.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in names},
    }


def machine(device: str, autocasts: bool = False, without_torch: bool = False) -> dict[str, Any]:
    """The machine and how torch uses it; ``autocasts`` if networks are trained in mixed precision on CUDA.
    ``without_torch``, torch is not asked unless it has been imported."""
    if without_torch and "torch" not in sys.modules:
        return {"platform": platform.platform(), "device": device}
    import torch

    from dnnlab.runner.device import describe, settled, takes_tf32

    precision = str(torch.get_default_dtype()).removeprefix("torch.")
    with settled(device):
        tf32 = device == "cuda" and takes_tf32()

    return {
        "platform": platform.platform(),
        "device": describe(device),
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "precision": f"{precision}, products in bfloat16" if autocasts and device == "cuda" else precision,
        "tf32": tf32,
    }


def changes(sessions: Sequence[Mapping[str, Any]]) -> list[str]:
    """The differences in versions and machine between later ``sessions`` of a run and its first, one sentence each."""
    known = [_flat(session) for session in sessions if session.get("versions")]
    sentences = []
    for later in known[1:]:
        differ = [
            f"{name} {later.get(name) or 'absent'} instead of {known[0].get(name) or 'absent'}"
            for name in {**known[0], **later}
            if later.get(name) != known[0].get(name)
        ]
        if differ:
            sentences.append(
                f"it went on under {listing(differ)}, so that its numbers may differ from those of an unbroken run"
            )
    return list(dict.fromkeys(sentences))


def _flat(session: Mapping[str, Any]) -> dict[str, str]:
    machine = {name.replace("_", " "): str(value) for name, value in session["machine"].items()}
    return {**session["versions"], **machine}


def git() -> dict[str, Any]:
    """The commit of the checkout that dnnlab runs from, and whether files have changed; empty where it is installed."""
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
    except (OSError, subprocess.TimeoutExpired):  # there is no git here: the versions must suffice
        return ""
    return done.stdout.strip()
