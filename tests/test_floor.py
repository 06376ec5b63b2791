"""What `make test-floor` installs is the oldest that pyproject.toml allows."""

import tomllib
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]


def versions(requirements, operator):
    """The version that each requirement names with ``operator``, by the canonical name of the package."""
    read = [Requirement(text) for text in requirements]
    return {
        canonicalize_name(r.name): [Version(s.version) for s in r.specifier if s.operator == operator] for r in read
    }


def test_the_pins_of_the_floor_are_the_lower_bounds():
    content = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, tools = content["project"], content["dependency-groups"]["dev"]
    lines = (ROOT / "constraints-floor.txt").read_text().splitlines()
    pins = versions([line for line in lines if line and not line.startswith("#")], "==")
    assert all(len(pin) == 1 for pin in pins.values())
    declared = versions([*project["dependencies"], *chain(*project["optional-dependencies"].values())], ">=")
    assert {name: pins.get(name) for name in declared} == declared
    pinned_tools = {name: bound for name, bound in versions(tools, ">=").items() if name in pins}
    assert {name: pins[name] for name in pinned_tools} == pinned_tools
