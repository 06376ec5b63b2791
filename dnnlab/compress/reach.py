"""Finds the weights of a sparse network that have an effect: those on a path from its input to its output.

Pruning leaves weights into units that nothing reads, and out of units that nothing feeds. They cost bytes and do
nothing, or what a bias does.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from dnnlab.compress.structure import biases, weights
from dnnlab.networks import outputs
from dnnlab.networks.remembered import copied

_LAYERS = (nn.Linear, nn.modules.conv._ConvNd)
_NORMS = (
    *(nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm),
    *(nn.LocalResponseNorm, nn.CrossMapLRN2d),
)
_EXAMPLES = 16
"""Random inputs, so that what a maximum passes on by chance is somewhere else in another."""

Masks = dict[str, Tensor]


def on_paths(model: nn.Module, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Masks:
    """Which weights, and which biases of layers, lie on a path from the input to the output: ``[*parameter]``, True
    where one does, by name. A bias counts where a path leads through its unit: without, the unit is a constant. Where
    an activation makes something of zero, as sigmoid does, a path may begin at any unit.

    Weights are taken for connections alone, positive where they are not zero, and normalisation as if it were not
    there. Behind every linear and convolutional layer a value is set to a random positive one wherever it is not zero,
    and so are gradients on their way back; a weight on no path is left without any, as in SynFlow (Tanaka 2020).

    Args:
        model: the network; it is left as it is.
        shape: of one input.
        dtype: of one input; whole numbers are the first two tokens of a vocabulary.
    """
    bare = copied(model).float().eval()
    draws = torch.Generator(next(bare.parameters()).device).manual_seed(0)
    with torch.no_grad():
        for weight in weights(bare).values():
            weight.abs_().requires_grad_(weight.is_floating_point())
        for bias in biases(bare).values():
            bias.zero_().requires_grad_()
    for module in bare.modules():
        if isinstance(module, _LAYERS):
            module.register_forward_hook(lambda module, inputs, out: _Path.apply(out, draws))
        elif isinstance(module, _NORMS):
            module.register_forward_hook(lambda module, inputs, out: inputs[0])
    x = (torch.rand(_EXAMPLES, *shape, generator=draws, device=draws.device) + 0.5).to(dtype)
    with torch.enable_grad():
        cast(Tensor, outputs.logits(bare(x))).sum().backward()
    there = {name: _has_gradient(weight) & (weight != 0) for name, weight in weights(bare).items()}
    names = {id(weight): name for name, weight in weights(bare).items()}
    for name, bias in biases(bare).items():
        read = bare.get_submodule(name.rpartition(".")[0]).weight
        fed = there[names[id(read)]].flatten(1).any(1)
        # A transposed convolution has its inputs first, so that its units are not known.
        there[name] = _has_gradient(bias) & (fed if len(fed) == len(bias) else True)
    return there


def _has_gradient(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter, dtype=torch.bool) if parameter.grad is None else parameter.grad != 0


class _Path(torch.autograd.Function):
    """In the forward and the backward pass, replaces every value that is not zero by a random number from one half to
    one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, draws: torch.Generator) -> Tensor:
        ctx.draws = draws
        return _random_positive(x, draws)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _random_positive(gradients[0], ctx.draws), None


def _random_positive(x: Tensor, draws: torch.Generator) -> Tensor:
    return (x != 0) * (0.5 + torch.rand(x.shape, generator=draws, device=x.device) / 2)


def trimmer(model: nn.Module, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Callable[[Masks], Masks]:
    """A function that takes from masks of ``model``, which has no other weights by then, what lies on no path.

    What `on_paths` does not see on one now is never taken, so that a layer which it does not understand stays whole;
    and where a layer would be left without a weight, nothing is.
    """
    unseen = {name: ~on_path for name, on_path in on_paths(model, shape, dtype).items()}

    def trim(masks: Masks) -> Masks:
        left = {name: on_path | unseen[name] for name, on_path in on_paths(model, shape, dtype).items()}
        left |= {name: mask & left[name] for name, mask in masks.items()}
        return left if all(bool(left[name].any()) for name in masks) else masks

    return trim
