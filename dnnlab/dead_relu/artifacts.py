"""The network that ``--prune-dead`` writes: without its certified dead units, and proven to give the same outputs."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from dnnlab import atomic
from dnnlab.data import load
from dnnlab.dead_relu.pruning import prune
from dnnlab.dead_relu.spec import Spec
from dnnlab.errors import DnnlabError
from dnnlab.instruments.certified import certify
from dnnlab.instruments.traced import trace
from dnnlab.instruments.unread import unread
from dnnlab.networks import named, user_network
from dnnlab.networks.ties import once
from dnnlab.runner.configuration import networks
from dnnlab.statistics.streams import stream
from dnnlab.training.evaluation import check

_TRIED = 1024
_TOLERANCE = 1e-5
"""Largest change of a logit, relative to the largest logit: only the order of float32 sums may differ."""
_NONE = "no unit is proven dead on the whole box of the data"


def write(spec: Spec) -> Sequence[str]:
    """Write the files that the options ask for, and give one sentence for each file.

    Raises:
        UsageError: the model cannot be traced as a graph.
        DnnlabError: the pruned network gives other outputs, which must not be; nothing is written then.
    """
    if not spec.prune_dead:
        return []
    data = load(spec.data[0])
    (network,) = networks(spec)
    model = named.build(network, data.shape, len(data.classes))
    user_network.load_weights(model, spec.weights, partial(unread, data=data, training=True))
    model.eval()
    graph = trace(model)
    low, high = data.box()
    before_count = sum(p.numel() for p in model.parameters())
    inputs = _inputs(data.inputs(data.train[:_TRIED]), low, high)
    check(model, data)
    with torch.no_grad():
        before = model(inputs)
        outcome = prune(graph, certify(graph, low, high))
        after = model(inputs)
    change = float((after - before).abs().max())
    if not change <= _TOLERANCE * max(1.0, float(before.abs().max())):
        raise DnnlabError(f"without its dead units the network's outputs change by {change:g}; nothing was written.")
    state = {name: value.detach().contiguous() for name, value in once(model).items()}
    file = Path(spec.prune_dead)
    atomic.write(file, save(state, metadata=outcome.metadata()))
    if not outcome.total:
        found = f"{outcome.kept_dead} units are proven dead, and all have to stay" if outcome.kept_dead else _NONE
        return [f"{file}: {found}; the file has the network as it was"]
    count = sum(p.numel() for p in model.parameters())
    stay = f"; {outcome.kept_dead} more have to stay" if outcome.kept_dead else ""
    return [
        f"{file}: {outcome.total} certified dead units removed{stay}, {before_count:,} parameters down to {count:,}, "
        f"outputs on {len(inputs):,} inputs changed by at most {change:.1e}"
    ]


def _inputs(examples: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Training examples, and as many random points of their bounding box, ``[input, *shape]``."""
    rng = stream(0, 0, "box")
    share = torch.from_numpy(rng.random((len(examples), *low.shape), dtype="float32"))
    return torch.cat([examples, low + share * (high - low)])
