"""Rows of layered networks, as columns."""

import math

from dnnlab.runner.rows import joined


def test_tables_stand_below_each_other_and_what_one_lacks_is_nan():
    table = joined([{"cell": [0, 1], "a": [1.0, 2.0]}, {"cell": [1], "b": ["x"]}])
    assert table["cell"] == [0, 1, 1]
    assert table["a"][:2] == [1.0, 2.0]
    assert math.isnan(table["a"][2])
    assert [str(value) for value in table["b"]] == ["nan", "nan", "x"]
