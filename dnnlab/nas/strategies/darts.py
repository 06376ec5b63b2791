"""DARTS (Liu 2019): the choices of every dimension are mixed, and gradients find the best mixture.

What the mixture ends in is trained by itself, and only that is reported; the supernet's own accuracy says little. While
budget is left another supernet is trained from other weights, and the best of what they end in is kept, as the paper
does.
"""

from dnnlab.nas.problem import Problem, Search, Supernet

EPOCHS = 25
"""Epochs of a supernet: half of the examples of a step move the weights, half the mixture."""


def search(problem: Problem, epochs: int = EPOCHS) -> Search:
    """Train a supernet for so many ``epochs``, then the network that it ends in, and so on."""
    number = 0
    while True:
        affordable = min(epochs, problem.left() * problem.epochs - problem.epochs)
        if number and affordable < epochs:
            return
        (found,) = yield [Supernet("darts", max(1.0, affordable), number)]
        yield problem.train([found.code])
        number += 1
