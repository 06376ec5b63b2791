"""Units that are known to suffice, against the network that is built and tried."""

import pytest

from dnnlab.check.folded import parity_errors
from dnnlab.compare_arch.shallow_deep.theory import sufficient


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("bits", [2, 3, 8, 9, 12])
def test_units_that_are_said_to_suffice_get_every_pattern_right(bits, depth):
    units = sufficient("parity", bits, depth)
    assert parity_errors(bits, depth, units // depth) == 0
    assert units == {1: bits, 3: 6 if bits <= 8 else 9}[depth]


def test_of_other_tasks_nothing_is_known():
    assert sufficient("compositional", 4, 1) is None
