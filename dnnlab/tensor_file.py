"""Tensors in a file with a checksum: read as they were written, or not at all."""

import hashlib
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from dnnlab import atomic, memory
from dnnlab.errors import DnnlabError

_CHECKSUM = "sha256"
"""The entry of a file's metadata that holds the digest of its tensors."""


def read(file: Path, instead: str) -> dict[str, Tensor] | None:
    """The tensors in ``file``, by name. None where there is no such file, and with a warning where it is damaged:
    ``instead`` ends its sentence, and says what is done now.

    Raises:
        OSError: the file cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    try:
        memory.require(file.stat().st_size, str(file))
        with safe_open(file, "pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - it is no dictionary
            whole = (opened.metadata() or {}).get(_CHECKSUM) == _checksum(tensors)
    except FileNotFoundError:
        return None
    except (SafetensorError, DnnlabError):
        whole = False
    if not whole:
        warnings.warn(f"{file} is damaged; {instead}", stacklevel=4)
    return tensors if whole else None


def write(file: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write ``tensors``, which are contiguous, on the CPU and share no memory, to ``file`` whole or not at all.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    from safetensors.torch import save

    atomic.write(file, save(dict(tensors), {_CHECKSUM: _checksum(tensors)}))


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the names, types, shapes and bytes of all tensors, since a file with a damaged digit can still be
    read."""
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        total.update(f"{name}\0{tensor.dtype}\0{list(tensor.shape)}\0".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()
