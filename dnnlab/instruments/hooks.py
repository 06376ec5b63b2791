"""Per-layer gradients and activations of any ``nn.Module``, without changing it.

Modules that own weights are watched by forward hooks, activations by the functions that compute them, so that
``F.relu(x, inplace=True)``, ``x.relu_()`` and ``nn.ReLU`` count alike. Gradients come from tensor hooks set at
the moment a tensor is made: those survive in-place operations on it, which module backward hooks do not.
Nothing is read back from the device until `Recorder.rows`.
"""

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from dnnlab.instruments.recognise import Recognised, Watch, owns_weights, unit_dim
from dnnlab.networks.activations import ACTIVATIONS, is_zero


@dataclass
class LayerRecord:
    """One call of a module that owns weights, and the activation that follows it before the next such call.

    The values are scalars on the model's device, in float32 or the model's own type.
    """

    name: str
    kind: str
    module: nn.Module
    act: str = ""
    values: dict[str, Tensor] = field(default_factory=dict)


class Recorder:
    """Measures the layers of any module in one forward and backward pass, and changes nothing.

    Modules that own weights count as layers. The activation that follows a layer belongs to it, however it is written:
    ``nn.ReLU()``, ``F.relu(x, inplace=True)`` and ``x.clamp_(min=0)`` count alike. Call `rows` after the pass.

    Args:
        model: The module to watch.

    Below, the loss is the sum of four outputs, so the gradient at the last layer is (1, 1, 1, 1), whose norm is 2. The
    first layer has no negative weight and no positive input, so that all of its units are zero:

    >>> import torch
    >>> from torch import nn
    >>> from dnnlab.instruments import Recorder
    >>> model = nn.Sequential(nn.Linear(3, 8, bias=False), nn.ReLU(), nn.Linear(8, 1))
    >>> _ = nn.init.ones_(model[0].weight)
    >>> with Recorder(model) as recorder:
    ...     model(-torch.ones(4, 3)).sum().backward()
    >>> first, last = recorder.rows()
    >>> first["name"], first["act"], first["dead_fraction"], last["delta_norm"]
    ('0', 'relu', 1.0, 2.0)
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.layers: list[LayerRecord] = []
        self._exit = ExitStack()
        self._calls: dict[str, int] = {}

    def __enter__(self) -> "Recorder":
        for name, module in self.model.named_modules():
            if owns_weights(module):
                handle = module.register_forward_hook(self._called(name))
                self._exit.callback(handle.remove)
        self._exit.enter_context(Watch(self._activated))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def _called(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            out = _first_tensor(output)
            if out is None:
                return
            self._calls[name] = calls = self._calls.get(name, 0) + 1
            label = name or type(module).__name__
            record = LayerRecord(label if calls == 1 else f"{label}#{calls}", type(module).__name__, module)
            self.layers.append(record)
            _on_gradient(out, record, "delta_norm")

        return hook

    def _activated(self, found: Recognised, u: Tensor, h: Tensor) -> None:
        if not self.layers or self.layers[-1].act or not h.is_floating_point():
            return  # before the first layer, or a second function on the same layer's output
        record = self.layers[-1]
        record.act = found.name
        _on_gradient(h, record, "act_grad_norm")
        with torch.no_grad():
            record.values |= activation_statistics(found.name, u.detach(), h.detach(), unit_dim(record.module, h))

    def rows(self) -> list[dict[str, Any]]:
        """One row for each call of a layer, in the order of execution.

        ``name`` is the layer's (with #2, #3 where it is called again), ``kind`` its class, ``act`` the activation
        behind it. ``delta_norm`` is the norm of the gradient at its output, ``act_grad_norm`` at the activation's
        output, and ``weight_grad_norm`` of the matrices that the layer owns (of a shared one: of all its uses).
        ``mean``, ``variance``, ``zero_fraction``, ``dead_fraction`` and ``saturation`` are of the activation's output;
        a unit is dead that is zero on the whole batch. A gradient that did not arrive is nan, or has no entry.
        """
        owners = self._owners()
        for record in self.layers:
            grads = [p.grad for p in owners.get(record.module, ()) if p.grad is not None]
            if grads:
                norms = torch.stack([torch.linalg.vector_norm(g).to(torch.float64) for g in grads])
                record.values["weight_grad_norm"] = torch.linalg.vector_norm(norms)
        flat = [value.to(torch.float64) for record in self.layers for value in record.values.values()]
        numbers = iter(torch.stack(flat).cpu().tolist() if flat else [])
        return [
            {
                "name": record.name,
                "kind": record.kind,
                "act": record.act,
                **{quantity: next(numbers) for quantity in record.values},
            }
            for record in self.layers
        ]

    def _owners(self) -> dict[nn.Module, list[nn.Parameter]]:
        """Each weight matrix belongs to the innermost watched module around it that was called.

        Attention's output projection, for one, is a Linear that is never called as a module.
        """
        called = {record.module for record in self.layers}
        owners: dict[nn.Module, list[nn.Parameter]] = {}

        def visit(module: nn.Module, owner: nn.Module | None) -> None:
            owner = module if module in called else owner
            if owner is not None:
                matrices = [p for p in module.parameters(recurse=False) if p.ndim >= 2]
                owners.setdefault(owner, []).extend(matrices)
            for child in module.children():
                visit(child, owner)

        visit(self.model, None)
        return owners


def activation_statistics(act: str, u: Tensor, h: Tensor, unit_dim: int) -> dict[str, Tensor]:
    """Mean, variance, saturation, dead and zero fraction of an activation's output ``h`` for its input ``u``.

    A unit is a position along ``unit_dim``, dead when it is zero on all the rest: inputs, pixels, tokens.
    """
    mean = h.mean()
    scratch = h - mean
    variance = torch.linalg.vector_norm(scratch).square() / h.numel()  # two plain passes beat torch.var_mean
    others = [d for d in range(h.ndim) if d != unit_dim % h.ndim]
    # A mask of floats is made and summed in vector instructions; its counts are exact in float32 up to 2²⁴.
    zero = torch.eq(h, 0, out=scratch)
    share = zero.sum(dim=others, dtype=torch.float32).double() / (h.numel() // h.shape[unit_dim]) if others else zero
    statistics = {
        "mean": mean,
        "variance": variance,
        "zero_fraction": share.mean(),
        "dead_fraction": (share == 1).double().mean(),
    }
    known = ACTIVATIONS.get(act)
    if known is not None and known.saturated is is_zero:
        statistics["saturation"] = statistics["zero_fraction"]
    elif known is not None and known.saturated is not None:
        statistics["saturation"] = known.saturated(u, h).float().sum().double() / h.numel()
    return statistics


def _first_tensor(output: Any) -> Tensor | None:
    """The tensor itself, or the first floating one in what attention, LSTMs and the like give back."""
    if isinstance(output, Tensor):
        return output if output.is_floating_point() else None
    values = output.values() if isinstance(output, dict) else output if isinstance(output, list | tuple) else ()
    return next((t for t in map(_first_tensor, values) if t is not None), None)


def _on_gradient(tensor: Tensor, record: LayerRecord, quantity: str) -> None:
    record.values.setdefault(quantity, tensor.new_full((), math.nan).detach())
    if not tensor.requires_grad:
        return

    def hook(grad: Tensor) -> None:
        record.values[quantity] = torch.linalg.vector_norm(grad.detach())

    tensor.register_hook(hook)
