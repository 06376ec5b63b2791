import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from dnnlab.report.columns import Column, check, estimate

from .sample import COLUMNS


def test_importing_the_schema_imports_nothing_heavy():
    heavy = "{'pandas', 'numpy', 'matplotlib', 'jinja2', 'rich', 'torch'}"
    code = f"import sys, dnnlab.report, dnnlab.report.columns; print({heavy} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_a_frame_of_the_schema_passes_in_any_order(frame):
    check(frame, COLUMNS)
    check(frame[frame.columns[::-1]], COLUMNS)
    check(frame.iloc[:0], COLUMNS)
    check(pd.DataFrame(columns=[column.name for column in COLUMNS]), COLUMNS)


def test_missing_extra_and_mistyped_columns_are_all_named(frame):
    frame["width"] = 64.0
    frame["extra"] = 1
    with pytest.raises(ValueError, match=r"missing time; .*schema: extra; width should hold int, not float64"):
        check(frame.drop(columns="time"), COLUMNS)


def test_a_column_twice_is_named(frame):
    with pytest.raises(ValueError, match="twice there: act"):
        check(pd.concat([frame, frame[["act"]]], axis=1), COLUMNS)


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        (int, [1, 2], [1.0, 2.0]),
        (int, pd.array([1, None], dtype="Int64"), [True, False]),
        (float, [1.0, None], [1, 2]),
        (float, np.array([1, 2], dtype="float32"), ["1", "2"]),
        (bool, [True, False], [1, 0]),
        (bool, pd.array([True, None], dtype="boolean"), ["True", "False"]),
        (str, ["a", None], [1, 2]),
        (str, pd.Series(["a", "b"], dtype=object), pd.Series(["a", 2], dtype=object)),
    ],
)
def test_types(dtype, good, bad):
    columns = [Column("x", dtype, "Anything.")]
    check(pd.DataFrame({"x": good}), columns)
    with pytest.raises(ValueError, match="x should hold"):
        check(pd.DataFrame({"x": bad}), columns)


def test_an_interval_has_two_ends_and_both_are_columns():
    with pytest.raises(ValueError, match="both ends"):
        Column("x", float, "An estimate.", low="x_lo")
    with pytest.raises(ValueError, match="missing x_lo and x_hi"):
        check(pd.DataFrame({"x": [1.0]}), [Column("x", float, "An estimate.", low="x_lo", high="x_hi")])


def test_an_estimate_is_three_columns_that_name_each_other():
    middle, low, high = estimate("gain", "What is gained.", "gain")
    assert (middle.name, middle.low, middle.high, middle.screen) == ("gain", "gain_lo", "gain_hi", "gain")
    assert (low.name, low.help, low.screen) == ("gain_lo", "lower end of its 95 % interval over seeds", "")
    assert (high.name, high.dtype) == ("gain_hi", float)


def test_the_ends_of_an_estimate_may_have_another_name_and_another_interval():
    middle, low, high = estimate("drop_of_it", "What is lost.", ends="drop", interval="exact 95 % interval")
    assert (middle.low, middle.high, middle.screen) == ("drop_lo", "drop_hi", "")
    assert (low.name, low.help, high.name) == ("drop_lo", "lower end of its exact 95 % interval", "drop_hi")
