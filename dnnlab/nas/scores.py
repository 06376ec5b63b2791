"""Zero-cost proxies: scores of an untrained network from one batch, as Abdelfattah 2021 computes them."""

import copy
import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules import activation as torch_activations

from dnnlab.nas.proxy_names import PROXIES
from dnnlab.networks import outputs

BATCH = 64
"""Examples on which a proxy is computed; it takes one forward and one backward pass of them."""

_ACTIVATIONS = tuple(getattr(torch_activations, name) for name in torch_activations.__all__ if name != "Softmax2d")
_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


def score(proxy: str, model: nn.Module, x: Tensor, y: Tensor) -> float:
    """The score by ``proxy`` of an untrained ``model`` on inputs ``[batch, …]`` and labels ``[batch]``; higher is
    better.

    The model is left as it was. A score that is not finite is nan.
    """
    value = _SCORES[proxy](copy.deepcopy(model), x, y)
    return value if math.isfinite(value) else math.nan


def _naswot(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Log-determinant of K, where K[a, b] counts the units that both a and b switch on, or both leave off."""
    kernel = torch.zeros(len(x), len(x), dtype=torch.float64, device=x.device)

    def count(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        on = (inputs[0].flatten(1) > 0).double()
        kernel.add_(on @ on.T + (1 - on) @ (1 - on).T)

    for module in model.modules():
        if isinstance(module, _ACTIVATIONS):
            module.register_forward_pre_hook(count)
    with torch.no_grad():
        model.train()(x)
    return float(torch.linalg.slogdet(kernel).logabsdet)


def _jacob_cov(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """How close the correlations of the examples' input gradients are to zero."""
    x = x.clone().requires_grad_()
    outputs.logits(model.train()(x)).sum().backward()
    if x.grad is None:  # nothing of the input reaches the outputs
        return math.nan
    correlation = torch.corrcoef(x.grad.flatten(1).double())
    if not bool(torch.isfinite(correlation).all()):
        return math.nan
    eigenvalues = torch.linalg.eigvalsh(correlation) + 1e-5
    return -float((eigenvalues.clamp(min=1e-5).log() + 1 / eigenvalues.clamp(min=1e-5)).sum())


def _synflow(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Log of Σ |w ∂R/∂w| for R the outputs' sum with all weights positive and an input of ones.

    Normalisation stands still: in evaluation mode a fresh one does nothing.
    """
    model = model.double().eval()
    with torch.no_grad():
        for value in model.parameters():
            value.abs_()
    outputs.logits(model(torch.ones_like(x[:1]).double())).sum().backward()
    total = sum(float((p.detach() * p.grad).abs().sum()) for p in model.parameters() if p.grad is not None)
    return math.log(total) if total > 0 else math.nan


def _gradients(model: nn.Module, x: Tensor, y: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The weight and its gradient of every layer."""
    F.cross_entropy(outputs.logits(model.train()(x)), y).backward()
    layers = [m.weight for m in model.modules() if isinstance(m, _LAYERS)]
    return [(w.detach(), w.grad) for w in layers if w.grad is not None]


def _snip(model: nn.Module, x: Tensor, y: Tensor) -> float:
    return sum(float((w * g).abs().sum()) for w, g in _gradients(model, x, y))


def _grad_norm(model: nn.Module, x: Tensor, y: Tensor) -> float:
    return sum(float(g.norm()) for _, g in _gradients(model, x, y))


def _fisher(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Half the mean square of a channel's activation times its gradient, over all channels of all layers."""
    seen: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, out: Tensor) -> None:
        out.retain_grad()
        seen.append(out)

    for module in model.modules():
        if isinstance(module, _LAYERS):
            module.register_forward_hook(keep)
    F.cross_entropy(outputs.logits(model.train()(x)), y).backward()
    products = [out.detach() * out.grad for out in seen if out.grad is not None]
    channels = [each.flatten(2).sum(2) if each.ndim > 2 else each for each in products]
    return sum(float(0.5 * product.square().mean(0).sum()) for product in channels)


_SCORES: Mapping[str, Callable[[nn.Module, Tensor, Tensor], float]] = {
    "naswot": _naswot,
    "jacob_cov": _jacob_cov,
    "synflow": _synflow,
    "snip": _snip,
    "grad_norm": _grad_norm,
    "fisher": _fisher,
}
assert list(_SCORES) == list(PROXIES)
