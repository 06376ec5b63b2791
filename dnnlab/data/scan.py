"""The split and the class of every file in a folder of images. Nothing is decoded."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from dnnlab.data.files import DataFile, Files
from dnnlab.errors import UsageError, listing

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".ppm", ".pgm")
LAYOUT = "folder: wants a sub-folder for each class, such as PATH/cat/1.jpg or PATH/train/cat/1.jpg"


@dataclass(frozen=True)
class Scan:
    """The images under a folder, sorted by path, so that the order is the same on every file system."""

    files: Files
    """Path relative to the folder, with forward slashes, to the file."""
    splits: dict[str, dict[str, list[str]]]
    """Split (``train``, ``validation``, ``test``; or ``all`` where the folder has none) to class to paths."""
    ignored: int
    """Files that are not hidden and no images by their name."""


def scan(path: Path) -> Scan:
    """The images under ``path``, one sub-folder per class, inside ``train/`` and ``test/`` where these exist.

    Raises:
        UsageError: no such folder, no class folders, no images, an unreadable folder, or half a split.
    """
    top = _folders(path)
    names = {"train": "train", "test": "test", "validation": "validation", "val": "validation", "valid": "validation"}
    # A class may be called "train" too; a split has classes below it.
    halves = [name for name in names if name in top and _folders(path / name)]
    if halves and not {"train", "test"} <= set(halves):
        raise UsageError(f"{path} has {listing(halves)} but not both train and test; {LAYOUT}.")
    if len(twice := [name for name in halves if names[name] == "validation"]) > 1:
        raise UsageError(f"{path} has both {listing(twice)}; keep one of them.")
    beside = [name for name in top if name not in halves and any(map(_is_image, _walk(path, name)))] if halves else []
    if beside:
        raise UsageError(
            f"{path} has images in {listing(beside)} beside its splits; splits are called train, test and validation."
        )
    files: dict[str, DataFile] = {}
    splits: dict[str, dict[str, list[str]]] = {}
    ignored = 0
    for prefix, split in [(f"{name}/", names[name]) for name in halves] or [("", "all")]:
        classes = splits[split] = {}
        for label in _folders(path / prefix):
            below = _walk(path, prefix + label)
            classes[label] = list(filter(_is_image, below))
            ignored += len(below) - len(classes[label])
            for file in classes[label]:
                files[file] = DataFile(path / file, "remove it or put a whole image there", UsageError)
    if not files:
        raise UsageError(f"{path} has no images ({listing(SUFFIXES)}) in class folders; {LAYOUT}.")
    layout = json.dumps([{split: list(classes) for split, classes in splits.items()}, ignored])
    return Scan(Files(files, layout), splits, ignored)


def _is_image(file: str) -> bool:
    return file.lower().endswith(SUFFIXES)


def _folders(path: Path) -> list[str]:
    """The names of the sub-folders of ``path`` that are not hidden, sorted."""
    try:
        with os.scandir(path) as entries:
            return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    except OSError as error:
        raise UsageError(f"{path} cannot be read as a folder ({error.strerror}); {LAYOUT}.") from None


def _walk(path: Path, start: str) -> list[str]:
    """Every file below ``path / start`` that is not hidden: its path relative to ``path``, sorted.

    Links to folders are not followed: they can lead in a circle.
    """

    def unreadable(error: OSError) -> None:
        raise UsageError(f"{error.filename} cannot be read as a folder ({error.strerror}); {LAYOUT}.")

    paths: list[str] = []
    for folder, below, names in os.walk(path / start, onerror=unreadable):
        below[:] = [name for name in below if not name.startswith(".")]
        relative = Path(folder).relative_to(path).as_posix()
        paths += [f"{relative}/{name}" for name in names if not name.startswith(".")]
    return sorted(paths)
