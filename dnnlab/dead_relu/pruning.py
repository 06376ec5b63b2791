"""Removes the dead units of a module: channels and features of the layers before and behind them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from dnnlab.instruments.certified import Site
from dnnlab.instruments.traced import FLATTENS, POOL_FUNCTIONS, POOLS, SAME
from dnnlab.networks.narrowed import BATCH_NORM, narrowable, replace, resize
from dnnlab.networks.weights import NARROWER


@dataclass
class Pruned:
    """The result of pruning: the units that were removed, by the layer that made them, and the units that had to
    stay."""

    removed: dict[str, int] = field(default_factory=dict)
    kept_dead: int = 0

    @property
    def total(self) -> int:
        return sum(self.removed.values())

    def metadata(self) -> dict[str, str]:
        """The entries for the metadata of the .safetensors file."""
        return {NARROWER: json.dumps({"removed": self.removed})}


def prune(graph: fx.GraphModule, sites: Sequence[Site]) -> Pruned:
    """Take the dead units of ``sites`` out of the graph's modules, in place.

    A unit goes where one layer makes it (with batch norm or nothing between) and only layers read it, through
    pooling, dropout or flattening. What meets a sum, a concatenation or the output has to stay, and so does one
    unit a layer.
    """
    outcome = Pruned()
    calls = [node.target for node in graph.graph.nodes if node.op == "call_module"]
    for site in sites:
        if site.dead is None or not bool(site.dead.any()):
            continue
        dead = site.dead.clone()
        if bool(dead.all()):
            dead[0] = False
        made, read = _makers(graph, site), _readers(graph, site.node)
        shared = made is None or read is None or any(calls.count(name) > 1 for name in (*made, *read))
        if made is None or read is None or shared:
            outcome.kept_dead += int(site.dead.sum())
            continue
        outcome.kept_dead += int(site.dead.sum() - dead.sum())
        keep = (~dead).nonzero().flatten()
        for name in made:
            _keep_outputs(graph.get_submodule(name), keep)
        for name in read:
            _keep_inputs(graph.get_submodule(name), keep, len(dead))
        outcome.removed[made[-1]] = int(dead.sum())
    return outcome


def _makers(graph: fx.GraphModule, site: Site) -> list[str] | None:
    """The modules that make what ``site`` reads, back to the layer whose units they are, which comes last; ``None``
    where others read or make it too."""
    names: list[str] = []
    node = site.node.args[0] if site.node.args else site.node.kwargs.get("input")
    while isinstance(node, fx.Node) and node.op == "call_module" and len(node.users) == 1:
        module = graph.get_submodule(str(node.target))
        names.append(str(node.target))
        if narrowable(module):
            return names if names[-1] == site.name.partition("#")[0] else None
        if not isinstance(module, BATCH_NORM):
            return None
        node = node.args[0]
    return None


def _readers(graph: fx.GraphModule, node: fx.Node) -> list[str] | None:
    """The layers that read ``node``, directly or through what keeps units apart; ``None`` where others do."""
    names: list[str] = []
    for user in node.users:
        module = graph.get_submodule(str(user.target)) if user.op == "call_module" else None
        if module is not None and narrowable(module):
            names.append(str(user.target))
            continue
        passes = isinstance(module, (*SAME, *POOLS, nn.Flatten)) or user.target in (*POOL_FUNCTIONS, *FLATTENS)
        further = _readers(graph, user) if passes or user.target is F.dropout else None
        if further is None:
            return None
        names += further
    return names or None


def _keep_outputs(module: Any, keep: Tensor) -> None:
    for name in ("weight", "bias", "running_mean", "running_var"):
        if getattr(module, name, None) is not None:
            replace(module, name, getattr(module, name)[keep])
    resize(module)


def _keep_inputs(module: Any, keep: Tensor, units: int) -> None:
    # Behind a flattening a unit is a run of features, one for each position.
    each = module.weight.shape[1] // units
    columns = (keep[:, None] * each + torch.arange(each, device=keep.device)).flatten()
    replace(module, "weight", module.weight[:, columns])
    resize(module)
