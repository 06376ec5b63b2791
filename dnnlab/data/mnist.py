"""MNIST and the sets made to take its place: four IDX files, images and labels to train and to test."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dnnlab.data.dataset import Content
from dnnlab.data.files import DataFile
from dnnlab.data.idx import read_idx
from dnnlab.data.splits import Split, fixed_stream, held_out

DIGITS = tuple("0123456789")
CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
VALIDATION = 5_000  # of the publisher's 60,000 training examples


def read(files: Mapping[str, DataFile], classes: tuple[str, ...]) -> Content:
    """MNIST from its four files: ``x`` ``[70000, 1, 28, 28]``, the publisher's test set last.

    Raises:
        DnnlabError: a file is missing or broken, or two files do not belong together.
    """
    train_x, train_y = _half(files, "train", len(classes))
    test_x, test_y = _half(files, "t10k", len(classes))
    images = files["t10k-images-idx3-ubyte"]
    if train_x.shape[1:] != test_x.shape[1:]:
        raise images.problem(f"has images of {test_x.shape[1:]} where those to train on are {train_x.shape[1:]}")
    if len(train_x) <= VALIDATION:
        raise files["train-images-idx3-ubyte"].problem(
            f"has {len(train_x):,} images, too few to set {VALIDATION:,} aside for validation"
        )
    train, validation = held_out(len(train_x), [VALIDATION], fixed_stream("mnist"))
    test = np.arange(len(train_x), len(train_x) + len(test_x))
    x = np.concatenate([train_x, test_x]).reshape(-1, 1, *train_x.shape[1:])
    return Content(x, np.concatenate([train_y, test_y]), Split(train, validation, test), classes)


def _half(files: Mapping[str, DataFile], half: str, classes: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    x = read_idx(files[f"{half}-images-idx3-ubyte"], 3)
    labels = files[f"{half}-labels-idx1-ubyte"]
    y = read_idx(labels, 1)
    if len(x) != len(y):
        raise labels.problem(f"has {len(y):,} labels for {len(x):,} images")
    if y.max() >= classes:
        raise labels.problem(f"has a label {y.max()} where {classes - 1} is the largest")
    return x, y.astype(np.int64)
