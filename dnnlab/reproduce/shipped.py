"""The places of the lecture's recipes and of the published ledgers, in a checkout or as they were installed; and the
files of a folder that are recipes."""

from collections.abc import Iterator
from pathlib import Path

import dnnlab
from dnnlab.errors import UsageError

_PACKAGE = Path(dnnlab.__file__).parent
_RECIPES = "experiments"
_PLACES = (_PACKAGE / _RECIPES, _PACKAGE.parent / _RECIPES)
DEMO = Path("1-deep-networks") / "demo.toml"
"""The recipe of ``dnnlab demo`` in their `folder`."""
_REFERENCES = (_PACKAGE / "reference", _PACKAGE.parent / "results" / "reference")


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


def found(path: Path) -> Path:
    """``path``; where nothing lies there and it begins with ``experiments/``, what the lecture's recipes have under
    that name, so that such a path means the same in every folder."""
    if path.exists() or path.parts[:1] != (_RECIPES,) or ".." in path.parts:
        return path
    shipped = folder().joinpath(*path.parts[1:])
    return shipped if shipped.exists() else path


def reference(profile: str) -> Path | None:
    """The folder of the ledger of ``profile``, measured on a CPU, that came with dnnlab; None where none did."""
    return next((folder for place in _REFERENCES if (folder := place / f"cpu-{profile}").is_dir()), None)


def is_shipped(recipe: Path) -> bool:
    """Whether ``recipe`` is one of the recipes that come with dnnlab."""
    return any(recipe.resolve().is_relative_to(place.resolve()) for place in _PLACES)


def recipes_of(path: Path) -> Iterator[Path]:
    """The recipe that is `found` at ``path``, or the recipes below it.

    Raises:
        UsageError: there is nothing.
    """
    path = found(path)
    if path.is_dir():
        yield from sorted(path.rglob("*.toml"))
    elif path.exists():
        yield path
    else:
        raise UsageError(f"there is no recipe {path}; give a file, or a folder such as {folder()}.")
