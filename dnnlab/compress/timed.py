"""Times ONNX files in turns, in a process of its own: ``python -m dnnlab.compress.timed``."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dnnlab.compress.runtime import INPUT, OUTPUT, PROVIDERS, session_options
from dnnlab.instruments import speed


def times(files: Sequence[str], inputs: str, sizes: Sequence[int], rounds: int) -> dict[str, Any]:
    """Seconds of one call in each of the ``rounds``, of each of the ONNX ``files`` on the first inputs of the ``.npy``
    file ``inputs``, by file and number of inputs, such as ``0 32``; and how much the machine's own speed varied."""
    import onnxruntime as ort

    x = np.load(inputs)
    sessions = [ort.InferenceSession(file, session_options(), providers=PROVIDERS) for file in files]
    calls = {
        f"{i} {size}": (lambda session=session, size=size: session.run([OUTPUT], {INPUT: x[:size]}))
        for i, session in enumerate(sessions)
        for size in sizes
    }
    timings, machine = speed.in_turns(calls, "cpu", lambda share: None, rounds)
    return {"rounds": {name: timing.rounds for name, timing in timings.items()}, "noisy": machine.noisy}


if __name__ == "__main__":
    question = json.load(sys.stdin)
    folder = Path(question.pop("folder"))
    question["files"] = [str(folder / name) for name in question["files"]]
    json.dump(times(inputs=str(folder / "inputs.npy"), **question), sys.stdout)
