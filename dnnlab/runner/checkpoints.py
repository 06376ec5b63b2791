"""Trained networks from which several measurements start: each is trained once and kept."""

import hashlib
import importlib.metadata
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dnnlab import atomic, memory
from dnnlab.errors import DnnlabError
from dnnlab.runner.place import Place
from dnnlab.runner.provenance import digest

State = dict[str, Tensor]
_KEY_LENGTH = 20
_CHECKSUM = "sha256"
"""The entry of a file's metadata that holds the digest of its tensors."""


def trained(place: Place, identity: Mapping[str, Any], make: Callable[[], State]) -> State:
    """The state dict of the network that ``identity`` describes, trained by ``make`` where it is not there yet.

    ``identity`` is JSON and holds all that decides the weights: network, data digest, recipe, seed, device, and the
    digest of the code that trains (`code.digests.of`). It lies as
    ``checkpoints/KEY.safetensors``; another process that wants the same one waits for it.
    """
    key = digest({**identity, "torch": importlib.metadata.version("torch")})[:_KEY_LENGTH]
    file = place.checkpoints / f"{key}.safetensors"
    place.uses(file)
    with atomic.locked(file.with_suffix(".lock")):
        state = _read(file)
        if state is None:
            state = make()
            _write(file, state)
    return state


def _read(file: Path) -> State | None:
    """The state dict in ``file``; None, with a warning, where the file is damaged."""
    from safetensors import SafetensorError, safe_open

    if not file.exists():
        return None
    try:
        memory.require(file.stat().st_size, str(file))
        with safe_open(file, "pt") as opened:
            state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - it is no dictionary
            whole = (opened.metadata() or {}).get(_CHECKSUM) == _checksum(state)
    except (SafetensorError, DnnlabError):
        whole = False
    if not whole:
        warnings.warn(f"{file} is damaged; it is trained again", stacklevel=4)
    return state if whole else None


def _write(file: Path, state: State) -> None:
    from safetensors.torch import save

    written = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in state.items()
    }
    atomic.write(file, save(written, {_CHECKSUM: _checksum(written)}))


def _checksum(state: State) -> str:
    """SHA-256 of the names, types, shapes and bytes of all tensors, since a file with a damaged digit can still be
    read."""
    total = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        total.update(f"{name}\0{tensor.dtype}\0{list(tensor.shape)}\0".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
