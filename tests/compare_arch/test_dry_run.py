"""What a run is foreseen to cost."""

import math

import pytest

from dnnlab.compare_arch.shallow_deep.plan import SIZES
from dnnlab.compare_arch.spec import Spec
from dnnlab.data import load
from dnnlab.errors import UsageError
from dnnlab.instruments.cost import cost


def test_units_are_searched_for_all_steps():
    few, many = (Spec(preset="shallow-deep", budget=(f"steps={n}",), seeds=1).plan() for n in (100, 300))
    assert [cell.macs for cell in many] == pytest.approx([3 * cell.macs for cell in few])
    assert [cell.macs for cell in Spec(preset="shallow-deep", seeds=1).plan()] == pytest.approx(
        [80 * cell.macs for cell in few]
    )
    first = few[0]
    assert (first.inputs, first.kind) == (SIZES["parity"][0], "shallow")
    # Of two bits there are four patterns; widths of 2, 4, 8, …, 64 units are 126 together.
    assert first.macs == 100 * 3 * 4 * 2 * 126


def transfer(**options):
    (cell,) = Spec(preset="transfer", arch=("mlp1",), seeds=1, train_size=(64,), **options).plan()
    return cell


def test_transfer_is_one_training_and_four_more():
    counts = cost("mlp1", 8, num_classes=5, in_chans=1)
    head = 512 * 5
    whole, head_alone = 32 * counts.training_macs, 32 * (counts.macs + head)
    assert transfer(budget=("steps=7",)).macs == 7 * (3 * whole + 2 * head_alone)
    data = load("digits")
    source = int((data.y[data.train] < 5).sum()) // 32
    expected = 3 * source * whole + 3 * 2 * (2 * whole + 2 * head_alone)
    assert transfer(budget=("epochs=3",)).macs == expected
    assert math.isnan(transfer(budget=("seconds=1",)).macs)


def test_transfer_without_a_whole_batch_of_a_half_is_refused():
    with pytest.raises(UsageError, match="training examples"):
        _ = transfer(budget=("epochs=3",), batch_size=(2000,)).macs
