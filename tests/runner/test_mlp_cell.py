"""Cells that are multi-layer perceptrons: their share of a stack, and what they cost."""

import math
from dataclasses import dataclass

import pytest

from dnnlab.networks.shape import MLPShape, Skip
from dnnlab.runner.experiment import ALONE, THREADS
from dnnlab.runner.mlp_cell import MLPCell


@dataclass(frozen=True)
class Cell(MLPCell):
    model: str = ""
    act: str = "relu"
    norm: str = "none"
    skip: str = "none"
    depth: int = 3
    width: int = 10
    data: str = "digits"
    batch_size: int = 5


def test_costs_of_a_plain_network():
    # Ten inputs and ten classes: four layers of 10 × 10 weights and 10 biases.
    assert Cell().macs == 3 * 5 * 400
    assert Cell().bytes == 4 * (2 * 440 + 5 * (3 * 10 + 10))
    assert str(Cell()) == "relu depth 3 width 10 norm none skip none on digits"


def test_the_network_on_data_is_of_all_its_options():
    cell = Cell(act="relu*2+tanh", norm="batch", skip="residual:0.5")
    skip = Skip("residual", 0.5)
    assert cell.shape(64, 7) == MLPShape(64, 7, 3, 10, ("relu", "relu", "tanh"), "batch", skip)


def test_a_model_of_ones_own_is_not_counted():
    own = Cell(model="mine:net", act="", norm="", skip="", depth=0, width=0)
    assert math.isnan(own.macs)
    assert (own.bytes, own.weight, str(own)) == (0.0, 1 / 64, "mine:net on digits")


@pytest.mark.parametrize(
    ("cell", "numbers"),
    [(Cell(), 2**21), (Cell(depth=100, width=4096), 100 * 4096 * (4096 + 20)),
     (Cell(depth=100, width=4096, skip="dense"), 5050 * 4096 * (4096 + 20))],
)  # fmt: skip
def test_a_stack_is_full_at_64_members_or_at_so_many_numbers(cell, numbers):
    assert cell.weight == numbers / 2**27


@pytest.mark.parametrize(
    ("cell", "place"),
    [
        (Cell(width=362, batch_size=128), THREADS),  # 362² · 128 is just below 2²⁴
        (Cell(width=363, batch_size=128), ALONE),
        (Cell(width=64, batch_size=128, depth=31, skip="dense"), THREADS),  # the last layer reads 31 · 64 numbers
        (Cell(width=64, batch_size=128, depth=32, skip="dense"), ALONE),
        (Cell(model="mine:net", act="", norm="", skip="", depth=0, width=0), ALONE),
    ],
)
def test_small_products_are_taken_beside_others(cell, place):
    assert cell.beside == place
