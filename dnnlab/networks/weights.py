"""Files of weights: ``.safetensors``, which hold tensors and no code. Importing this module does not import torch."""

import hashlib
import itertools
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from dnnlab import memory
from dnnlab.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor


NARROWER = "dnnlab-pruned"
"""The entry in the metadata of a file which says that its layers may be narrower than their factory makes them."""
_LONGEST_HEADER = 100_000_000
"""The most bytes of a header that the format allows."""


def check(file: str) -> None:
    """Check that a file holds tensors before they are read: a device would never end, and a file may claim to be larger
    than the disk.

    Raises:
        UsageError: it is none, its header does not describe it, or it does not fit into memory.
    """
    if not file.endswith(".safetensors"):
        hint = f" If it holds a state dict, this converts it: {_conversion(Path(file))}" if Path(file).is_file() else ""
        raise UsageError(f"--weights {file}: only .safetensors files are read, since a pickle can run code.{hint}")
    if Path(file).exists() and not Path(file).is_file():
        raise UsageError(f"--weights {file} is no file; give a .safetensors file.")
    if Path(file).exists():
        if problem := _unlike_header(Path(file)):
            raise UsageError(f"--weights {file} is no whole safetensors file: {problem}.")
        memory.require(Path(file).stat().st_size, f"--weights {file}")


def _conversion(file: Path) -> str:
    """The command that writes the state dict in ``file``, which PyTorch saved, as a new safetensors file beside it."""
    endings = itertools.chain([""], (f"-{n}" for n in itertools.count(2)))
    to = next(path for end in endings if not (path := file.with_name(f"{file.stem}{end}.safetensors")).exists())
    code = (
        "import torch; from safetensors.torch import save_file; "
        f"d = torch.load({str(file)!r}, map_location='cpu', weights_only=True); d = d.get('state_dict', d); "
        f"save_file({{k: v.clone().contiguous() for k, v in d.items()}}, {str(to)!r})"
    )
    return shlex.join(["python", "-c", code])


def _unlike_header(file: Path) -> str:
    """Why the file cannot be what its header says; empty where it can be.

    Raises:
        UsageError: it cannot be read.
    """
    size = file.stat().st_size
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if not 0 < length <= min(size - 8, _LONGEST_HEADER):
                return "its header has an impossible length"
            header = json.loads(opened.read(length))
            ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
    except OSError as problem:
        raise UsageError(f"cannot read --weights {file}: {problem.strerror}.") from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, OverflowError):
        return "its header does not read"
    told = 8 + length + max(ends, default=0)
    return "" if told == size else f"it has {size:,} bytes, and its header describes {told:,}"


def digest(file: str) -> str:
    """SHA-256 of the file.

    Raises:
        UsageError: it cannot be read.
    """
    check(file)
    try:
        with open(file, "rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
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
