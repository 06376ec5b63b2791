"""A network as the file of its form, and that file read back: whatever is measured is measured of this."""

import copy
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
from dnnlab.compress.chain import CODED, DENSE, INT8, Stage, form
from dnnlab.compress.structure import biases, rebuild, weights
from dnnlab.data.dataset import Dataset
from dnnlab.instruments.speed import in_turns
from dnnlab.networks.narrowed import METADATA
from dnnlab.training.parts import spread

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]
_CALIBRATED = 256
"""Training examples that activations are calibrated on."""
_CLEARLY = 0.9
"""S8S8 is kept where it takes less than this share of U8S8's time; a coin's toss would change the file."""


@dataclass(frozen=True)
class Artefact:
    """One written file, read back."""

    path: Path
    size: int
    predict: Predict
    """Inputs ``[batch, …]`` to logits, from what the file holds."""
    onnx: bytes
    """For ONNX Runtime, which times it: the file itself, or of a container the dense network that it holds."""
    layers: tuple[container.Layer, ...]
    int8_share: float
    int8_kind: str
    """How activations and weights are signed, where they are quantised ahead."""


@dataclass(frozen=True)
class Desk:
    """What files are written with."""

    data: Dataset
    """On the CPU."""
    fresh: Callable[[], nn.Module]
    """Makes the network that a container is read back into."""
    twin: Callable[[nn.Module], bytes | None]
    """The ONNX file of a network of the same layers, if there is one: it takes the same time."""


def write(model: nn.Module, stages: tuple[Stage, ...], desk: Desk, stem: Path, raw: bool = False) -> Artefact:
    """Write ``model``, which ``stages`` made, under ``stem``.

    ``raw`` writes a dense network into a container, all values in full, where ONNX's graph would outweigh it.

    Raises:
        DnnlabError: it cannot be exported.
    """
    now = form(stages)
    if now == DENSE and not raw:
        return _dense(model, desk.data, stem)
    if now == INT8:
        return _int8(model, stages[-1].word("mode"), desk.data, stem)
    return _container(model, stages, desk, stem)


def _dense(model: nn.Module, data: Dataset, stem: Path) -> Artefact:
    proto = onnx_file.export(model, example(data))
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    # Narrower layers are announced, so that --weights of any experiment makes the factory's fit.
    atomic.write(stem.with_name(stem.name + ".safetensors"), save(state, metadata={METADATA: "{}"}))
    return _onnx(proto.SerializeToString(), stem)


def _onnx(content: bytes, stem: Path, kind: str = "") -> Artefact:
    path = stem.with_name(stem.name + ".onnx")
    atomic.write(path, content)
    read = path.read_bytes()
    share = onnx_file.int8_share(read)
    return Artefact(path, len(read), onnx_file.Session(read), read, (), share, kind)


def _int8(model: nn.Module, mode: str, data: Dataset, stem: Path) -> Artefact:
    proto = onnx_file.export(model, example(data))
    if mode == "dynamic":
        return _onnx(onnx_file.dynamic(proto).SerializeToString(), stem)
    if mode == "weights":
        return _onnx(onnx_file.weights_only(proto).SerializeToString(), stem)
    batches = [data.inputs(part).cpu().numpy() for part in spread(data.train, _CALIBRATED).split(32)]
    files = {
        kind: onnx_file.static(copy.deepcopy(proto), batches, signed).SerializeToString()
        for kind, signed in (("U8S8", False), ("S8S8", True))
    }
    x = data.inputs(data.validation[:32]).cpu().numpy()
    sessions = {kind: onnx_file.Session(content) for kind, content in files.items()}
    calls = {kind: (lambda session=session: session(x)) for kind, session in sessions.items()}
    timings, _ = in_turns(calls, "cpu", lambda share: None)
    kept = "S8S8" if timings["S8S8"].median < _CLEARLY * timings["U8S8"].median else "U8S8"
    return _onnx(files[kept], stem, kept)


def _container(model: nn.Module, stages: tuple[Stage, ...], desk: Desk, stem: Path) -> Artefact:
    path = stem.with_name(stem.name + ".dnnz")
    atomic.write(path, packed(model, stages))
    contents = container.decode(path.read_bytes(), str(path))
    reloaded = rebuild(desk.fresh(), to_torch(contents.state)).eval()

    @torch.no_grad()
    def predict(x: NDArray[np.float32]) -> NDArray[np.float32]:
        out = reloaded(torch.from_numpy(x))
        logits: NDArray[np.float32] = getattr(out, "logits", out).numpy()
        return logits

    onnx = desk.twin(reloaded) or onnx_file.export(reloaded, example(desk.data)).SerializeToString()
    return Artefact(path, path.stat().st_size, predict, onnx, contents.layers, 0.0, "")


def packed(model: nn.Module, stages: tuple[Stage, ...]) -> bytes:
    """The container of ``model`` in the form that ``stages`` leave it."""
    shared = any(stage.kind == "share" for stage in stages)
    return container.encode(to_numpy(model.state_dict()), kinds(model, shared), coded=form(stages) == CODED)


def kinds(model: nn.Module, shared: bool) -> dict[str, int]:
    """How each tensor lies in the container; what is not named lies there in full."""
    if shared:
        return dict.fromkeys([*weights(model), *biases(model)], container.SHARED)
    return {name: container.SPARSE for name, weight in weights(model).items() if bool((weight == 0).any())}


def to_numpy(state: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in state.items()}


def to_torch(state: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.array(values)) for name, values in state.items()}


def example(data: Dataset) -> Tensor:
    """Two training examples, which an export follows through the network."""
    return data.inputs(data.train[:2]).cpu()


def zstd_size(content: bytes) -> int:
    """Bytes of ``content`` under zstd at level 19, checked to come back.

    Raises:
        ValueError: they do not.
    """
    import zstandard

    small: bytes = zstandard.ZstdCompressor(level=19).compress(content)
    if zstandard.ZstdDecompressor().stream_reader(io.BytesIO(small)).read() != content:
        raise ValueError("zstd gives back other bytes")
    return len(small)
