"""The place of the lecture's recipes, and the files of a folder that are recipes."""

from collections.abc import Iterator
from pathlib import Path

import dnnlab
from dnnlab.errors import UsageError

_PACKAGE = Path(dnnlab.__file__).parent
_PLACES = (_PACKAGE / "experiments", _PACKAGE.parent / "experiments")


def folder() -> Path:
    """The folder of the recipes that come with dnnlab, installed or in a checkout; relative where it is below the
    current folder.

    Raises:
        UsageError: there are none.
    """
    here = Path.cwd()
    for place in _PLACES:
        if any(place.glob("*/*.toml")):
            return place.relative_to(here) if place.is_relative_to(here) else place
    raise UsageError("the recipes of the lecture are not here; name a recipe or a folder of recipes.")


def is_shipped(recipe: Path) -> bool:
    """Whether ``recipe`` is one of the recipes that come with dnnlab."""
    return any(recipe.resolve().is_relative_to(place.resolve()) for place in _PLACES)


def recipes_of(path: Path) -> Iterator[Path]:
    """``path`` itself, or the recipes below it.

    Raises:
        UsageError: there is nothing.
    """
    if path.is_dir():
        yield from sorted(path.rglob("*.toml"))
    elif path.exists():
        yield path
    else:
        raise UsageError(f"there is no recipe {path}; give a file, or a folder such as {folder()}.")
