"""A grid of convolutional networks by one process and by two, in turn: ``python -m benchmarks.engines [PAIRS]``."""

import itertools
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import dnnlab

GRID = ("resnet20:width=0.5", "plain20:width=0.5", "nin:width=0.5", "mobilenet_v1:width=0.25")


def main(pairs: int) -> None:
    """Print the seconds of each in every pair, and the median of their ratios."""
    place, number, ratios = Path(tempfile.mkdtemp()), itertools.count(), []

    def seconds(engine: str) -> float:
        started = time.perf_counter()
        out = place / str(next(number))
        dnnlab.compare_arch(arch=GRID, budget="epochs=10", seeds=4, engine=engine, out=out, quiet=True)
        return time.perf_counter() - started

    try:
        for _ in range(pairs):
            alone, beside = seconds("inline"), seconds("processes:2")
            ratios.append(alone / beside)
            print(f"{len(GRID)} networks x 4 seeds: inline {alone:.1f} s, processes:2 {beside:.1f} s", flush=True)
    finally:
        shutil.rmtree(place)
    print(f"ratio {np.median(ratios):.2f}x, from {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
