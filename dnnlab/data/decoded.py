"""Data sets that were decoded before, in the user's cache.

A file's name is the digest of all that decides the decoded data: the names and contents of the data set's files, its
arguments, the code that decodes, and the versions of the libraries that this code imports. The contents are read every
time for that: a file can keep its size and its time when its content changes.
"""

import contextlib
import hashlib
import json
import os
import shutil
import stat
import warnings
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dnnlab import atomic, tensor_file
from dnnlab.code import digests
from dnnlab.data.dataset import Dataset
from dnnlab.data.files import decoded_folder
from dnnlab.memory import size_text

MOST = 10 * 10**9
"""The most bytes that all of it may take together. It never takes more than half of the room on the disk, either."""
LEAST = 10**6
"""Bytes of a data set's files. Smaller ones are decoded every time, which is as quick."""
ROOTS = ("dnnlab.data.kinds:KINDS", "dnnlab.data.dataset:assemble")
"""The code that decodes."""
_TEXTS = "texts"
"""The tensor that holds the texts of a data set, as JSON in UTF-8."""


def entries() -> dict[Path, int]:
    """The files and their bytes, with what was not used for the longest time first."""
    place = decoded_folder()
    found = []
    for file in [] if place.is_symlink() else place.glob("*.safetensors"):
        with contextlib.suppress(FileNotFoundError):  # another process has removed it
            status = file.lstat()
            if stat.S_ISREG(status.st_mode):
                found.append((status.st_mtime_ns, file, status.st_size))
    return {file: size for _, file, size in sorted(found)}


def found(name: str, digest: str, layout: str, decode: Callable[[], tuple[Dataset, bool]]) -> Dataset:
    """The data set called ``name`` as it was decoded before, or as ``decode`` gives it now.

    Another process that wants the same one meanwhile waits for it.

    Args:
        name: name of the data set with its arguments.
        digest: digest of its files.
        layout: what else decides the decoded data.
        decode: gives the data set, and whether its files are still those of ``digest`` and ``layout``.
    """
    identity = json.dumps([name, digest, layout, digests.of(ROOTS).identity])
    file = decoded_folder() / f"{hashlib.sha256(identity.encode()).hexdigest()}.safetensors"
    with contextlib.ExitStack() as stack:
        data = _read(file, name, digest)
        if data is None:
            with contextlib.suppress(OSError):  # nothing can be written there, and `_keep` says so
                stack.enter_context(atomic.locked(file.with_suffix(".lock")))
                data = _read(file, name, digest)
        if data is None:
            data, unchanged = decode()
            if unchanged:
                _keep(file, data)
    return data


def _read(file: Path, name: str, digest: str) -> Dataset | None:
    """The data set in ``file``; None where there is none, or a damaged one."""
    try:
        tensors = tensor_file.read(file, f"{name} is decoded again")
        if tensors is None:
            return None
        os.utime(file)  # it was used now
    except OSError:
        return None
    texts = json.loads(tensors.pop(_TEXTS).numpy().tobytes())
    values: dict[str, Any] = {**tensors, **{key: tuple(value) for key, value in texts.items()}}
    return Dataset(name=name, digest=digest, **values)


def _keep(file: Path, data: Dataset) -> None:
    """Write ``data`` to ``file``, and remove what was not used for the longest time where there is no room for all."""
    values = {field.name: getattr(data, field.name) for field in fields(data)}
    tensors = {name: value for name, value in values.items() if isinstance(value, Tensor)}
    texts = {name: value for name, value in values.items() if name not in {*tensors, "name", "digest"}}
    tensors[_TEXTS] = torch.frombuffer(bytearray(json.dumps(texts).encode()), dtype=torch.uint8)
    size = sum(tensor.nbytes for tensor in tensors.values())
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if (most := _make_room(size)) < size:
            why = f"decoded it takes {size_text(size)}, and {size_text(most)} are left for that in {file.parent}"
        else:
            tensor_file.write(file, tensors)
            return
    except OSError as error:
        why = f"{file.parent} cannot be written to ({error.strerror})"
    warnings.warn(f"{data.name} is decoded in every command: {why}", stacklevel=4)


def _make_room(size: int) -> int:
    """Remove what was not used for the longest time, as far as ``size`` bytes more need it. Gives the bytes that all
    may take."""
    kept = entries()
    most = min(MOST, (shutil.disk_usage(decoded_folder()).free + sum(kept.values())) // 2)
    if size <= most:
        for file in list(kept):
            if sum(kept.values()) + size <= most:
                break
            file.unlink(missing_ok=True)
            del kept[file]
    return most
