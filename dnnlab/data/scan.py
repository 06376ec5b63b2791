"""The split and the class of every file in a folder of images. Nothing is decoded."""

import json
import os
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dnnlab.data.files import DataFile, Files
from dnnlab.data.names import ALIKE, MERGED, alike, merged, shown
from dnnlab.errors import UsageError, counted, listing, some

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".ppm", ".pgm", ".tif", ".tiff")
SPLITS = {
    "train": "train", "training": "train", "test": "test", "testing": "test",
    "validation": "validation", "val": "validation", "valid": "validation",
}  # fmt: skip
"""The splits by the words that the names of their folders may have, in lower case."""
_ABOUT = r"sets?|data|datasets?|images?|imgs?|pictures?|folders?"
"""Words beside them that tell nothing, as in train_set."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")
_SPLIT_WORD = re.compile(rf"({'|'.join(SPLITS)})(?:{_ABOUT})?")
LAYOUT = "folder: wants a sub-folder for each class, such as PATH/cat/1.jpg or PATH/train/cat/1.jpg"
# What file managers and archives leave behind, in lower case.
_LEFTOVERS = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "icon\r"}


@dataclass(frozen=True)
class Scan:
    """The images under a folder, sorted by path, so that the order is the same on every file system."""

    files: Files
    """Path relative to the folder, with forward slashes, to the file."""
    splits: dict[str, dict[str, list[str]]]
    """Split (``train``, ``validation``, ``test``; or ``all`` where the folder has none) to class to paths."""
    notes: tuple[str, ...]
    """What was left out, and what may be meant otherwise, one sentence each."""


def scan(path: Path) -> Scan:
    """The images under ``path``, one sub-folder per class, inside ``train/`` and ``test/`` where these exist.

    Raises:
        UsageError: no such folder, no class folders, no images, an unreadable folder, or half a split.
    """
    top, loose = _entries(path)
    halves = _halves(path, top)
    files: dict[str, DataFile] = {}
    splits: dict[str, dict[str, list[str]]] = {}
    entries = {prefix: _entries(path / prefix) for prefix in halves or [""]}
    labels = sorted({label for below, _ in entries.values() for label in below})
    names = dict(zip(labels, merged(labels), strict=True))
    for prefix, (below, beside) in entries.items():
        classes = splits[halves.get(prefix, "all")] = {
            names[label]: [] for label in sorted(below, key=names.__getitem__)
        }
        loose += [prefix + name for name in beside] if prefix else []
        for label in below:
            found = _walk(path, prefix + label)
            images = list(filter(_is_image, found))
            classes[names[label]] += images
            loose += [file for file in found if not _is_image(file)]
            for file in images:
                files[file] = DataFile(path / file, "remove it or put a whole image there", UsageError)
    if not files:
        raise UsageError(f"{path} has no images ({listing(SUFFIXES)}) in class folders; {LAYOUT}.")
    notes = _notes(path, splits, loose) + _of_names(names)
    layout = json.dumps([{split: list(classes) for split, classes in splits.items()}, notes])
    return Scan(Files(files, layout), splits, notes)


def _halves(path: Path, top: list[str]) -> dict[str, str]:
    """Those of the folders ``top`` that are splits, each followed by a slash, and which split it is, in the order of
    `SPLITS`; none where the folder has no splits.

    Raises:
        UsageError: a split is missing, twice there, without class folders, or beside other folders of images.
    """
    roles = _roles(path, top)
    # A class may be called "train" too; a split has classes below it.
    halves = [name for name in roles if _entries(path / name)[0]]
    if not halves and len(set(roles.values())) < 2:
        return {}
    for name in roles:
        if name not in halves and any(map(_is_image, _walk(path, name))):
            raise UsageError(f"{path / name} has images that lie in no class folder; {LAYOUT}.")
    if not halves:
        raise UsageError(f"{path} has {listing(roles)} without class folders in them; {LAYOUT}.")
    found = [roles[name] for name in halves]
    if missing := [role for role in ("train", "test") if role not in found]:
        lacks = f"{listing(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        raise UsageError(f"{path} has {listing(halves)} but not both train and test: {lacks}; {LAYOUT}.")
    for role in found:
        if len(twice := [name for name in halves if roles[name] == role]) > 1:
            raise UsageError(f"{path} has both {listing(twice)}; keep one of them.")
    if beside := [name for name in top if name not in roles and any(map(_is_image, _walk(path, name)))]:
        raise UsageError(
            f"{path} has images in {listing(beside)} beside its splits; splits are called train, test and validation."
        )
    return {f"{name}/": roles[name] for name in halves}


def _roles(path: Path, top: list[str]) -> dict[str, str]:
    """Those of the folders ``top`` that are splits by their names alone, in the order of `SPLITS`.

    Words beside those of `SPLITS` are the same in all of them, as in seg_train and seg_test. A name that is no more
    than a split's is always one; others are where there are several splits.

    Raises:
        UsageError: there are several such, as trainA and testA beside trainB and testB.
    """
    told = {name: said for name in top if (said := _said(name)) is not None}
    splits = defaultdict(set)
    for word, beside in told.values():
        splits[beside].add(SPLITS[word])
    several = {beside for beside, found in splits.items() if len(found) > 1}
    if len(several) > 1:
        names = [name for name, (_, beside) in told.items() if beside in several]
        raise UsageError(f"{path} has {listing(names)}, which look like the splits of several data sets; {LAYOUT}.")
    words = {
        name: word
        for name, (word, beside) in told.items()
        if beside in several or (not several and name.casefold().strip() in SPLITS)
    }
    return {name: SPLITS[word] for word in SPLITS for name in words if words[name] == word}


def _said(name: str) -> tuple[str, tuple[str, ...]] | None:
    """The word of `SPLITS` in ``name``, and the other words that tell something; None where there is none, or two."""
    words = [word.casefold() for word in _WORD.findall(name)]
    splits = [match[1] for word in words if (match := _SPLIT_WORD.fullmatch(word))]
    others = (word for word in words if not re.fullmatch(f"{_SPLIT_WORD.pattern}|{_ABOUT}", word))
    return (splits[0], tuple(others)) if len(splits) == 1 else None


def _of_names(names: Mapping[str, str]) -> tuple[str, ...]:
    """Notes on class folders whose names are hardly different: ``names`` of the folders and of their classes."""
    ways = defaultdict(list)
    for label, name in names.items():
        ways[name].append(label)
    notes = {f"read as one, since they {MERGED}": ways.values(), ALIKE: alike(ways)}
    return tuple(
        f"class folders {what}: {listing(map(shown, group))}"
        for what, groups in notes.items()
        for group in groups
        if len(group) > 1
    )


def _notes(path: Path, splits: dict[str, dict[str, list[str]]], loose: list[str]) -> tuple[str, ...]:
    notes = []
    if images := list(filter(_is_image, loose)):
        notes.append(f"images in {path} that lie in no class folder and were left out: {some(images)}")
    if others := [file for file in loose if not _is_image(file)]:
        are, were = ("is no image by its", "was") if len(others) == 1 else ("are no images by their", "were")
        count = f"{counted(len(others), 'file')} in {path} {are} name and {were} left out"
        notes.append(f"{count}: {some(others)}")
    first = next(iter(splits.values()))
    for split, classes in splits.items():
        if lacking := [repr(name) for name in first if not classes.get(name)]:
            notes.append(f"{split} has no images of class {some(lacking)}, and tells nothing of it")
    # Splits of an unknown name look so, and kinds of pictures that every class has as well.
    for split, classes in splits.items():
        depth = 1 if split == "all" else 2
        below = [{tuple(file.split("/")[depth:-1])[:1] for file in images} for images in classes.values()]
        if len(below) > 1 and len(below[0]) > 1 and all(each == below[0] for each in below):
            names = sorted(name for folder in below[0] for name in folder)
            notes.append(
                f"the classes {some(list(classes))} have the same sub-folders, which make no class: {some(names)}"
            )
    return tuple(notes)


def _is_image(file: str) -> bool:
    return file.lower().endswith(SUFFIXES)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _LEFTOVERS


def _entries(path: Path) -> tuple[list[str], list[str]]:
    """The names of the sub-folders of ``path`` and those of its files, without hidden ones, sorted."""
    try:
        with os.scandir(path) as entries:
            names = sorted((entry.name, entry.is_dir()) for entry in entries if not _is_hidden(entry.name))
    except OSError as error:
        raise UsageError(f"{path} cannot be read as a folder ({error.strerror}); {LAYOUT}.") from None
    return [name for name, is_folder in names if is_folder], [name for name, is_folder in names if not is_folder]


def _walk(path: Path, start: str) -> list[str]:
    """Every file below ``path / start`` that is not hidden: its path relative to ``path``, sorted.

    A link to a folder that it lies in leads in a circle, and is not followed.
    """
    paths: list[str] = []

    def unreadable(error: OSError) -> None:
        raise UsageError(f"{error.filename} cannot be read as a folder ({error.strerror}); {LAYOUT}.")

    for folder, below, names in os.walk(path / start, onerror=unreadable, followlinks=True):
        below[:] = [
            name for name in below if not _is_hidden(name) and not _leads_back(os.path.join(folder, name), path)
        ]
        relative = Path(folder).relative_to(path).as_posix()
        paths += [f"{relative}/{name}" for name in names if not _is_hidden(name)]
    return sorted(paths)


def _leads_back(folder: str, top: Path) -> bool:
    """Whether ``folder``, which lies below ``top``, is a link to one of the folders that it lies in."""
    if not os.path.islink(folder):
        return False
    target = os.path.realpath(folder)
    parents = [parent for parent in Path(folder).parents if parent.is_relative_to(top)]
    return any(Path(os.path.realpath(parent)).is_relative_to(target) for parent in parents)
