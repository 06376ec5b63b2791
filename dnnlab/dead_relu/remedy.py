"""The remedies: each changes one thing of a configuration. Importing this module imports nothing heavy."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NO_REMEDY = "none"
_LOWER = 10
_CLIP = 1.0


@dataclass(frozen=True)
class Remedy:
    """A remedy by name, its source, and what it changes: fields of a cell and their new values."""

    name: str
    source: str
    change: Callable[[Mapping[str, Any]], dict[str, Any]]


REMEDIES = (
    Remedy("leaky_relu", "lecture", lambda cell: {"act": "leaky_relu"}),
    Remedy("prelu", "lecture", lambda cell: {"act": "prelu"}),
    Remedy("lower lr", "lecture", lambda cell: {"lr": cell["lr"] / _LOWER}),
    Remedy("he init", "lecture", lambda cell: {"init": "he"}),
    Remedy("clipping", "lecture", lambda cell: {"clip": _CLIP}),
    Remedy("elu", "Clevert 2016", lambda cell: {"act": "elu"}),
    Remedy("gelu", "Hendrycks 2016", lambda cell: {"act": "gelu"}),
    Remedy("rai init", "Lu 2019", lambda cell: {"init": "rai"}),
    Remedy("batch norm", "Ioffe 2015", lambda cell: {"norm": "batch"}),
    Remedy("residual", "He 2016", lambda cell: {"skip": "residual"}),
)
"""The lecture's four kinds (another activation, a lower learning rate, a better initialisation, clipping), and
the field's."""


def remedies_for(configuration: Mapping[str, Any]) -> Iterator[str]:
    """The names of the remedies that change the configuration, after `NO_REMEDY`."""
    yield NO_REMEDY
    yield from (remedy.name for remedy in REMEDIES if treat(configuration, remedy.name) != dict(configuration))


def treat(configuration: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The configuration under the remedy called ``name``."""
    if name == NO_REMEDY:
        return dict(configuration)
    remedy = next(remedy for remedy in REMEDIES if remedy.name == name)
    return {**configuration, **remedy.change(configuration)}
