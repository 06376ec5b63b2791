"""Checks whether networks, data and batches fit each other, before anything is measured."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dnnlab import data as datasets
from dnnlab.errors import UsageError

if TYPE_CHECKING:
    from dnnlab.data.dataset import Dataset


def check_batch(data: "Dataset", batch_size: int, examples: int | None = None) -> None:
    """Raise a `UsageError` where a batch is larger than the training split, or than the ``examples`` taken of it."""
    there = len(data.train) if examples is None else examples
    if batch_size > there:
        raise UsageError(
            f"--batch-size {batch_size} is more than the {there} training examples of {data.name}; take at most that, "
            f"such as --batch-size {max(2, 2 ** (max(there, 2).bit_length() - 2))}."
        )


def check(names: Iterable[str], batch_sizes: Sequence[int], model: str, weights: str) -> None:
    """Load every data set, and check that it fills a batch and that the user's own network takes it.

    Raises:
        UsageError: it does not.
        DnnlabError: a file of the data is missing or broken.
    """
    for name in names:
        data = datasets.load(name)
        for batch_size in batch_sizes:
            check_batch(data, batch_size)
        if model:
            _check_model(model, weights, data)


def _check_model(model: str, weights: str, data: "Dataset") -> None:
    import torch

    from dnnlab.networks import user_network
    from dnnlab.training import evaluation

    with torch.random.fork_rng():
        network = user_network.factory(model, len(data.classes))()
        if weights:
            user_network.load_weights(network, weights)
        evaluation.check(network, data)
