"""The base of a claim's seeds: a digest of what the recipe asks and when its claim holds.

So a condition cannot be moved to where the numbers already lie: whoever changes it gets seeds that nobody has seen, and
measures anew.
"""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dnnlab.errors import UsageError
from dnnlab.runner import recipe as recipes
from dnnlab.runner.provenance import digest
from dnnlab.runner.recipe import Recipe

_LARGEST = 2**31


class Bases:
    """The digests of recipes under a ``profile``; ``seed`` makes others of them, where it is given."""

    def __init__(self, profile: str, seed: int | None) -> None:
        self.profile, self.seed = profile, seed
        self._folders: dict[Path, list[Recipe]] = {}

    def digest(self, recipe: Recipe) -> str:
        """SHA-256, in hexadecimal, of the experiment, the options and the conditions of ``recipe``.

        Recipes of one folder that ask the same share a run, and so the seeds: the conditions of all of them count.
        """
        asked = self._asked(recipe)
        together = [each for each in self._beside(recipe) if self._asked(each) == asked]
        content = {"asked": asked, "holds": self._conditions(together), "seed": self.seed}
        return digest(content)

    def base(self, recipe: Recipe) -> int:
        """The base of the seeds."""
        return int(self.digest(recipe)[:8], 16) % _LARGEST

    def _asked(self, recipe: Recipe) -> str:
        return json.dumps([recipe.experiment, recipe.options_for(self.profile)], sort_keys=True, default=str)

    def _conditions(self, those: Iterable[Recipe]) -> list[str]:
        claims = [claim for each in those if (claim := each.claim_for(self.profile)) is not None]
        conditions: list[dict[str, Any]] = [dataclasses.asdict(each) for claim in claims for each in claim.holds]
        conditions += [{"control": dataclasses.asdict(each)} for claim in claims for each in claim.control]
        return sorted(json.dumps(condition, sort_keys=True, default=str) for condition in conditions)

    def _beside(self, recipe: Recipe) -> list[Recipe]:
        """``recipe`` and the others of its folder; a file that does not read shares no run with it."""
        folder = recipe.path.absolute().parent
        if folder not in self._folders:
            self._folders[folder] = [each for file in sorted(folder.glob("*.toml")) if (each := _read(file))]
        others = [each for each in self._folders[folder] if each.path.name != recipe.path.name]
        return [recipe, *others]


def _read(file: Path) -> Recipe | None:
    try:
        return recipes.read(file)
    except UsageError:
        return None
