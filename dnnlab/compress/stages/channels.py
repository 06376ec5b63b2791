"""Which layers of a network can lose channels: each is tried, and held against the network with these channels at zero.

torch-pruning says which layers must lose the same channels, from a trace of the operations. Where a network splits,
shuffles or reshapes channels in a way that this does not tell, it would take out the wrong ones without a word.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dnnlab.compress.stages import TooMuch
from dnnlab.compress.structure import rebuild
from dnnlab.errors import first_line
from dnnlab.instruments.operations import tensors
from dnnlab.networks import outputs
from dnnlab.networks.remembered import copied, same_state
from dnnlab.networks.ties import once, ties

_NOISE = 0.05
"""The least standard deviation of what is added to parameters, so that none is zero, as some are at the start."""
_TOLERANCE = 1e-3
"""Largest difference between outputs, relative to the largest of them: sums may come in another order. A wrong channel
changes them by about one part in as many as there are channels."""
_ACROSS_CHANNELS = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.LocalResponseNorm, nn.CrossMapLRN2d)
"""Normalisation by statistics over channels, which change when one is taken out: in the comparison it does nothing."""
WORKS, LOGITS, FAILS = "works", "logits", "fails"
"""What a trial says of a group of layers: it can lose channels; they are the logits; or it cannot."""


@dataclass(frozen=True)
class Group:
    """Layers that must lose the same channels."""

    root: str
    """The layer of which torch-pruning makes the group."""
    layers: tuple[str, ...]
    """The names of all layers, the root among them."""


def fixed(model: nn.Module, example: Tensor) -> tuple[list[Group], list[Group]]:
    """The groups of convolutions and linear layers that cannot lose channels, and those whose channels are the logits
    of ``example [batch, *shape]``.

    Raises:
        TooMuch: torch-pruning cannot follow what the network does.
    """
    with quiet(), _bounded(model, example):
        every, lost = _groups(model, example)
        found = {LOGITS: [], FAILS: [Group(name, (name,)) for name in lost]}
        for group, outcome in _Trial(model, example, lost).outcomes([group for group in every if group.root]):
            if outcome != WORKS:
                found[outcome].append(group)
    return found[FAILS], found[LOGITS]


def unseen(model: nn.Module, example: Tensor) -> list[str]:
    """The names of the convolutions and linear layers that torch-pruning does not see: it follows gradients from call
    to call. Those that no logit depends on are none of them, if they were `set_aside`.

    Raises:
        TooMuch: torch-pruning cannot follow what the network does.
    """
    with quiet():
        seen = _graph(model, example).module2node
    return [name for name, module in layers(model).items() if module not in seen]


def layers(model: nn.Module, aside: bool = False) -> dict[str, nn.Module]:
    """The convolutions and linear layers of ``model`` by name; or those that were set ``aside``, as no logit depends on
    them."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.modules.conv._ConvNd | nn.Linear) and ("weight" in module._buffers) == aside
    }


def proven(model: nn.Module, example: Tensor, history: Any) -> bool:
    """Whether a pruner whose ``history`` is that of torch-pruning takes the right channels out of ``model``."""

    def again(pruner: Any) -> None:
        for name, _, chosen in history:
            layer = pruner.model.get_submodule(name)
            out = pruner.DG.get_pruner_of_module(layer).prune_out_channels
            pruner.DG.get_pruning_group(layer, out, idxs=chosen).prune()

    with quiet(), _bounded(model, example):
        _, lost = _groups(model, example)
        return _Trial(model, example, lost).outcome_of(again) == WORKS


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress the warnings of torch-pruning about parameters that no layer owns, and about layers that nothing leads
    to."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"torch_pruning.*")
        yield


def dependencies(model: nn.Module, example: Tensor, **options: Any) -> Any:
    """The pruner of torch-pruning on ``model``, which knows what depends on what."""
    import torch_pruning as tp

    class Pruner(tp.pruner.BasePruner):  # type: ignore[misc]
        """Keeps channels that meet several grouped layers divisible by all of their numbers of groups."""

        def _get_channel_groups(self, group: Any) -> int:
            return channel_groups(self, group)

    fresh: dict[str, Any] = {"in_channel_groups": {}, "out_channel_groups": {}, "num_heads": {}}
    options = {"importance": tp.importance.MagnitudeImportance(p=2)} | options
    return Pruner(model, example, root_module_types=_roots(), **fresh, **options)


def _graph(model: nn.Module, example: Tensor) -> Any:
    """What depends on what in ``model``, as torch-pruning sees it.

    Raises:
        TooMuch: it cannot follow what the network does.
    """
    import torch_pruning as tp

    try:
        return tp.DependencyGraph().build_dependency(model, example)
    except Exception as problem:  # whatever a network and a trace of it may raise
        raise TooMuch(f"structured: torch-pruning cannot follow this network ({first_line(problem)}).") from problem


@contextmanager
def _bounded(model: nn.Module, example: Tensor) -> Iterator[None]:
    """Let torch-pruning give up where it names more channels than there can be: where it misreads a reshape, their
    number grows at every turn, and it would never end."""
    from torch_pruning.dependency.group import Group as Chosen

    most, add = _SPARE * _largest(model, example), Chosen.add_dep

    def add_few(self: Any, dep: Any, idxs: Any) -> None:
        if len(idxs) > most:
            raise ValueError("more channels than there are")
        add(self, dep, idxs)

    Chosen.add_dep = add_few
    try:
        yield
    finally:
        Chosen.add_dep = add


_SPARE = 4
"""How many times as many channels may be named as the largest tensor has elements."""


def _largest(model: nn.Module, example: Tensor) -> int:
    """The number of elements, of one input, of the largest tensor that goes into a module of ``model`` or out of it."""
    sizes = [example[0].numel()]

    def look(module: nn.Module, given: Any, out: Any) -> None:
        sizes.extend(t.numel() // len(example) for t in tensors((given, out)))

    hooks = [module.register_forward_hook(look) for module in model.modules()]
    try:
        with torch.no_grad(), same_state(model):
            model(example)
    finally:
        for hook in hooks:
            hook.remove()
    return max(sizes)


def _groups(model: nn.Module, example: Tensor) -> tuple[list[Group], list[str]]:
    """The groups of layers of ``model`` that must lose the same channels, and the names of layers of which it cannot be
    told which others must.

    Raises:
        TooMuch: torch-pruning cannot follow what the network does.
    """
    graph, roots = _graph(model, example), tuple(_roots())
    names = {module: name for name, module in model.named_modules()}
    found, lost, visited = [], [], set[str]()
    for layer in list(graph.module2node):
        if not isinstance(layer, roots) or layer not in names or names[layer] in visited:
            continue
        out = graph.get_pruner_of_module(layer).prune_out_channels
        try:
            group = graph.get_pruning_group(layer, out, list(range(graph.get_out_channels(layer))))
        except Exception:  # noqa: BLE001 - whatever torch-pruning stumbles over, the layer is left alone
            lost.append(names[layer])
            continue
        found.append(_group(group, names, graph))
        visited.update(found[-1].layers)
    return found, lost


def _roots() -> list[type[nn.Module]]:
    return [nn.modules.conv._ConvNd, nn.Linear]


def _group(group: Any, names: dict[nn.Module, str], graph: Any) -> Group:
    made = [dep.target.module for dep, _ in group if graph.is_out_channel_pruning_fn(dep.handler)]
    layers = [names[module] for module in made if isinstance(module, tuple(_roots())) and module in names]
    return Group(names.get(group[0].dep.target.module, ""), tuple(dict.fromkeys(layers)))


class _Trial:
    """Takes channels out of copies of a network, and none of its layers ``lost``, which torch-pruning cannot follow."""

    def __init__(self, model: nn.Module, example: Tensor, lost: Sequence[str]) -> None:
        self.example, self.lost = example, lost
        self.model = copied(model).eval()
        noise = torch.Generator(example.device).manual_seed(0)
        with torch.no_grad():
            for parameter in self.model.parameters():
                if parameter.is_floating_point():
                    spread = max(float(parameter.std()) if parameter.numel() > 1 else 0.0, _NOISE)
                    drawn = torch.randn(parameter.shape, generator=noise, device=parameter.device)
                    parameter.add_(drawn.to(parameter.dtype), alpha=spread)

    def outcomes(self, groups: Sequence[Group]) -> Iterator[tuple[Group, str]]:
        """What a trial says of each of ``groups``. All are tried at once, and halves of them where that fails."""
        if not groups:
            return
        outcome = self.outcome(groups)
        if outcome == WORKS or len(groups) == 1:
            yield from ((group, outcome) for group in groups)
            return
        half = len(groups) // 2
        parts = [list(self.outcomes(part)) for part in (groups[:half], groups[half:])]
        told = [pair for part in parts for pair in part]
        if all(outcome == WORKS for _, outcome in told):  # each half works, and both together do not
            told = [*parts[0], *((group, FAILS) for group, _ in parts[1])]
        yield from told

    def outcome(self, groups: Sequence[Group]) -> str:
        """What happens when each of ``groups`` loses channels."""

        def take_out(pruner: Any) -> None:
            for number, group in enumerate(groups):
                _take_out(pruner, pruner.model.get_submodule(group.root), np.random.default_rng(number))

        return self.outcome_of(take_out)

    def outcome_of(self, take_out: Callable[[Any], None]) -> str:
        """What happens when ``take_out`` takes channels out by a pruner: whether the outputs are those of the network
        with these channels at zero, and the state alone rebuilds it."""
        try:
            narrower, whole = self._without(take_out)
            again = rebuild(copied(self.model), narrower.state_dict()).eval()
            networks = [_no_norms(network) for network in (narrower, whole, again)]
            with torch.no_grad():
                ours, wanted, rebuilt = (outputs.logits(network(self.example)) for network in networks)
                outputs.logits(narrower.train()(self.example))  # in training it may call other layers
        except Exception:  # noqa: BLE001 - whatever a network and a trace of it may raise, the layer is left alone
            return FAILS
        if ours.shape != wanted.shape:
            return LOGITS
        allowed = _TOLERANCE * float(wanted.abs().max())
        same = all(bool((out - wanted).abs().max() <= allowed) for out in (ours, rebuilt))
        return WORKS if same else FAILS

    def _without(self, take_out: Callable[[Any], None]) -> tuple[nn.Module, nn.Module]:
        """The network without the channels that ``take_out`` takes out by a pruner, and with them, their parameters at
        zero."""
        narrower, whole = copied(self.model), copied(self.model)
        pruner = dependencies(narrower, self.example, ignored_layers=list(map(narrower.get_submodule, self.lost)))
        values = {name: tensor.detach().clone() for name, tensor in narrower.state_dict().items()}
        _number(narrower)
        take_out(pruner)
        if ties(narrower) != ties(self.model):
            raise ValueError("a weight that layers share would be two")
        parameters = dict(whole.named_parameters(remove_duplicate=False))
        with torch.no_grad():
            for name, numbers in once(narrower).items():
                kept = numbers.detach().long().flatten()
                numbers.data = values[name].flatten()[kept].view(numbers.shape)
                if numbers.shape == values[name].shape:
                    continue
                if name in parameters:
                    gone = torch.ones(values[name].numel(), dtype=torch.bool, device=kept.device)
                    gone[kept] = False
                    parameters[name].masked_fill_(gone.view(values[name].shape), 0)
        return narrower, whole


def _number(model: nn.Module) -> None:
    """Put in the place of every entry of every tensor its place there, which says later what was left."""
    for tensor in once(model).values():
        tensor.data = torch.arange(tensor.numel(), dtype=torch.float64, device=tensor.device).view(tensor.shape)


def _take_out(pruner: Any, layer: nn.Module, rng: np.random.Generator) -> None:
    """Take a quarter of the channels out of ``layer``, or of each of the parts that must stay of one size: a single one
    could be zero for all examples, so that nobody would see that it is a wrong one. Then another one, since a pruner
    may lose its way when channels have gone before. ``rng`` draws them, so that two layers that must lose the same ones
    without the pruner's knowing it do not do so by chance.

    Raises:
        ValueError: it has too few.
    """
    graph = pruner.DG
    out = graph.get_pruner_of_module(layer).prune_out_channels
    for share in (4, math.inf):
        channels = graph.get_out_channels(layer)
        parts = channel_groups(pruner, graph.get_pruning_group(layer, out, idxs=list(range(channels))))
        size = channels // parts
        if size < 2 or channels % parts:
            raise ValueError("too few channels")
        places = sorted(rng.permutation(size)[: max(1, int(size // share))].tolist())
        chosen = [first + place for first in range(0, channels, size) for place in places]
        graph.get_pruning_group(layer, out, idxs=chosen).prune()
        if size <= 2:
            return


def channel_groups(pruner: Any, group: Any) -> int:
    """The number of parts of the channels of ``group`` that must stay of one size, as of a grouped convolution."""
    graph = pruner.DG
    parts = (
        (pruner.out_channel_groups if graph.is_out_channel_pruning_fn(dep.handler) else pruner.in_channel_groups).get(
            dep.target.module, 1
        )
        for dep, _ in group
    )
    return math.lcm(*parts)


def step(pruner: Any, multiple: int) -> None:
    """Let ``pruner`` take its next part of channels out, so that each layer keeps a ``multiple`` of channels.

    Raises:
        TooMuch: it cannot follow the network.
    """
    try:
        for group in pruner.step(interactive=True):
            if kept := _in_multiples(pruner, group, multiple):
                kept.prune()
    except Exception as problem:
        raise TooMuch(f"structured: torch-pruning cannot follow this network ({first_line(problem)}).") from problem


def _in_multiples(pruner: Any, group: Any, multiple: int) -> Any:
    """What of ``group``, the channels to be taken out, leaves a multiple of ``multiple`` channels: the least important
    of them; ``None`` where that is none."""
    if multiple == 1:
        return group
    layer, out, chosen = group[0].dep.target.module, group[0].dep.handler, sorted(group[0].idxs)
    there, parts = pruner.DG.get_out_channels(layer), channel_groups(pruner, group)
    step = math.lcm(multiple, parts)
    rest = max(math.ceil((there - len(chosen)) / step), 1) * step
    if rest >= there:
        return None
    full = pruner.DG.get_pruning_group(layer, out, idxs=list(range(there)))
    size = there // parts
    importance = pruner.estimate_importance(full).view(parts, size).mean(0)
    places = sorted({i % size for i in chosen}, key=lambda place: float(importance[place]))[: (there - rest) // parts]
    return pruner.DG.get_pruning_group(layer, out, idxs=[p * size + place for p in range(parts) for place in places])


def _no_norms(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, _ACROSS_CHANNELS):
            module.register_forward_hook(lambda module, inputs, out: inputs[0])
    return model
