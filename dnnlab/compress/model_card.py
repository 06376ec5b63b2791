"""The model card beside an artefact: its content, its origin, how to load it, and the measurements."""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import torch

import dnnlab
from dnnlab import atomic
from dnnlab.compress.files import Artefact
from dnnlab.compress.plan import Cell
from dnnlab.data.dataset import Dataset

_HOW = {
    ".onnx": "onnxruntime.InferenceSession(FILE).run(['logits'], {'x': x})[0]",
    ".dnnz": "dnnlab decompress FILE writes FILE.safetensors, the state dict; storage and transfer: no runtime "
    "executes the container itself",
}


def write(artefact: Artefact, row: Mapping[str, Any], cell: Cell, data: Dataset) -> None:
    """Write ``FILE.json`` beside ``artefact``, with the measurements of its ``row``."""
    content = artefact.path.read_bytes()
    card = {
        "file": artefact.path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "what": f"{cell.arch} after {row['chain'] or 'training'}" + (f", {row['method']}" if row["role"] else ""),
        "from": {"network": cell.arch, "data": data.name, "data_digest": data.digest, "seed": cell.seed,
                 "chain": row["chain"], "dnnlab": dnnlab.__version__},
        "load": _HOW[artefact.path.suffix],
        "input": {
            "shape": ["batch", *data.shape],
            **_inputs(data),
        },
        "classes": list(data.classes),
        "measured": {name: _plain(value) for name, value in row.items() if name not in ("role", "chain", "file")},
        "layers": [
            {
                "name": layer.name,
                "shape": list(layer.shape),
                "nonzeros": layer.nonzeros,
                "levels": layer.levels,
                "bits_per_weight": round(layer.bits_per_weight, 4),
                "entropy_bound": round(layer.bound_per_weight, 4),
            }
            for layer in artefact.layers
        ],
    }  # fmt: skip
    atomic.write(artefact.path.with_name(f"{artefact.path.name}.json"), (json.dumps(card, indent=1) + "\n").encode())


def _inputs(data: Dataset) -> dict[str, Any]:
    """How inputs are made of what the data hold."""
    if data.tokens:
        return {"as": "tokens, int64"}
    how = ", mean and std a channel" if len(data.shape) > 2 else ""
    if data.mean.dtype == torch.float64:  # those of a table
        how = ", computed in float64 and then rounded"
    return {
        "as": f"(value - mean) / std, float32{how}",
        "mean": data.mean.tolist(),
        "std": data.std.tolist(),
    }


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
