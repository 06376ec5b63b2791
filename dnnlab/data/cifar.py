"""CIFAR-10 in its binary version (Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html)."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dnnlab.data.dataset import Content
from dnnlab.data.files import DataFile
from dnnlab.data.splits import Split, fixed_stream, held_out

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
VALIDATION = 5_000  # of the publisher's 50,000 training examples
_SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32  # bytes: the label, then the red, green and blue planes


def read(files: Mapping[str, DataFile]) -> Content:
    """CIFAR-10 from its six files: ``x`` ``[60000, 3, 32, 32]``, the publisher's test set last.

    Raises:
        DnnlabError: a file is missing or broken.
    """
    *batches, last = [read_batch(files[name]) for name in sorted(files)]  # data_batch_1 … 5, test_batch
    count = sum(len(batch) for batch in batches)
    if count <= VALIDATION:
        raise files["data_batch_1.bin"].problem(
            f"and its neighbours have {count:,} images, too few to set {VALIDATION:,} aside for validation"
        )
    train, validation = held_out(count, [VALIDATION], fixed_stream("cifar10"))
    records = np.concatenate([*batches, last])
    split = Split(train, validation, np.arange(count, len(records)))
    return Content(
        np.ascontiguousarray(records[:, 1:]).reshape(-1, *_SHAPE),
        records[:, 0].astype(np.int64),
        split,
        CLASSES,
    )


def read_batch(file: DataFile) -> NDArray[np.uint8]:
    """The records of one file: uint8 ``[n, 3073]``, label first.

    Raises:
        DnnlabError: missing, unreadable, of the wrong size, or with a label that is no class.
    """
    content = bytearray()
    for piece in file.chunks():
        content += piece
    if not content or len(content) % _RECORD:
        raise file.problem(f"is {len(content):,} bytes long, which is no multiple of {_RECORD:,}")
    records = np.frombuffer(content, np.uint8).reshape(-1, _RECORD)
    largest = records[:, 0].max()
    if largest >= len(CLASSES):
        raise file.problem(f"has a label {largest} where {len(CLASSES) - 1} is the largest")
    return records
