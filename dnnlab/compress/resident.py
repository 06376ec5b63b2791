"""The memory that a model takes in ONNX Runtime, in a process of its own: ``python -m dnnlab.compress.resident``."""

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dnnlab.compress.runtime import PROVIDERS, session_options

_TOLD = Path("/proc/self/smaps_rollup")
_CALLS = 3
"""Memory that the first call allocates is what later ones use again."""


def resident_bytes(content: bytes, small: bytes, shape: Sequence[int], kind: str) -> float:
    """Bytes of memory that the model ``content`` takes once it is loaded and has run one input of ``shape`` and of the
    numpy type ``kind``; nan where the system does not tell, which Linux does.

    A ``small`` model runs before, so that the runtime itself does not count. What the kernel maps from files, such as
    the runtime's code, does not either.
    """
    if not _TOLD.exists():
        return math.nan
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("small.onnx", "model.onnx")]
        for file, written in zip(files, (small, content), strict=True):
            file.write_bytes(written)
        command = [sys.executable, "-m", __name__, *map(str, files), json.dumps(list(shape)), kind]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _measure(small: str, model: str, shape: str, kind: str) -> int:
    import numpy as np
    import onnxruntime as ort

    held = []
    x = np.zeros([1, *json.loads(shape)], dtype=kind)
    sessions = []
    for file, given in ((small, np.zeros([1, 1], dtype=np.float32)), (model, x)):
        sessions.append(ort.InferenceSession(file, session_options(), providers=PROVIDERS))
        name = sessions[-1].get_inputs()[0].name
        for _ in range(_CALLS):
            sessions[-1].run(None, {name: given})
        held.append(_own_bytes())
    return held[1] - held[0]


def _own_bytes() -> int:
    """Bytes of resident memory that come from no file."""
    lines = _TOLD.read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))


if __name__ == "__main__":
    sys.stdout.write(str(_measure(*sys.argv[1:])))
