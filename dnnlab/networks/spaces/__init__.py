"""Search spaces: those of dnnlab by name, and your own.

Importing this package does not import torch. The file that a search writes a network to is read here, too.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dnnlab import toml
from dnnlab.errors import UsageError, unknown
from dnnlab.networks.spaces import cell, conv, mlp
from dnnlab.networks.spaces.space import Choices, Space

if TYPE_CHECKING:
    from torch import nn

__all__ = ["SPACES", "Space", "find"]

SPACES: Mapping[str, Space] = {"mlp": mlp.SPACE, "conv": conv.SPACE, "cell": cell.SPACE}
"""The search spaces of dnnlab: fully connected networks, small convolutional ones, and the cells of NAS-Bench-201 (Dong
& Yang 2020).

A cell has six edges with one of five operations each, so there are 5⁶ of them:

>>> from dnnlab.networks.spaces import SPACES
>>> len(SPACES["cell"])
15625
"""


def find(name: str) -> Space:
    """A search space by name.

    Args:
        name: One of `SPACES`; or your own, as ``package.module:space``, which is found from the current folder too.

    Raises:
        UsageError: There is no such space, or what is found is no `Space`.

    >>> from dnnlab.networks.spaces import SPACES, find
    >>> find("mlp") is SPACES["mlp"]
    True
    """
    if name in SPACES:
        return SPACES[name]
    place, colon, attribute = name.partition(":")
    if not colon or not place or not attribute:
        raise unknown("space", name, [*SPACES, "package.module:space"])
    from dnnlab.networks.user_network import imported

    module = imported(place, f"space {name!r}")
    if not isinstance(value := getattr(module, attribute, None), Space):
        theirs = [key for key, other in vars(module).items() if isinstance(other, Space)]
        raise unknown(f"space in {place}", attribute, theirs)
    return value


def digest(name: str) -> str:
    """SHA-256 of the code of a user's own space; empty for those of dnnlab, whose code is in every key.

    Raises:
        UsageError: as `find`.
    """
    if name in SPACES:
        return ""
    from dnnlab.networks.user_network import code_digest

    find(name)
    return code_digest(name)


@dataclass(frozen=True)
class NetworkDescription:
    """A network as a file describes it: ``space = "NAME"``, and a table ``[choices]``."""

    space: str
    choices: Choices

    def build(self, shape: tuple[int, ...], classes: int) -> "nn.Module":
        """A fresh network for inputs of ``shape``."""
        return find(self.space).build(self.choices, shape, classes)

    def digest(self) -> str:
        """SHA-256 of the description, and of the code of a user's own space."""
        content = json.dumps([self.space, self.choices, digest(self.space)], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def toml(self, comment: str) -> str:
        """The content of the file, with ``comment`` on its first line. It has only the choices that matter."""
        import tomli_w

        canonical = find(self.space).canonical(self.choices)
        choices = canonical if isinstance(canonical, dict) else self.choices
        return f"# {' '.join(comment.split())}\n" + tomli_w.dumps({"space": self.space, "choices": choices})


def is_file(arch: str) -> bool:
    """Whether ``arch`` is the path of a file that describes a network."""
    return arch.endswith(".toml")


def read(file: str) -> NetworkDescription:
    """The network in ``file``.

    Raises:
        UsageError: there is none, or its space or choices are not known.
    """
    content = toml.read(Path(file), f"the network {file}")
    name, choices = content.get("space"), content.get("choices")
    if not isinstance(name, str) or not isinstance(choices, dict):
        raise UsageError(f'{file} describes no network; it needs space = "NAME" and a table [choices].')
    space = find(name)
    try:
        return NetworkDescription(name, space.choices(space.code(choices)))
    except UsageError as problem:
        raise UsageError(f"{file}: {problem}") from None
