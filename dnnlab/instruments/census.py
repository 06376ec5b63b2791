"""Which units are dead, of a stack or of any module: those that are zero on every one of a fixed set of inputs.

A share of zero *elements* says something else, half of a healthy ReLU's outputs are zero; and one batch too few
calls units dead that fire on the next.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dnnlab.instruments.axes import by_unit
from dnnlab.instruments.follow import Follow
from dnnlab.instruments.origin import Origin
from dnnlab.instruments.recognise import Recognised
from dnnlab.networks.stacked import StackedMLP, moments

_CHUNK = 2**22
"""Elements of one layer's activations worked on at a time."""


@dataclass(frozen=True)
class Census:
    """One hidden layer of a stack over all inputs: ``[member, unit]`` each, but ``zero_fraction [member]``."""

    dead: Tensor
    """Whether the output is zero on every input."""
    inactive: Tensor
    """Whether what the activation reads is never above zero. A leaky unit of which this is true gives only its leak."""
    mean: Tensor
    """Mean ``[member, unit]`` of what the activation reads."""
    zero_fraction: Tensor
    """Share of outputs that are zero, float64."""
    y_mean: Tensor
    """With batch norm, the mean of the pre-activation y over these inputs, by which it was normalised."""
    y_var: Tensor
    """With batch norm, the variance of y over these inputs, by which it was normalised."""


@torch.no_grad()
def take(stack: StackedMLP, x: Tensor) -> list[Census]:
    """The dead units of a stack: those that are zero on every one of the inputs. One `Census` for each hidden layer.

    Batch normalisation takes the statistics of ``x`` itself, which its running ones approach in training.

    Args:
        stack: The networks.
        x: Inputs ``[input, feature]``, the same for all members.

    With biases of -100 in its first layer, no unit of it is ever above zero:

    >>> import torch
    >>> from dnnlab.instruments import stack_census
    >>> from dnnlab.networks import MLPShape, StackedMLP
    >>> from dnnlab.statistics import stream
    >>> shape = MLPShape(inputs=8, classes=3, depth=2, width=16, acts=("relu", "relu"))
    >>> stack = StackedMLP.draw(shape, ["he"], [stream(0, 0, "weights")])
    >>> with torch.no_grad():
    ...     _ = stack.parameters["bias.1"].fill_(-100)
    >>> first, second = stack_census(stack, torch.ones(20, 8))
    >>> int(first.dead.sum()), float(first.zero_fraction)
    (16, 1.0)
    """
    largest = len(x) * max(stack.shape.width, stack.shape.inputs)
    step = max(1, _CHUNK // largest)
    parts = [list(_layers(stack.members_of(slice(start, start + step)), x)) for start in range(0, stack.members, step)]
    return [_joined(layer) for layer in zip(*parts, strict=True)]


def _layers(stack: StackedMLP, x: Tensor) -> Iterator[Census]:
    for y, u, h in stack.hidden(x.expand(stack.members, -1, -1), training=True):
        zeros = torch.eq(h, 0, out=torch.empty_like(h)).sum(dim=1)
        mean = u.mean(dim=1)
        y_mean, y_var = (m.squeeze(1) for m in moments(y)) if stack.shape.norm == "batch" else (mean, mean)
        share = zeros.double().mean(1) / len(x)
        yield Census(zeros == len(x), u.amax(dim=1) <= 0, mean, share, y_mean, y_var)


def _joined(parts: Sequence[Census]) -> Census:
    return Census(*(torch.cat([getattr(part, name) for part in parts]) for name in Census.__dataclass_fields__))


@torch.no_grad()
def silent_in_first_layer(stack: StackedMLP, parts: Iterable[Tensor]) -> Tensor:
    """Units ``[member, unit]`` of layer 1 whose pre-activation is above zero on no input of ``parts``, each
    ``[input, feature]``.

    The inputs of the first layer never change, so where ``parts`` are all training data, no gradient reaches such
    a unit again.
    """
    weight = stack.parameters["weight.1"]
    silent = torch.ones(stack.members, stack.shape.width, dtype=torch.bool, device=weight.device)
    for x in parts:
        silent &= stack.affine(1, x.expand(stack.members, -1, -1)).amax(dim=1) <= 0
    return silent


@dataclass
class SiteCensus:
    """One call of an activation that is zero on an interval, in a module: its units over all inputs."""

    name: str
    """The layer whose output it reads; with #2, #3 where the layer or the activation behind it is called again."""
    act: str
    """The activation."""
    alive: Tensor | None
    """``[unit]``, whether it is not zero on at least one input; ``None`` where it is not known along which dimension of
    the tensor units lie."""
    zeros: Tensor
    """How many outputs were zero."""
    outputs: int = 0
    """How many outputs there were."""

    @property
    def dead(self) -> Tensor | None:
        """``[unit]``, whether it is zero on every input; ``None`` where units are not known."""
        return None if self.alive is None else ~self.alive

    @property
    def zero_fraction(self) -> float:
        """The share of outputs that were zero."""
        return float(self.zeros) / self.outputs


def site_name(read: Origin | None, calls: dict[str, int]) -> str:
    """The name of an activation that reads a tensor of which ``read`` is known: that of the layer whose units it has.

    ``calls`` counts the names of the pass, so that a second one gets #2.
    """
    name = read.layer.name if read and read.layer else "input"
    calls[name] = call = calls.get(name, 0) + 1
    return name if call == 1 else f"{name}#{call}"


@torch.no_grad()
def take_of_module(model: nn.Module, batches: Iterable[Tensor]) -> list[SiteCensus]:
    """The dead units of any module: those that are zero on every one of the inputs.

    There is one `SiteCensus` for each call of an activation that is zero on an interval, such as ReLU, in the order of
    execution. Units are where the layer before it put them: the channels of a convolution, the features of a linear
    layer, wherever they lie in the tensor by then. The model is left in evaluation mode.

    Args:
        model: Any module.
        batches: Its inputs, ``[input, *shape]`` each. More of them find fewer dead units: a unit that is zero on a
            hundred inputs may fire on the next.

    The first of these two units computes x, the second x - 100, so that on inputs up to 9 the second is dead:

    >>> import torch
    >>> from torch import nn
    >>> from dnnlab.instruments import module_census
    >>> model = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    >>> with torch.no_grad():
    ...     _ = model[0].weight.fill_(1)
    ...     _ = model[0].bias.copy_(torch.tensor([0, -100]))
    >>> (site,) = module_census(model, torch.arange(10.0).view(2, 5, 1))
    >>> site.name, site.act, site.dead
    ('0', 'relu', tensor([False,  True]))
    """
    model.eval()
    sites: dict[str, SiteCensus] = {}
    calls: dict[str, int] = {}

    def seen(found: Recognised, known: Origin, u: Tensor, h: Tensor) -> None:
        if not found.can_die:
            return
        label = known.layer.name if known.step and known.layer else site_name(known, calls)
        nonzero = h != 0
        alive = None if known.axes is None else by_unit(nonzero, known.axes).any(1)
        site = sites.setdefault(label, SiteCensus(label, found.name, alive, torch.zeros((), dtype=torch.float64)))
        if site.alive is not None and alive is not None and len(site.alive) == len(alive):
            site.alive = site.alive | alive
        else:
            site.alive = None
        site.zeros += (h.numel() - nonzero.sum()).cpu()
        site.outputs += h.numel()

    with Follow(model, activated=seen):
        for x in batches:
            calls.clear()
            model(x)
    return list(sites.values())
