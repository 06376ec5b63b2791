"""Files of weights: ``.safetensors``, which hold tensors and no code. Importing this module does not import torch."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from dnnlab.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor


def check(file: str) -> None:
    """Refuse what is no file of tensors before a byte of it is read: a device would never end.

    Raises:
        UsageError: it is none.
    """
    if not file.endswith(".safetensors"):
        raise UsageError(f"--weights {file}: only .safetensors files are read, since a pickle can run code.")
    if Path(file).exists() and not Path(file).is_file():
        raise UsageError(f"--weights {file} is no file; give a .safetensors file.")


def digest(file: str) -> str:
    """SHA-256 of the file.

    Raises:
        UsageError: it cannot be read.
    """
    check(file)
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except OSError as problem:
        raise UsageError(f"cannot read --weights {file}: {problem.strerror}.") from None


def read(file: str) -> "tuple[dict[str, Tensor], dict[str, str]]":
    """The state dict in ``file``, and the file's own metadata.

    Raises:
        UsageError: it is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    check(file)
    try:
        with safe_open(file, "pt") as opened:
            return load_file(file), opened.metadata() or {}
    except OSError as problem:
        raise UsageError(f"cannot read --weights {file}: {problem.strerror or problem}.") from None
    except SafetensorError as problem:
        raise UsageError(f"--weights {file} is no whole safetensors file: {problem}.") from None
