"""PyTorch's optimisers by name, and the same for stacks, where each member has its own learning rate and weight decay.

Importing this module does not import torch, so that the command line can list the names.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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


class _Single:
    """One parameter, updated by itself: on a CPU its numbers are still in the cache."""

    def __init__(self, name: str, parameter: "Tensor") -> None:
        self.name, self.values = name, parameter.detach()

    def gathered(self, grads: "Mapping[str, Tensor]") -> "Tensor":
        return grads[self.name]

    def parts(self, piece: "Tensor") -> "dict[str, Tensor]":
        return {self.name: piece}


_ALIGNED = 4
"""Each parameter begins at a multiple of so many numbers, where matrix products are fastest."""


class _Flat:
    """All parameters in one tensor ``[member, number]``, whose parts they become: a GPU is as quick with one large
    operation as with one of the hundreds of small ones that it stands for."""

    def __init__(self, parameters: "Mapping[str, Tensor]") -> None:
        self.places: dict[str, tuple[int, int, tuple[int, ...]]] = {}
        end = 0
        for name, parameter in parameters.items():
            self.places[name] = end, parameter[0].numel(), tuple(parameter.shape)
            end += parameter[0].numel() + -parameter[0].numel() % _ALIGNED
        first = next(iter(parameters.values())).detach()
        self.values, self._padding = first.new_zeros(len(first), end), first.new_zeros(len(first), _ALIGNED)
        for name, part in self.parts(self.values).items():
            part.copy_(parameters[name].detach())
            parameters[name].data = part

    def gathered(self, grads: "Mapping[str, Tensor]") -> "Tensor":
        import torch

        columns = []
        for name, (_, size, _) in self.places.items():
            columns += [grads[name].flatten(1), self._padding[:, : -size % _ALIGNED]]
        return torch.cat(columns, dim=1)

    def parts(self, piece: "Tensor") -> "dict[str, Tensor]":
        return {name: piece[:, start : start + size].view(shape) for name, (start, size, shape) in self.places.items()}


class StackedOptimiser:
    """Updates ``parameters [member, …]`` in place, each member by its own ``lr`` and ``weight_decay [member]``.

    On CUDA they move into one tensor: views of them that were taken before are of what they were.
    """

    def __init__(self, name: str, parameters: "Mapping[str, Tensor]", lr: "Tensor", weight_decay: "Tensor") -> None:
        self.rule, self.decoupled = _KINDS[name].rule, _KINDS[name].decoupled
        self.lr, self.weight_decay, self.decays = lr, weight_decay, bool(weight_decay.any())
        self.pieces: Sequence[_Single | _Flat] = (
            [_Flat(parameters)] if lr.is_cuda else [_Single(name, parameter) for name, parameter in parameters.items()]
        )
        self.steps = Steps(lr)
        self.slots = [Slot(self.steps) for _ in self.pieces]

    def gathered(self, grads: "Mapping[str, Tensor]") -> "list[Tensor]":
        """The gradients ``[member, …]`` in the pieces that are updated at once."""
        return [piece.gathered(grads) for piece in self.pieces]

    def step(self, gathered: "Sequence[Tensor]") -> "dict[str, Tensor]":
        """Take one step with `gathered` gradients; gives the update that was subtracted from each parameter.

        AdamW decays the weights apart (Loshchilov 2019), the others through the gradient.
        """
        updates: dict[str, Tensor] = {}
        self.steps.advance()
        for piece, slot, grad in zip(self.pieces, self.slots, gathered, strict=True):
            values = piece.values
            each = (-1, *[1] * (values.ndim - 1))
            lr, decay = self.lr.view(each), self.weight_decay.view(each)
            if self.decays and self.decoupled:
                values.mul_(1 - lr * decay)
            elif self.decays:
                grad = grad + decay * values
            update = lr * self.rule(grad, slot)
            values.sub_(update)
            updates |= piece.parts(update)
        return updates
