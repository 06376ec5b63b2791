"""The search spaces by name, a user's own, and the file that a found network is written to and made from again.

Importing this package does not import torch.
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
from dnnlab.networks.spaces.space import Choices, Code, Space

if TYPE_CHECKING:
    from torch import nn

__all__ = ["SPACES", "Choices", "Code", "Found", "Space", "digest", "find", "is_file", "read"]

SPACES: Mapping[str, Space] = {"mlp": mlp.SPACE, "conv": conv.SPACE, "cell": cell.SPACE}


def find(name: str) -> Space:
    """The space called ``name``, or a user's ``package.module:space``, found from the current folder too.

    Raises:
        UsageError: there is none, or what is found is no `Space`.
    """
    if name in SPACES:
        return SPACES[name]
    place, colon, attribute = name.partition(":")
    if not colon or not place or not attribute:
        raise unknown("space", name, [*SPACES, "package.module:space"])
    from dnnlab.networks.own import imported

    module = imported(place, f"space {name!r}")
    if not isinstance(value := getattr(module, attribute, None), Space):
        theirs = [key for key, other in vars(module).items() if isinstance(other, Space)]
        raise unknown(f"space in {place}", attribute, theirs)
    return value


def digest(name: str) -> str:
    """SHA-256 of the code of a user's own space; nothing for those of dnnlab, whose code is in every key.

    Raises:
        UsageError: as `find`.
    """
    if name in SPACES:
        return ""
    from dnnlab.networks.own import code_digest

    find(name)
    return code_digest(name)


@dataclass(frozen=True)
class Found:
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
        """The file, with a line of ``comment`` on top. It names what matters of the choices alone."""
        import tomli_w

        kept = find(self.space).canonical(self.choices)
        choices = kept if isinstance(kept, dict) else self.choices
        return f"# {' '.join(comment.split())}\n" + tomli_w.dumps({"space": self.space, "choices": choices})


def is_file(arch: str) -> bool:
    """Whether ``arch`` is such a file's path rather than a network's name."""
    return arch.endswith(".toml")


def read(file: str) -> Found:
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
        return Found(name, space.choices(space.code(choices)))
    except UsageError as problem:
        raise UsageError(f"{file}: {problem}") from None
