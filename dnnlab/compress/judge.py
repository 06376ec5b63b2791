"""What an artefact is worth: right answers beside its network's own, time taken in turns with it, memory."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dnnlab.compress.files import Artefact, Predict, example
from dnnlab.compress.onnx_file import Session
from dnnlab.data.dataset import Dataset
from dnnlab.instruments.memory import measured_peak
from dnnlab.instruments.speed import in_turns

_BATCH = 256
TIMED_BATCH = 32


def right(predict: Predict, data: Dataset, index: torch.Tensor) -> NDArray[np.bool_]:
    """Which of the examples ``index`` are classified right, ``[example]``."""
    parts = [
        predict(data.inputs(part).cpu().numpy()).argmax(1) == data.y[part].cpu().numpy() for part in index.split(_BATCH)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)


def finite(predict: Predict, data: Dataset) -> bool:
    """Whether logits are numbers."""
    return bool(np.isfinite(predict(data.inputs(data.validation[:_BATCH]).cpu().numpy())).all())


def answers(ours: NDArray[np.bool_], base: NDArray[np.bool_]) -> dict[str, Any]:
    """Accuracy on test in counts, paired with the network's own."""
    return {
        "tested": len(ours),
        "accuracy": float(ours.mean()),
        "errors": int((~ours).sum()),
        "base_errors": int((~base).sum()),
        "gained": int((ours & ~base).sum()),
        "lost": int((~ours & base).sum()),
    }


@dataclass(frozen=True)
class Clock:
    """Times of the network itself and of an artefact, both in ONNX Runtime on one thread, in turns."""

    base: bytes
    data: Dataset

    def times(self, content: bytes) -> dict[str, float]:
        """Milliseconds a call at batch 1 and at `TIMED_BATCH`, and how many times faster than the network itself.

        The network itself is timed once, so that it is exactly as fast as itself on the noisiest machine.
        """
        index = self.data.validation[:1].expand(TIMED_BATCH)
        x = self.data.inputs(index).cpu().numpy()
        sessions = {"base": Session(self.base)} | ({"ours": Session(content)} if content != self.base else {})
        calls = {
            f"{name} {size}": (lambda session=session, size=size: session(x[:size]))
            for name, session in sessions.items()
            for size in (1, TIMED_BATCH)
        }
        timings, machine = in_turns(calls, "cpu", lambda share: None)
        found: dict[str, float] = {}
        for size, name in ((1, "latency"), (TIMED_BATCH, "latency32")):
            base = timings[f"base {size}"]
            ours = timings.get(f"ours {size}", base)
            found |= {
                f"{name}_ms": ours.median * 1e3,
                f"{name}_min_ms": min(ours.rounds) * 1e3,
                f"{name}_p95_ms": ours.p95 * 1e3,
                f"base_{name}_ms": base.median * 1e3,
            }
            found["speedup" if size == 1 else "speedup32"] = base.median / ours.median
        return found | {"noisy": float(machine.noisy)}


def memory(model: nn.Module, artefact: Artefact, data: Dataset) -> float:
    """Bytes that inference of one input takes: weights as the runtime holds them, and activations at their most.

    Activations are those of the float network; in eight bits they take a quarter.
    """
    x = example(data)[:1]
    model = model.cpu().eval()

    def forward() -> None:
        with torch.no_grad():
            model(x)

    forward()
    # What is served from a container is a dense float network again.
    held = len(artefact.onnx)
    return held + measured_peak(forward, "cpu") / (4 if artefact.int8_kind else 1)


def bits(artefact: Artefact) -> dict[str, float]:
    """Bits a weight in the container, beside the entropy of its numbers; nan of files that are none."""
    total = sum(math.prod(layer.shape) for layer in artefact.layers)
    if not total:
        return {"bits_per_weight": math.nan, "entropy_bound": math.nan}
    return {
        "bits_per_weight": sum(layer.bits for layer in artefact.layers) / total,
        "entropy_bound": sum(layer.bound for layer in artefact.layers) / total,
    }
