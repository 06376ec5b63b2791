"""Files that are there whole or not at all."""

import os
from collections.abc import Iterable
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """`write_parts` of one part."""
    write_parts(path, [content])


def write_parts(path: Path, parts: Iterable[bytes]) -> None:
    """Write ``parts`` so that ``path`` holds the old bytes or the new, whatever is killed or unplugged.

    Raises:
        OSError: the folder cannot be made or written to; ``path`` is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":  # the new name is safe only once its folder is; Windows opens no folders
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
