"""``dnnlab --help`` against a bare Typer and Rich program, and against ``import torch``.

python -m benchmarks.start_up
"""

import subprocess
import sys
import time

import numpy as np

BARE = """
import typer, rich.table
app = typer.Typer()
@app.command()
def main(name: str = "x"): pass
app()
"""
WAYS = {
    "bare Typer + Rich --help": ["-c", BARE, "--help"],
    "dnnlab --help": ["-m", "dnnlab", "--help"],
    "import torch": ["-c", "import torch"],
}

if __name__ == "__main__":
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(6):
        for name, arguments in WAYS.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - started)
    medians = {name: float(np.median(taken[1:])) for name, taken in seconds.items()}
    for name, median in medians.items():
        print(f"{name:26} {median:5.2f} s, {median / medians['bare Typer + Rich --help']:.1f}x")
