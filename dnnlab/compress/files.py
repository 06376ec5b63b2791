"""Writes a network as the file of its form, and reads it back: all measurements are of the network that was read
back."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from dnnlab import atomic
from dnnlab.compress import container, onnx_file
from dnnlab.compress.chain import forms
from dnnlab.compress.stages import CODED, SHARED, Stage
from dnnlab.compress.structure import biases, rebuild, weights
from dnnlab.data.dataset import Dataset
from dnnlab.networks import outputs
from dnnlab.networks.ties import once, ties
from dnnlab.networks.weights import NARROWER

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True)
class Artefact:
    """One file that was written and read back."""

    path: Path
    size: int
    predict: Predict
    """Inputs ``[batch, …]`` to logits ``[batch, class]``, from what the file holds."""
    onnx: bytes
    """The ONNX model that ONNX Runtime times: the file itself, or for a container the dense network that it holds."""
    layers: tuple[container.Layer, ...]
    int8_kind: str
    """How activations and weights are signed (``S8S8`` or ``U8S8``), where they are quantised ahead; else empty."""
    by_call: bool = False
    """Whether the logits of an input depend on the other inputs of the same call."""


@dataclass(frozen=True)
class ExportInputs:
    """What is needed to write a network, beside the network."""

    data: Dataset
    """The data set, on the CPU."""
    empty: Callable[[], nn.Module]
    """Makes a network of the same architecture, which a container is read back into."""
    known_onnx: Callable[[nn.Module], bytes | None]
    """The ONNX file of a network of the same layers, if there is one: both take the same time."""
    unread: frozenset[str] = frozenset()
    """The tensors of the network that inference does without, and a container too."""


def write(model: nn.Module, stages: tuple[Stage, ...], inputs: ExportInputs, stem: Path) -> Artefact:
    """Write ``model``, which ``stages`` made, in the form that the last stage gives it; ``stem`` is the path without
    its ending.

    Raises:
        DnnlabError: it cannot be exported.
    """
    writing = [stage for stage in stages if stage.about.gives]
    if writing:
        return writing[-1].module.write(model, stages, inputs, stem)
    return _dense(model, inputs.data, stem)


def _dense(model: nn.Module, data: Dataset, stem: Path) -> Artefact:
    proto = onnx_file.each_once(onnx_file.export(model, example(data)))
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in once(model).items()}
    # The metadata has the other names of tensors that have several, as readers of this format expect, and says that
    # layers are narrower, so that --weights of any experiment makes the factory's layers fit.
    atomic.write(stem.with_name(stem.name + ".safetensors"), save(state, metadata=ties(model) | {NARROWER: "{}"}))
    return write_onnx(proto.SerializeToString(), stem)


def write_onnx(content: bytes, stem: Path, kind: str = "", by_call: bool = False) -> Artefact:
    """Write the ONNX file ``content`` and read it back; ``kind`` says how it is signed where it is quantised, and
    ``by_call`` whether inputs of one call share a range."""
    path = stem.with_name(stem.name + ".onnx")
    atomic.write(path, content)
    read = path.read_bytes()
    return Artefact(path, len(read), onnx_file.Session(read), read, (), kind, by_call)


def write_container(model: nn.Module, stages: tuple[Stage, ...], inputs: ExportInputs, stem: Path) -> Artefact:
    """Write ``model`` as a container in the form that ``stages`` leave it in, and read it back."""
    path = stem.with_name(stem.name + ".dnnz")
    atomic.write(path, packed(model, stages, inputs.unread))
    contents = container.decode(path.read_bytes(), str(path))
    reloaded = rebuild(inputs.empty(), to_torch(contents.state), inputs.unread).eval()

    @torch.no_grad()
    def predict(x: NDArray[np.float32]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = outputs.logits(reloaded(torch.from_numpy(x))).numpy()
        return logits

    onnx = inputs.known_onnx(reloaded) or onnx_file.export(reloaded, example(inputs.data)).SerializeToString()
    return Artefact(path, path.stat().st_size, predict, onnx, contents.layers, "")


def packed(model: nn.Module, stages: tuple[Stage, ...], unread: frozenset[str] = frozenset()) -> bytes:
    """The bytes of ``model`` as a container in the form that ``stages`` leave it in, without the tensors ``unread``."""
    had = forms(stages)
    state = {name: tensor for name, tensor in once(model).items() if name not in unread}
    return container.encode(to_numpy(state), kinds(model, SHARED in had), coded=CODED in had)


def kinds(model: nn.Module, shared: bool) -> dict[str, int]:
    """The kind of each tensor in the container; those that are not named are in full."""
    if shared:
        return dict.fromkeys([*weights(model), *biases(model)], container.SHARED)
    return {name: container.SPARSE for name, weight in weights(model).items() if bool((weight == 0).any())}


def to_numpy(state: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in state.items()}


def to_torch(state: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.array(values)) for name, values in state.items()}


def example(data: Dataset) -> Tensor:
    """Two training examples ``[2, *shape]``, with which an export traces the network."""
    return data.inputs(data.train[:2]).cpu()


def zstd_size(content: bytes) -> int:
    """Bytes of ``content`` under zstd at level 19; the decompressed content is compared with it.

    Raises:
        ValueError: they do not.
    """
    import zstandard

    small: bytes = zstandard.ZstdCompressor(level=19).compress(content)
    if zstandard.ZstdDecompressor().stream_reader(io.BytesIO(small)).read() != content:
        raise ValueError("zstd gives back other bytes")
    return len(small)
