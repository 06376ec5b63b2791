"""Random streams. Every cell draws from its own, whoever its neighbours are and wherever it runs."""

import zlib

import numpy as np


def stream(base: int, seed: int, purpose: str) -> np.random.Generator:
    """The stream of one ``purpose`` ("weights", "batches", …) of seed number ``seed`` above ``base``.

    Derived with `numpy.random.SeedSequence`, so neighbouring seeds and bases do not overlap as ``base + seed``
    would. It depends on nothing else: configurations under the same seed see the same batches, and are paired.
    """
    purpose_key = zlib.crc32(purpose.encode())
    return np.random.default_rng(np.random.SeedSequence(base, spawn_key=(seed, purpose_key)))
