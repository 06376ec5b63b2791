"""The quantities that are measured of an artefact: accuracy and latency beside those of the network itself, memory,
bits per weight."""

import functools
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dnnlab.compress.executed import executed
from dnnlab.compress.files import Artefact, Predict, example
from dnnlab.compress.resident import resident_bytes
from dnnlab.compress.stages import INT8
from dnnlab.data.dataset import Dataset
from dnnlab.instruments import speed
from dnnlab.instruments.fresh import answer_of
from dnnlab.training.evaluation import told_of_one

_BATCH = 256
TIMED_BATCH = 32
_TIMED = "dnnlab.compress.timed"


def correct(predict: Predict, data: Dataset, index: torch.Tensor, batch: int = _BATCH) -> NDArray[np.bool_]:
    """Whether each of the examples ``index`` is classified correctly, so many in a ``batch``, bool ``[example]``."""
    parts = [
        predict(data.inputs(part).cpu().numpy()).argmax(1) == data.y[part].cpu().numpy() for part in index.split(batch)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)


def finite(predict: Predict, data: Dataset) -> bool:
    """Whether all logits are finite."""
    return bool(np.isfinite(predict(data.inputs(data.validation[:_BATCH]).cpu().numpy())).all())


def judged(ours: NDArray[np.bool_], base: NDArray[np.bool_], data: Dataset) -> dict[str, Any]:
    """Columns of accuracy on the test split, also in counts of examples beside those of the network itself, from which
    are correct, ``[example]``."""
    return {
        "tested": len(ours),
        **told_of_one(torch.from_numpy(ours), data, data.test),
        "errors": int((~ours).sum()),
        "base_errors": int((~base).sum()),
        "gained": int((ours & ~base).sum()),
        "lost": int((~ours & base).sum()),
    }


def latency(base: bytes, ours: bytes, data: Dataset) -> dict[str, float]:
    """Columns of latency: milliseconds per call at batch 1 and at `TIMED_BATCH`, and the speed relative to the network
    itself.

    Both ONNX files, ``base`` of the network itself and ``ours``, run in ONNX Runtime on one thread, in turns, in a
    process of their own, so that each seed is timed independently of the others. The network itself is timed once, so
    that it is exactly as fast as itself on the noisiest machine.
    """
    index = data.validation[:1].expand(TIMED_BATCH)
    files = {"base.onnx": base} | ({"ours.onnx": ours} if ours != base else {})
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "inputs.npy", data.inputs(index).cpu().numpy())
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        sizes = (1, TIMED_BATCH)
        told = answer_of(_TIMED, {"folder": folder, "files": list(files), "sizes": sizes, "rounds": speed.ROUNDS})
    columns: dict[str, float] = {}
    for size, name in ((1, ""), (TIMED_BATCH, str(TIMED_BATCH))):
        of_base = np.array(told["rounds"][f"0 {size}"])
        of_ours = np.array(told["rounds"][f"{len(files) - 1} {size}"])
        columns |= {
            f"latency{name}_ms": float(np.median(of_ours)) * 1e3,
            f"latency{name}_min_ms": float(of_ours.min()) * 1e3,
            f"latency{name}_p95_ms": float(np.quantile(of_ours, 0.95)) * 1e3,
            f"base_latency{name}_ms": float(np.median(of_base)) * 1e3,
            f"speedup{name}": float(np.median(of_base / of_ours)),
        }
    return columns | {"noisy": float(told["noisy"])}


def eight_bits(artefact: Artefact, form: str, data: Dataset) -> dict[str, Any]:
    """Columns of what ONNX Runtime executes in eight bits, of one input, for a file of this ``form``."""
    if form != INT8:  # nothing was quantised
        return {"int8_share": 0.0, "int8_kind": artefact.int8_kind, "in_floats": ""}
    found = executed(artefact.onnx, example(data)[:1].numpy())
    floats = ", ".join(f"{kind} {share:.2g}" for kind, share in found.in_floats().items())
    return {"int8_share": found.share, "int8_kind": artefact.int8_kind, "in_floats": floats}


def memory(content: bytes, data: Dataset) -> float:
    """Bytes of resident memory that the ONNX model ``content`` takes in a process of its own, once it has run one
    input; nan where the system does not tell."""
    x = example(data)[:1].numpy()
    return resident_bytes(content, _small_model(), x.shape[1:], str(x.dtype))


@functools.cache
def _small_model() -> bytes:
    """An ONNX model of one product of two numbers."""
    from onnx import TensorProto, helper, numpy_helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 1]) for name in "xy"]
    one = numpy_helper.from_array(np.ones((1, 1), dtype=np.float32), "one")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "one"], ["y"])], "small", ends[:1], ends[1:], [one])
    written: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    return written


def bits(artefact: Artefact) -> dict[str, float]:
    """Columns of bits per weight in the container, beside the entropy of its numbers; nan for files that are no
    containers."""
    total = sum(math.prod(layer.shape) for layer in artefact.layers)
    if not total:
        return {"bits_per_weight": math.nan, "entropy_bound": math.nan}
    return {
        "bits_per_weight": sum(layer.bits for layer in artefact.layers) / total,
        "entropy_bound": sum(layer.bound for layer in artefact.layers) / total,
    }
