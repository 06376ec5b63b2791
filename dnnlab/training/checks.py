"""Checks whether networks, data and batches fit each other, before anything is measured."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from dnnlab import data as datasets
from dnnlab.errors import UsageError
from dnnlab.networks import named

if TYPE_CHECKING:
    from torch import nn

    from dnnlab.data.dataset import Dataset


def check_batch(data: "Dataset", batch_size: int, examples: int | None = None) -> None:
    """Raise a `UsageError` where a batch is larger than the training split, or than the ``examples`` taken of it."""
    there = len(data.train) if examples is None else examples
    if batch_size > there:
        raise UsageError(
            f"--batch-size {batch_size} is more than the {there} training examples of {data.name}; take at most that, "
            f"such as --batch-size {max(2, 2 ** (max(there, 2).bit_length() - 2))}."
        )


def check_numbers(data: "Dataset", network: str = "", what: str = "the fully connected network") -> None:
    """Raise a `UsageError` where inputs are tokens and the ``network`` of this name, or without a name ``what``, would
    compute with them as if they were numbers, or where it is a network of tokens and inputs are none, or are others
    than it knows; a user's own may have an embedding."""
    if known := named.vocabulary(network) if network else 0:
        if not data.tokens:
            raise UsageError(f"{network} takes tokens, and {data.name} gives numbers; {named.suggestion(network)}.")
        if (largest := int(data.x.max())) >= known:
            raise UsageError(
                f"{network} knows the tokens from 0 to {known - 1}, and {data.name} has the token {largest}; "
                f"{named.suggestion(network)}."
            )
        return
    if data.tokens and not (network and named.is_users(network)):
        raise UsageError(
            f"{data.name} gives tokens, and {network or what} takes numbers; give a network "
            "of your own that begins with an embedding, or other --data such as gaussian:64."
        )


def check_labels(data: "Dataset", network: str) -> None:
    """Raise a `UsageError` where the ``network`` of this name classes every pixel, for which there are no labels."""
    if named.classes_every_pixel(network):
        raise UsageError(
            f"{network} classes every pixel, and {data.name} has one label for each input; take another network, such "
            "as resnet20."
        )


def check(
    names: Iterable[str],
    batch_sizes: Sequence[int],
    networks: Sequence[str],
    weights: str,
    also: "Callable[[nn.Module, Dataset], object]" = lambda model, data: None,
) -> None:
    """Load every data set, and check that it fills a batch and that all ``networks`` take it; where there are none,
    dnnlab's fully connected ones are meant. ``also`` is called with each network and data set.

    Raises:
        UsageError: it does not.
        DnnlabError: a file of the data is missing or broken.
    """
    for name in names:
        data = datasets.load(name)
        for batch_size in batch_sizes:
            check_batch(data, batch_size)
        if not networks:
            check_numbers(data)
        for network in networks:
            model = check_network(network, weights, data)
            try:
                also(model, data)
            except UsageError as problem:
                raise UsageError(f"{network}: {problem}") from problem


def check_network(network: str, weights: str, data: "Dataset") -> "nn.Module":
    """Check that the ``network`` of this name, with the ``weights`` of this file if there is one, takes the inputs of
    ``data``. It is given back, on the CPU.

    Raises:
        UsageError: it does not.
    """
    from functools import partial

    import torch

    from dnnlab import memory
    from dnnlab.instruments.unread import unread
    from dnnlab.networks import user_network
    from dnnlab.training import evaluation

    check_numbers(data, network)
    check_labels(data, network)
    if named.in_catalogue(network):
        skeleton = named.build(network, data.shape, len(data.classes), skeleton=True)
        # Weights, gradients and what the optimiser remembers, in float32.
        memory.require(12 * sum(p.numel() for p in skeleton.parameters()), f"training {network}")
    with torch.random.fork_rng():
        model = named.build(network, data.shape, len(data.classes))
        if weights:
            user_network.load_weights(model, weights, partial(unread, data=data, training=True))
        with named.refusing(network):
            evaluation.check(model, data)
    return model
