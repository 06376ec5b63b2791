"""Loading images and tables, first and again, against the plain way: ``python -m benchmarks.loading [ROUNDS]``.

Images are PNGs of 32×32 pixels, which the plain way decodes one after another with Pillow. Tables have 20 columns and a
class; the plain way is `pandas.read_csv`. Nothing is written to the user's cache. "Read and hashed" is what loading
again takes at least.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.timing import interleaved
from dnnlab.data import source, sources
from dnnlab.data.files import decoded_folder

CLASSES = 10


def write_images(place: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    for label in range(CLASSES):
        (place / str(label)).mkdir(parents=True)
    for number in range(count):
        # Smooth, as photographs are.
        pixels = np.kron(rng.integers(256, size=(8, 8, 3)), np.ones((4, 4, 1))) + rng.integers(-8, 9, size=(32, 32, 3))
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        image.save(place / str(number % CLASSES) / f"{number}.png")


def write_table(file: Path, rows: int) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.standard_normal((rows, 20)).round(6), columns=[f"c{i}" for i in range(20)])
    table.assign(y=rng.integers(CLASSES, size=rows)).to_csv(file, index=False)


def decode_images(place: Path) -> np.ndarray:
    return np.stack([np.asarray(Image.open(file).convert("RGB")) for file in sorted(place.glob("*/*.png"))])


def load(name: str, again: bool) -> None:
    """Load as a new process would."""
    sources._loaded.clear()
    if not again:
        shutil.rmtree(decoded_folder(), ignore_errors=True)
    source(name).load()


def compare(what: str, name: str, files: list[Path], plain: Callable[[], object], rounds: int) -> None:
    def hashed() -> None:
        for file in files:
            hashlib.sha256(file.read_bytes())

    simple, first, again, least = interleaved(
        plain, lambda: load(name, again=False), lambda: load(name, again=True), hashed, rounds=rounds
    )
    print(
        f"{what}: plain {simple:.2f} s, first {first:.2f} s ({first / simple:.2f} of plain), again {again:.3f} s "
        f"({first / again:.0f}x as fast as first); read and hashed {least:.3f} s"
    )


def main() -> None:
    """Print a line for each size."""
    place = Path(tempfile.mkdtemp())
    os.environ["XDG_CACHE_HOME"] = str(place / "cache")
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    try:
        for count in (10**3, 10**4):
            images = place / f"images{count}"
            write_images(images, count)
            files = sorted(images.glob("*/*.png"))
            compare(f"{count:,} images", f"folder:{images}", files, lambda folder=images: decode_images(folder), rounds)
        for rows in (10**4, 10**5, 10**6):
            table = place / f"table{rows}.csv"
            write_table(table, rows)
            compare(f"{rows:,} rows", f"csv:{table}:y", [table], lambda file=table: pd.read_csv(file), rounds)
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
