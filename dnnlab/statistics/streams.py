"""Random streams. Every cell draws from its own, whoever its neighbours are and wherever it runs."""

import zlib

import numpy as np


def stream(base: int, seed: int, purpose: str) -> np.random.Generator:
    """Random numbers that depend on nothing but these three arguments.

    So two configurations under the same seed see the same batches, and can be compared seed by seed. Streams come from
    `numpy.random.SeedSequence`: those of neighbouring seeds and bases do not overlap, as ``base + seed`` would.

    Args:
        base: What all seeds of an experiment share: ``--base-seed``.
        seed: The number of the seed.
        purpose: What the numbers are for, such as ``weights`` or ``batches``; any text.

    >>> from dnnlab.statistics import stream
    >>> bool(stream(0, 3, "weights").random() == stream(0, 3, "weights").random())
    True
    >>> bool(stream(0, 3, "weights").random() == stream(0, 3, "batches").random())
    False
    """
    purpose_key = zlib.crc32(purpose.encode())
    return np.random.default_rng(np.random.SeedSequence(base, spawn_key=(seed, purpose_key)))


def torch_seed(base: int, seed: int, purpose: str) -> int:
    """A seed for PyTorch's own stream, which networks are drawn from, as `stream` would seed one.

    Args:
        base: As of `stream`, like ``seed`` and ``purpose``.
        seed: The number of the seed.
        purpose: What the numbers are for.
    """
    return int(stream(base, seed, purpose).integers(2**63))
