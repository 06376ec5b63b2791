"""Per-layer gradients and activations of any ``nn.Module``, without changing it.

Layers and activations are found by following the tensors of the forward pass (`dnnlab.instruments.follow`), so that
they count alike however they are written. Gradients come from tensor hooks set at the moment a tensor is made: those
survive in-place operations on it, which module backward hooks do not. Nothing is read back from a GPU until
`Recorder.rows`.
"""

import itertools
import math
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from dnnlab.instruments.axes import Axes, sum_by_unit
from dnnlab.instruments.follow import Follow
from dnnlab.instruments.norms import norm
from dnnlab.instruments.origin import Layer, Origin
from dnnlab.instruments.recognise import Recognised
from dnnlab.networks.activations import ACTIVATIONS, is_zero

FIRST, HIDDEN, CONSTANT, OUTPUT, UNUSED = "first", "hidden", "constant", "output", "unused"
"""Where a layer stands: it reads the network's input, and nothing that another layer made of it; it reads what others
made of it; it reads parameters alone; it gives the logits; or no logit depends on it."""


class Recorder:
    """Measures the layers of any module in one forward and backward pass, and changes nothing.

    A layer is what multiplies by a trained matrix or kernel. The activation that reads a layer's output belongs to it,
    however it is written: ``nn.ReLU()``, ``F.relu(x, inplace=True)`` and ``x.clamp_(min=0)`` count alike. Call `rows`
    after the pass.

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
        self._follow = Follow(model, self._made, self._activated)
        self._acts: dict[Layer, str] = {}
        self._statistics: dict[Layer, dict[str, Tensor]] = {}
        self._norms: dict[tuple[Layer, str], dict[int, Tensor]] = {}
        self._places = itertools.count()

    def __enter__(self) -> "Recorder":
        self._follow.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._follow.__exit__(kind, value, trace)

    def _made(self, layer: Layer, out: Tensor) -> None:
        self._watch_gradient(layer, "delta_norm", out)

    def _activated(self, found: Recognised, known: Origin, u: Tensor, h: Tensor) -> None:
        layer = known.layer
        if layer is None or layer in self._acts:
            return  # before the first layer, or a second function on the same layer's output
        self._acts[layer] = found.name
        self._watch_gradient(layer, "act_grad_norm", h)
        with torch.no_grad():
            self._statistics[layer] = activation_statistics(found.name, u.detach(), h.detach(), known.axes)

    def _watch_gradient(self, layer: Layer, quantity: str, tensor: Tensor) -> None:
        """Measure the gradient at ``tensor``, one of perhaps several at which this quantity is measured."""
        if not tensor.requires_grad:
            return
        arrived = self._norms.setdefault((layer, quantity), {})
        place = next(self._places)

        def hook(grad: Tensor) -> None:
            arrived[place] = norm(grad.detach())

        tensor.register_hook(hook)

    def rows(self) -> list[dict[str, Any]]:
        """One row for each layer, in the order of execution.

        ``name`` is the layer's (with #2, #3 where it is called again), ``kind`` the class of the module that owns its
        matrix, ``matrices`` the names of the parameters that it is made of, ``act`` the activation behind it, and
        ``place`` where it stands. ``delta_norm`` is the norm of the gradient at
        its outputs, ``act_grad_norm`` at the activation's output, and ``weight_grad_norm`` of its matrices (of a
        shared one: of all its uses). ``mean``, ``variance``, ``zero_fraction``, ``dead_fraction`` and ``saturation``
        are of the activation's output; a unit is dead that is zero on the whole batch, and ``dead_fraction`` is nan
        where it is not known along which dimension units lie. A gradient that did not arrive is nan.
        """
        follow = self._follow
        used = follow.outputs.union(*(layer.upstream() for layer in follow.outputs))
        constant = {layer for layer in follow.layers if layer.fixed}
        rows, values = [], []
        for layer in follow.layers:
            if layer in follow.outputs:
                place = OUTPUT
            elif layer not in used and follow.outputs:
                place = UNUSED
            elif layer in constant:
                place = CONSTANT
            else:
                place = HIDDEN if layer.reads - constant else FIRST
            row: dict[str, Any] = {"name": layer.name, "kind": layer.kind, "matrices": layer.matrices, "place": place}
            rows.append(row | {"act": self._acts.get(layer, "")})
            grads = (follow.parameters[name].grad for name in layer.matrices)
            values.append(
                {name: list(self._norms.get((layer, name), {}).values()) for name in ("delta_norm", "act_grad_norm")}
                | {"weight_grad_norm": [norm(grad) for grad in grads if grad is not None]}
                | {name: [value] for name, value in self._statistics.get(layer, {}).items()}
            )
        numbers = iter(_on_host([t for each in values for parts in each.values() for t in parts]))
        for row, each in zip(rows, values, strict=True):
            for name, parts in each.items():
                found = [next(numbers) for _ in parts]
                row[name] = math.nan if not found else found[0] if len(found) == 1 else math.hypot(*found)
        return rows


def _on_host(tensors: list[Tensor]) -> list[float]:
    """The numbers in ``tensors`` of one element, read back together where they have one type and lie in one place."""
    alike: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for place, t in enumerate(tensors):
        alike.setdefault((t.device, t.dtype), []).append(place)
    numbers = [math.nan] * len(tensors)
    for places in alike.values():
        for place, number in zip(places, torch.stack([tensors[place] for place in places]).tolist(), strict=True):
            numbers[place] = number
    return numbers


def activation_statistics(act: str, u: Tensor, h: Tensor, axes: Axes | None) -> dict[str, Tensor]:
    """Mean, variance, saturation, dead and zero fraction of an activation's output ``h`` for its input ``u``.

    A unit is dead when it is zero at all places: inputs, pixels, tokens. Without ``axes`` it is not known where units
    lie, and the share of dead ones is nan.
    """
    mean = h.mean()
    scratch = h - mean
    variance = torch.linalg.vector_norm(scratch).square() / h.numel()  # two plain passes beat torch.var_mean
    # A mask of floats is made and summed in vector instructions; its counts are exact in float32 up to 2²⁴.
    zero = torch.eq(h, 0, out=scratch)
    zeros = (sum_by_unit(zero, axes) if axes is not None else zero.sum()).double()
    statistics = {
        "mean": mean,
        "variance": variance,
        "zero_fraction": zeros.sum() / h.numel(),
        "dead_fraction": (zeros == h.numel() // max(1, len(zeros))).double().mean()
        if axes
        else mean.new_full((), math.nan),
    }
    known = ACTIVATIONS.get(act)
    if known is not None and known.saturated is is_zero:
        statistics["saturation"] = statistics["zero_fraction"]
    elif known is not None and known.saturated is not None:
        statistics["saturation"] = known.saturated(u, h).float().sum().double() / h.numel()
    return statistics
