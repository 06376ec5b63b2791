"""The remedies that are tried where a network is unhealthy at initialisation. Each changes one option, and is called by
it: ``norm layer``. Importing this module imports nothing heavy."""

import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from dnnlab.errors import UsageError
from dnnlab.gradient_flow.spec import Spec
from dnnlab.networks import initialisers
from dnnlab.networks.activations import per_layer
from dnnlab.runner.options import arguments


def remedies_for(configuration: Mapping[str, Any]) -> Iterator[str]:
    """The remedies that change the network: criticality for a plain one, layer and batch normalisation, and a residual
    skip whose branches add up to a variance of one."""
    plain = configuration["norm"] == "none" and configuration["skip"] == "none"
    if plain and configuration["init"] != "critical" and _has_critical(configuration):
        yield "init critical"
    yield from (f"norm {norm}" for norm in ("layer", "batch") if norm != configuration["norm"])
    skip = f"residual:{1 / math.sqrt(configuration['depth'] - 1):.2g}"
    if skip != configuration["skip"]:
        yield f"skip {skip}"


def _has_critical(configuration: Mapping[str, Any]) -> bool:
    try:
        for name in set(per_layer(configuration["act"], configuration["depth"])):
            initialisers.variances("critical", 1, 1, name, name)
    except UsageError:
        return False
    return True


def change(remedy: str) -> dict[str, Any]:
    """What a remedy changes: an option of a configuration, and its new value."""
    option, _, value = remedy.partition(" ")
    return {option: value}


def command(spec: Spec, configuration: Mapping[str, Any], remedy: str) -> str:
    """The command that measures one configuration of ``spec`` under a remedy, with all its other options."""
    treated = {**configuration, **change(remedy)}
    alone: dict[str, Any] = {option: (value,) for option, value in treated.items() if option != "model"}
    return shlex.join(["dnnlab", "gradient-flow", *arguments(replace(spec, **alone))])
