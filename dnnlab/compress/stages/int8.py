"""Eight bits: the file is quantised, and with ``qat`` the network is trained with rounding first."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dnnlab.compress import onnx_file
from dnnlab.compress.executed import executed
from dnnlab.compress.files import Artefact, ExportInputs, example, write_onnx
from dnnlab.compress.recovery import Retraining
from dnnlab.compress.stages import Stage
from dnnlab.compress.structure import READ_BY_OTHERS, layers, never_called, others
from dnnlab.data.dataset import Dataset
from dnnlab.training.parts import spread

_CALIBRATED = 256
"""The number of training examples on which activations are calibrated."""
_MOMENTUM = 0.05
"""Momentum of the running range of activations."""


def apply(model: nn.Module, stage: Stage, retraining: Retraining) -> nn.Module:
    """The network, trained while its weights and inputs are rounded (Jacob 2018): what ``qat`` asks for.

    Rounding is as ONNX Runtime will do it afterwards, symmetric per channel for weights and over the seen range for
    what a layer reads, so that its own calibration and fusions stay as they are.
    """
    rounders = [_Rounded(layer) for layer in layers(model, stage.about).values()]
    retraining.train(model, "qat", stage.epochs, rate=0.3)
    for rounder in rounders:
        rounder.remove()
    return model


def write(model: nn.Module, stages: tuple[Stage, ...], inputs: ExportInputs, stem: Path) -> Artefact:
    """Write the ONNX file in eight bits, in the mode of the last stage."""
    proto = onnx_file.export(model, example(inputs.data))
    match stages[-1].word("mode"):
        case "dynamic":
            return write_onnx(onnx_file.dynamic(proto).SerializeToString(), stem, by_call=True)
        case "weights":
            return write_onnx(onnx_file.weights_only(onnx_file.each_once(proto)).SerializeToString(), stem)
    content, kind = _static(proto, inputs.data)
    return write_onnx(content, stem, kind)


def left(model: nn.Module, stage: Stage, data: Dataset) -> Mapping[str, str]:
    """The layers that train without rounding; what stays in floats in the file is another question."""
    unseen = never_called(model, layers(model, stage.about), data.inputs(data.train[:2]))
    return others(model, stage.about, data) | dict.fromkeys(unseen, READ_BY_OTHERS)


def _static(proto: Any, data: Dataset) -> tuple[bytes, str]:
    """The file, and how its activations and weights are signed: of two ways the one of which the runtime takes more
    multiply–accumulates in eight bits, and U8S8 where both are alike."""
    batches = [data.inputs(part).cpu().numpy() for part in spread(data.train, _CALIBRATED).split(32)]
    files = {
        kind: onnx_file.static(copy.deepcopy(proto), batches, signed).SerializeToString()
        for kind, signed in (("U8S8", False), ("S8S8", True))
    }
    kind = max(files, key=lambda kind: executed(files[kind], batches[0][:1]).share)
    return files[kind], kind


class _Rounded:
    """Rounds the weight and the input of one layer, and lets gradients through as if it did not (Bengio 2013)."""

    def __init__(self, layer: Any) -> None:
        self.low: Tensor | None = None
        self.high: Tensor | None = None
        self.before = layer.register_forward_pre_hook(self._enter)
        # It is left also when the layer fails; otherwise all later products would be wrong.
        self.after = layer.register_forward_hook(self._leave, always_call=True)

    def _enter(self, layer: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x = inputs[0].float()
        self._see(x.detach())
        self.parameter = layer.weight
        del layer.weight  # a plain tensor takes the parameter's place for this one call
        layer.weight = rounded_weight(self.parameter)
        # Mixed precision is off, since bfloat16 has fewer steps than the eight bits that it would represent.
        self.full = torch.autocast(x.device.type, enabled=False)
        self.full.__enter__()
        return (rounded_input(x, self.low, self.high), *inputs[1:])

    def _leave(self, layer: Any, inputs: Any, output: Tensor) -> None:
        self.full.__exit__(None, None, None)
        del layer.weight
        layer.weight = self.parameter

    def _see(self, x: Tensor) -> None:
        low, high = x.amin().clamp(max=0.0), x.amax().clamp(min=0.0)
        if self.low is None or self.high is None:
            self.low, self.high = low, high
        else:
            self.low, self.high = self.low.lerp(low, _MOMENTUM), self.high.lerp(high, _MOMENTUM)

    def remove(self) -> None:
        """Restore the layer as it was."""
        self.before.remove()
        self.after.remove()


def rounded_weight(weight: Tensor) -> Tensor:
    """The weight rounded to 127 steps on either side of zero, with one scale per output channel ``[0]``."""
    scale = weight.detach().flatten(1).abs().amax(1).clamp_min(1e-12) / 127
    scale = scale.view(-1, *[1] * (weight.ndim - 1))
    return weight + (torch.round(weight.detach() / scale) * scale - weight.detach())


def rounded_input(x: Tensor, low: Any, high: Any) -> Tensor:
    """The input rounded to 255 steps from ``low`` to ``high``, with zero among them."""
    scale = ((high - low) / 255).clamp_min(1e-12)
    zero = torch.round(-low / scale)
    rounded = (torch.clamp(torch.round(x.detach() / scale) + zero, 0, 255) - zero) * scale
    return x + (rounded - x.detach())
