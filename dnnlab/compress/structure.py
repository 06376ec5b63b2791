"""The shape of a compressed network, from the shapes of its tensors: a state dict alone rebuilds it. And which of its
layers a method works on."""

from collections.abc import Collection, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from dnnlab.compress.stages import Kind
from dnnlab.data.dataset import Dataset
from dnnlab.instruments.hooks import OUTPUT, UNUSED, Recorder
from dnnlab.instruments.unread import called
from dnnlab.networks import narrowed, outputs
from dnnlab.networks.remembered import copied, same_buffers
from dnnlab.networks.ties import completed
from dnnlab.networks.unread import with_own

FACTORS = (nn.Linear, nn.Conv2d)
"""The classes of layers that can be factorised."""


def rebuild(model: nn.Module, state: Mapping[str, Tensor], missing: Collection[str] = ()) -> nn.Module:
    """``model`` with layers of the shapes in ``state``, factorised or narrower, and with its values. Tensors in
    ``missing`` keep their own where ``state`` lacks them.

    Raises:
        RuntimeError: the tensors are of another network.
    """
    state = completed(model, with_own(model, state, missing))
    for name, module in list(model.named_modules()):
        if isinstance(module, FACTORS) and f"{name}.0.weight" in state and f"{name}.weight" not in state:
            replace(model, name, _factorised(module, name, state))
    narrowed.fit(model, state)
    model.load_state_dict(state)
    return model


def replace(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put ``module`` in the place of the submodule ``name``."""
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)


def _factorised(module: nn.Module, name: str, state: Mapping[str, Tensor]) -> nn.Sequential:
    if isinstance(module, nn.Linear):
        rank = len(state[f"{name}.0.weight"])
        return linear_factors(module, rank)
    assert isinstance(module, nn.Conv2d)
    first = len(state[f"{name}.0.weight"])
    if f"{name}.2.weight" not in state:
        return pointwise_factors(module, first)
    core = state[f"{name}.1.weight"]
    if core.shape[:2] == (first, 1):  # one kernel per channel; with one channel both forms are the same
        return cp_factors(module, first)
    return tucker_factors(module, first, len(core))


def linear_factors(module: nn.Linear, rank: int) -> nn.Sequential:
    """Two linear layers with ``rank`` units between them and nothing else, in the place of one."""
    second = nn.Linear(rank, module.out_features, bias=module.bias is not None)
    return nn.Sequential(nn.Linear(module.in_features, rank, bias=False), second).to(module.weight)


def pointwise_factors(module: nn.Conv2d, rank: int) -> nn.Sequential:
    """Two 1×1 convolutions with ``rank`` channels between them, in the place of one."""
    first = nn.Conv2d(module.in_channels, rank, 1, cast(Any, module.stride), bias=False)
    second = nn.Conv2d(rank, module.out_channels, 1, bias=module.bias is not None)
    return nn.Sequential(first, second).to(module.weight)


def tucker_factors(module: nn.Conv2d, inputs: int, outputs: int) -> nn.Sequential:
    """1×1 to ``inputs`` channels, the kernel to ``outputs``, and 1×1 back (Kim 2016)."""
    return _around_a_core(module, inputs, outputs, 1)


def cp_factors(module: nn.Conv2d, rank: int) -> nn.Sequential:
    """1×1 to ``rank`` channels, a kernel a channel, and 1×1 back (Lebedev 2015)."""
    return _around_a_core(module, rank, rank, rank)


def _around_a_core(module: nn.Conv2d, inputs: int, outputs: int, groups: int) -> nn.Sequential:
    core = nn.Conv2d(
        inputs,
        outputs,
        cast(Any, module.kernel_size),
        cast(Any, module.stride),
        cast(Any, module.padding),
        cast(Any, module.dilation),
        groups,
        bias=False,
        padding_mode=module.padding_mode,
    )
    first = nn.Conv2d(module.in_channels, inputs, 1, bias=False)
    last = nn.Conv2d(outputs, module.out_channels, 1, bias=module.bias is not None)
    return nn.Sequential(first, core, last).to(module.weight)


def layers(model: nn.Module, kind: Kind) -> dict[str, Any]:
    """The layers of ``model`` by name on which a ``kind`` of stage works; not those whose weight is set aside."""
    classes = tuple(getattr(nn, name) for name in kind.layers)
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, classes) and isinstance(module.weight, nn.Parameter)
    }


def others(model: nn.Module, kind: Kind, data: Dataset) -> dict[str, str]:
    """The layers of ``model`` that a ``kind`` of stage does not know, by name, each with what it is: those that
    multiply by a matrix, and embeddings. A matrix that the network itself owns has its own name."""
    known = layers(model, kind)
    used = (row for row in _rows(model, data) if row["place"] != UNUSED)
    owners = {_owner(name) or name: row["kind"] for row in used for name in row["matrices"]}
    there = weights(model)
    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding | nn.EmbeddingBag) and any(p is module.weight for p in there.values()):
            owners.setdefault(name, type(module).__name__)
    return {name: f"a weight of {owner}" for name, owner in owners.items() if name not in known}


def listed(left: Mapping[str, str]) -> str:
    """``a, b (why); c (why)``: the layers that a stage leaves, those with the same reason together."""
    reasons: dict[str, list[str]] = {}
    for layer, reason in left.items():
        reasons.setdefault(reason, []).append(layer)
    return "; ".join(f"{', '.join(layers)} ({reason})" for reason, layers in reasons.items())


READ_BY_OTHERS = "others read its weight, and not through a call of it"


def never_called(model: nn.Module, names: Collection[str], x: Tensor) -> list[str]:
    """Those of the submodules ``names`` that a forward pass of ``x`` in training does not call."""
    seen = called(model.train(), names, x)
    model.eval()
    return [name for name in names if name not in seen]


def called_alone(model: nn.Module, name: str, x: Tensor) -> bool:
    """Whether the layer takes part through its call alone, so that another module can stand in its place: one without
    a weight, which calls it."""
    trial = copied(model)
    replace(trial, name, _Behind(trial.get_submodule(name)))
    try:
        for training in (False, True):
            trial.train(training)
            with torch.set_grad_enabled(training), same_buffers(trial):
                trial(x)
    except Exception:  # noqa: BLE001 - whatever a network raises that misses its layer
        return False
    trial.eval()
    with torch.no_grad():
        wanted, given = (outputs.logits(network.eval()(x)) for network in (model, trial))
    return bool(torch.allclose(given, wanted, rtol=1e-4, atol=1e-6, equal_nan=True))


class _Behind(nn.Module):
    """Calls a layer, and has none of its attributes."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, *inputs: Tensor) -> Tensor:
        out: Tensor = self.layer(*inputs)
        return out


def last_layers(model: nn.Module, data: Dataset) -> set[str]:
    """The names of the modules whose matrices make the logits."""
    return {_owner(name) for row in _rows(model, data) if row["place"] == OUTPUT for name in row["matrices"]}


def _rows(model: nn.Module, data: Dataset) -> list[dict[str, Any]]:
    """What the instrument says of the layers of ``model``, in evaluation mode."""
    model.eval()
    with Recorder(model) as recorder:
        model(data.inputs(data.train[:2]))
    return recorder.rows()


def _owner(parameter: str) -> str:
    return parameter.rpartition(".")[0]


def weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters of two dimensions or more by name, without those of normalisation: those that are pruned, shared
    and coded. One that several layers share is there once."""
    norms = {
        id(p) for module in model.modules() if isinstance(module, _NORMS) for p in module.parameters(recurse=False)
    }
    return {name: p for name, p in model.named_parameters() if p.ndim > 1 and id(p) not in norms}


def biases(model: nn.Module) -> dict[str, nn.Parameter]:
    """The biases of layers by name, without those of normalisation. One that several layers share is there once."""
    known = {id(weight) for weight in weights(model).values()}
    of_layers = {
        id(bias)
        for module in model.modules()
        if isinstance(bias := getattr(module, "bias", None), nn.Parameter) and id(getattr(module, "weight", 0)) in known
    }
    return {name: p for name, p in model.named_parameters() if id(p) in of_layers}


_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
