"""Rows of layered networks, as columns."""

import math

from dnnlab.runner.rows import joined


def test_tables_are_joined_cell_by_cell_and_what_one_lacks_is_nan():
    table = joined([{"cell": [0, 1], "a": [1.0, 2.0]}, {"cell": [0], "b": ["x"]}])
    assert table["cell"] == [0, 0, 1]
    assert [table["a"][0], table["a"][2]] == [1.0, 2.0]
    assert math.isnan(table["a"][1])
    assert [str(value) for value in table["b"]] == ["nan", "x", "nan"]
