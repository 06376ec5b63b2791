"""Names that a package offers to its users, each imported when somebody first asks for it.

So nothing heavy is loaded early, and no two packages import each other in a circle. dnnlab itself imports from the
modules where things are defined: then a run's key depends on those modules alone.
"""

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def offers(package: str, places: Mapping[str, tuple[str, str]]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The functions ``__getattr__`` and ``__dir__`` of a package, which import the names that it offers when they are
    used.

    ``places`` has for each name the module, written in full, and the name there. `dnnlab.code` reads these texts, so
    that a user's own network that imports from the package has all of these modules in its key.
    """

    def getattribute(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, attribute = places[name]
        return getattr(importlib.import_module(module), attribute)

    def names() -> list[str]:
        return sorted(places)

    return getattribute, names
