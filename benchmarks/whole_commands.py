"""Whole commands against the scripts that one would write instead, idle and beside one busy process.

python -m benchmarks.whole_commands [PAIRS]

Each is a process of its own, start-up, tables and figures included; they take turns.
"""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

import numpy as np

PYTHON = [sys.executable, "-m"]
DNNLAB = [*PYTHON, "dnnlab"]
PLAIN = [*PYTHON, "benchmarks.plain.dead_relu"]
GRADIENTS = [*PYTHON, "benchmarks.plain.gradient_flow"]
FOLDER = "FOLDER"
"""Stands for a folder that is new for each process."""
COMMANDS: Sequence[dict[str, Sequence[Sequence[str]]]] = (
    {
        "dnnlab dead-relu --remedies": [
            [*DNNLAB, "dead-relu", "--lr", "1", "--init", "xavier", "--remedies", "--seeds", "5", "--quiet",
             "--out", FOLDER]
        ],
        "plain loop": [PLAIN],
        "plain loop, as two processes": [[*PLAIN, "0", "2"], [*PLAIN, "1", "2"]],
    },
    {
        "dnnlab gradient-flow --act sigmoid --depth 20 --seeds 5": [
            [*DNNLAB, "gradient-flow", "--act", "sigmoid", "--depth", "20", "--seeds", "5", "--quiet", "--out", FOLDER]
        ],
        "plain loop": [GRADIENTS],
        "plain loop with a table and a figure in files": [[*GRADIENTS, FOLDER]],
    },
)  # fmt: skip
"""The first of each group is compared with the others."""


@contextlib.contextmanager
def a_busy_process() -> Iterator[None]:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        busy.kill()
        busy.wait()


def seconds(processes: Sequence[Sequence[str]]) -> float:
    """How long all of them take, side by side."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        commands = [[folder if word == FOLDER else word for word in each] for each in processes]
        running = [subprocess.Popen(each, stdout=subprocess.DEVNULL) for each in commands]
        codes = [process.wait() for process in running]
    if any(codes):
        raise SystemExit(f"{' '.join(processes[0])} ended with {max(codes)}")
    return time.perf_counter() - started


if __name__ == "__main__":
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for commands in COMMANDS:
        for name, neighbour in (("idle", contextlib.nullcontext), ("beside a busy process", a_busy_process)):
            with neighbour():
                taken = [[seconds(processes) for processes in commands.values()] for _ in range(pairs)]
            medians = np.median(taken, axis=0)
            for command, median in zip(commands, medians, strict=True):
                print(f"{name}, {command}: {median:.1f} s, of which dnnlab takes {medians[0] / median:.2f}")
