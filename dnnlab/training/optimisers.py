"""PyTorch's optimisers by name, and the same for stacks, where each member has its own learning rate and weight decay.

Importing this module does not import torch, so that the command line can list the names.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer


class Slot:
    """The memory of a rule about earlier gradients: of one parameter, or of all in one tensor."""

    def __init__(self, steps: "Steps") -> None:
        self.steps, self.memory = steps, dict[str, "Tensor"]()

    def remembered(self, name: str, like: "Tensor") -> "Tensor":
        if name not in self.memory:
            self.memory[name] = like.new_zeros(like.shape)
        return self.memory[name]


class Steps:
    """Counts steps, on the device like everything that a recorded step changes."""

    def __init__(self, like: "Tensor") -> None:
        self.count = like.new_zeros(()).double()
        self._corrections: dict[float, Tensor] = {}

    def advance(self) -> None:
        self.count.add_(1)
        self._corrections.clear()

    def bias_correction(self, decay: float) -> "Tensor":
        """1 - decay^steps: the factor by which a moving average that started from zero is too small (Kingma & Ba
        2015)."""
        if decay not in self._corrections:
            self._corrections[decay] = 1 - decay**self.count
        return self._corrections[decay]


# Each rule gives the update that is multiplied by the learning rate and taken away, from a gradient and its slot.


def _sgd(grad: "Tensor", slot: Slot) -> "Tensor":
    return grad


def _momentum(grad: "Tensor", slot: Slot) -> "Tensor":
    return slot.remembered("velocity", grad).mul_(0.9).add_(grad)


def _adam(grad: "Tensor", slot: Slot) -> "Tensor":
    mean = slot.remembered("mean", grad).lerp_(grad, 1 - 0.9)
    square = slot.remembered("square", grad).mul_(0.999).addcmul_(grad, grad, value=1 - 0.999)
    root = (square / slot.steps.bias_correction(0.999)).sqrt_().add_(1e-8)
    return (mean / slot.steps.bias_correction(0.9)).div_(root)


def _rmsprop(grad: "Tensor", slot: Slot) -> "Tensor":
    square = slot.remembered("square", grad).mul_(0.99).addcmul_(grad, grad, value=1 - 0.99)
    return grad / square.sqrt().add_(1e-8)


def _adagrad(grad: "Tensor", slot: Slot) -> "Tensor":
    total = slot.remembered("total", grad).addcmul_(grad, grad)
    return grad / total.sqrt().add_(1e-10)


@dataclass(frozen=True)
class _Kind:
    """One optimiser: its rule for stacks, and its class in PyTorch."""

    rule: "Callable[[Tensor, Slot], Tensor]"
    torch: str
    """The name of its class in ``torch.optim``."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    on_cuda: Mapping[str, Any] | None = None
    """Arguments that make it one program on CUDA, whose step can be recorded; ``None`` where it counts its steps on the
    host."""
    decoupled: bool = False
    """Whether weights decay apart from the gradient (Loshchilov 2019)."""


_KINDS = {
    "sgd": _Kind(_sgd, "SGD", on_cuda={"fused": True}),
    "momentum": _Kind(_momentum, "SGD", {"momentum": 0.9}, {"fused": True}),
    "adam": _Kind(_adam, "Adam", on_cuda={"fused": True, "capturable": True}),
    "adamw": _Kind(_adam, "AdamW", on_cuda={"fused": True, "capturable": True}, decoupled=True),
    "rmsprop": _Kind(_rmsprop, "RMSprop", on_cuda={"capturable": True}),
    "adagrad": _Kind(_adagrad, "Adagrad"),
}
OPTIMISERS = tuple(_KINDS)
"""The optimisers by name, with the hyperparameters of torch.optim; ``momentum`` is SGD with momentum 0.9."""


def make_optimiser(name: str, parameters: "Iterable[Tensor]", lr: float, weight_decay: float) -> "Optimizer":
    """PyTorch's optimiser called ``name``, for ``parameters``."""
    import torch

    kind, trained = _KINDS[name], list(parameters)
    arguments, rate = dict(kind.arguments), lr
    if kind.on_cuda is not None and trained and all(p.is_cuda and p.is_floating_point() for p in trained):
        arguments |= kind.on_cuda
        rate = torch.full((), lr, dtype=torch.float32, device=trained[0].device)  # type: ignore[assignment]
    made: Optimizer = getattr(torch.optim, kind.torch)(trained, lr=rate, weight_decay=weight_decay, **arguments)
    return made


def parameters_of(optimiser: Any) -> "list[Tensor]":
    """All parameters that ``optimiser`` trains."""
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def set_rate(optimiser: Any, rate: float) -> None:
    """Set the learning rate of the next steps of ``optimiser``."""
    for group in optimiser.param_groups:
        if hasattr(group["lr"], "fill_"):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def recordable(optimiser: Any, model: "nn.Module | None" = None) -> bool:
    """Whether all that a step of ``optimiser`` changes lies on the device and stays where it is, and ``model`` has no
    hooks, whose memory is not known."""
    import torch

    repeats = getattr(optimiser, "repeats", isinstance(optimiser, torch.optim.Optimizer))
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    hooked = model is not None and any(getattr(m, kind) for m in model.modules() for kind in kinds)
    return repeats and not hooked and all(isinstance(group["lr"], torch.Tensor) for group in optimiser.param_groups)


class Layout(Protocol):
    """All parameters of a stack in one flat tensor, whose parts they become."""

    values: "Tensor"
    pieces: "Sequence[slice]"
    """The parts of the first dimension that are updated one after another."""

    def gathered(self, grads: "Mapping[str, Tensor]") -> "Tensor":
        """The gradients ``[member, …]`` in one flat tensor."""

    def parts(self, flat: "Tensor") -> "dict[str, Tensor]":
        """Each parameter's part ``[member, …]`` of a flat tensor."""

    def norm(self, flat: "Tensor") -> "Tensor":
        """The norm ``[member]`` over all parameters."""

    def scale(self, flat: "Tensor", factor: "Tensor") -> None:
        """Multiply all of a member's numbers by its ``factor [member]``, in place."""

    def each(self, values: "Tensor") -> "Tensor":
        """``values [member]`` as a factor for a flat tensor."""


_ALIGNED = 4
"""On a GPU each parameter begins at a multiple of so many numbers, where matrix products are fastest."""


class ByMember:
    """The layout ``[member, number]``: a GPU is as quick with one large operation as with one of the hundreds of small
    ones that it stands for."""

    def __init__(self, parameters: "Mapping[str, Tensor]") -> None:
        self.places: dict[str, tuple[int, int, tuple[int, ...]]] = {}
        end = 0
        for name, parameter in parameters.items():
            self.places[name] = end, parameter[0].numel(), tuple(parameter.shape)
            end += parameter[0].numel() + -parameter[0].numel() % _ALIGNED
        first = next(iter(parameters.values())).detach()
        self.values, self._padding = first.new_zeros(len(first), end), first.new_zeros(len(first), _ALIGNED)
        self.pieces = [slice(None)]
        _move(parameters, self.parts(self.values))

    def gathered(self, grads: "Mapping[str, Tensor]") -> "Tensor":
        import torch

        columns = []
        for name, (_, size, _) in self.places.items():
            columns += [grads[name].flatten(1), self._padding[:, : -size % _ALIGNED]]
        return torch.cat(columns, dim=1)

    def parts(self, flat: "Tensor") -> "dict[str, Tensor]":
        return {name: flat[:, start : start + size].view(shape) for name, (start, size, shape) in self.places.items()}

    def norm(self, flat: "Tensor") -> "Tensor":
        import torch

        return torch.linalg.vector_norm(flat, dim=1)

    def scale(self, flat: "Tensor", factor: "Tensor") -> None:
        flat.mul_(factor.view(-1, 1))

    def each(self, values: "Tensor") -> "Tensor":
        return values.view(-1, 1)


_LINE = 16
"""On a CPU each parameter begins at a multiple of so many numbers: a line of the cache in float32."""
_PIECE = 2**16
"""Numbers that a CPU updates at once: they stay in the cache from one operation to the next."""


class ByShape:
    """The layout ``[number]``: parameters of one shape lie side by side, each with all of its members. So a product can
    be written into its part, and a CPU is asked for few operations."""

    def __init__(self, parameters: "Mapping[str, Tensor]") -> None:
        groups: dict[tuple[int, ...], list[str]] = {}
        for name, parameter in parameters.items():
            groups.setdefault(tuple(parameter.shape), []).append(name)
        self.members = next(iter(groups))[0]
        self.groups = [(names, shape, math.prod(shape) + -math.prod(shape) % _LINE) for shape, names in groups.items()]
        """Parameters, their shape, and how many numbers lie from one to the next."""
        size = sum(len(names) * stride for names, _, stride in self.groups)
        first = next(iter(parameters.values())).detach()
        self.values, self.grads = first.new_zeros(size), first.new_zeros(size)
        self.pieces = [slice(start, start + _PIECE) for start in range(0, size, _PIECE)]
        self.places = self.parts(self.grads)
        """The part of `grads` that is each parameter's."""
        places = list(self.places)
        self._order = first.new_tensor([places.index(name) for name in parameters]).long()
        self._grads = self._grouped(self.grads)
        _move(parameters, self.parts(self.values))

    def _grouped(self, flat: "Tensor") -> "list[Tensor]":
        """Of each group its part ``[parameter, member, number]``."""
        found, start = [], 0
        for names, shape, stride in self.groups:
            rows = flat[start : start + len(names) * stride].view(len(names), stride)
            found.append(rows[:, : math.prod(shape)].view(len(names), self.members, -1))
            start += len(names) * stride
        return found

    def gathered(self, grads: "Mapping[str, Tensor]") -> "Tensor":
        import torch

        torch._foreach_copy_(list(self.places.values()), [grads[name] for name in self.places])
        return self.grads

    def parts(self, flat: "Tensor") -> "dict[str, Tensor]":
        groups = zip(self.groups, self._grouped(flat), strict=True)
        return {
            name: row.view(shape) for (names, shape, _), rows in groups for name, row in zip(names, rows, strict=True)
        }

    def norm(self, flat: "Tensor") -> "Tensor":
        import torch

        norms = torch.cat([torch.linalg.vector_norm(group, dim=2) for group in self._of(flat)])
        # In the order of the parameters, in which one who has them one by one would take the sum.
        return torch.linalg.vector_norm(norms[self._order], dim=0)

    def scale(self, flat: "Tensor", factor: "Tensor") -> None:
        for group in self._of(flat):
            group.mul_(factor.view(-1, 1))

    def _of(self, flat: "Tensor") -> "list[Tensor]":
        return self._grads if flat is self.grads else self._grouped(flat)

    def each(self, values: "Tensor") -> "Tensor":
        if bool((values == values[0]).all()):
            return values[0]
        flat = values.new_zeros(len(self.values))
        for group in self._grouped(flat):
            group.copy_(values.view(-1, 1).expand_as(group))
        return flat


def _move(parameters: "Mapping[str, Tensor]", parts: "Mapping[str, Tensor]") -> None:
    for name, part in parts.items():
        part.copy_(parameters[name].detach())
        parameters[name].data = part


class StackedOptimiser:
    """Updates ``parameters [member, …]`` in place, each member by its own ``lr`` and ``weight_decay [member]``.

    They move into one tensor: views of them that were taken before are of what they were.
    """

    def __init__(self, name: str, parameters: "Mapping[str, Tensor]", lr: "Tensor", weight_decay: "Tensor") -> None:
        self.rule, self.decoupled = _KINDS[name].rule, _KINDS[name].decoupled
        self.decays = bool(weight_decay.any())
        self.layout: ByMember | ByShape = (ByMember if lr.is_cuda else ByShape)(parameters)
        self.steps = Steps(lr)
        values = self.layout.values
        self.update = values.new_zeros(values.shape)
        """The last update that was subtracted, in the layout."""
        self.updates = self.layout.parts(self.update)
        """The same by parameter; the next step overwrites it."""
        rates, decays = self.layout.each(lr), self.layout.each(weight_decay)
        self._pieces = [
            (piece, values[piece], self.update[piece], _piece(rates, piece), _piece(decays, piece), Slot(self.steps))
            for piece in self.layout.pieces
        ]

    def step(self, grads: "Tensor") -> None:
        """Take one step with gradients in the layout.

        AdamW decays the weights apart (Loshchilov 2019), the others through the gradient.
        """
        import torch

        self.steps.advance()
        for piece, values, update, lr, decay, slot in self._pieces:
            grad = grads[piece]
            if self.decays and self.decoupled:
                values.mul_(1 - lr * decay)
            elif self.decays:
                grad = grad + decay * values
            torch.mul(self.rule(grad, slot), lr, out=update)
            values.sub_(update)


def _piece(each: "Tensor", piece: slice) -> "Tensor":
    return each[piece] if each.ndim else each
