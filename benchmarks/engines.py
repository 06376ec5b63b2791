"""A grid of convolutional networks by one process and by two, side by side: ``python -m benchmarks.engines``."""

import itertools
import shutil
import tempfile
from pathlib import Path

import dnnlab
from benchmarks.timing import interleaved

GRID = ("resnet20:width=0.5", "plain20:width=0.5", "nin:width=0.5", "mobilenet_v1:width=0.25")


def main() -> None:
    """Print the seconds of each, and their ratio."""
    place, number = Path(tempfile.mkdtemp()), itertools.count()

    def run(engine: str) -> None:
        out = place / str(next(number))
        dnnlab.compare_arch(arch=GRID, budget="epochs=10", seeds=4, engine=engine, out=out, quiet=True)

    try:
        alone, beside = interleaved(lambda: run("inline"), lambda: run("processes:2"), rounds=2)
    finally:
        shutil.rmtree(place)
    print(f"{len(GRID)} networks x 4 seeds: inline {alone:.1f} s, processes:2 {beside:.1f} s, {alone / beside:.2f}x")


if __name__ == "__main__":
    main()
