"""Trained networks that others start from: whoever needs one first trains it, nobody trains it twice."""

import fcntl
import importlib.metadata
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dnnlab.report import atomic
from dnnlab.runner.place import Place
from dnnlab.runner.provenance import digest

State = dict[str, Tensor]
_KEY_LENGTH = 20


def trained(place: Place, identity: Mapping[str, Any], make: Callable[[], State]) -> State:
    """The state dict of the network that ``identity`` describes, trained by ``make`` where it is not there yet.

    ``identity`` is JSON and holds all that decides the weights: network, data digest, recipe, seed, device, and the
    digest of the code that trains (`runner.provenance.code_digest`). It lies as
    ``checkpoints/KEY.safetensors``; another process that wants the same one waits for it.
    """
    key = digest({**identity, "torch": importlib.metadata.version("torch")})[:_KEY_LENGTH]
    place.checkpoints.mkdir(parents=True, exist_ok=True)
    file = place.checkpoints / f"{key}.safetensors"
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = _read(file)
        if state is None:
            state = make()
            _write(file, state)
    return state


def _read(file: Path) -> State | None:
    from safetensors import SafetensorError
    from safetensors.torch import load

    if not file.exists():
        return None
    try:
        return load(file.read_bytes())
    except SafetensorError:
        warnings.warn(f"{file} is damaged; it is trained again", stacklevel=4)
        return None


def _write(file: Path, state: State) -> None:
    from safetensors.torch import save

    atomic.write(
        file,
        save(
            {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in state.items()}
        ),
    )
