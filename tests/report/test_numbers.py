"""Numbers as people write them; the oracle reads them back."""

import math
import re
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlab.report.numbers import Form, estimate, exactly, number


def read(text):
    """The number that a reader understands."""
    mantissa, sign, power = re.fullmatch(r"(-?[\d.,]*)(·?)(10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?", text).groups()
    mantissa = mantissa.replace(",", "")
    if power is None:
        return float(mantissa)
    exponent = int(unicodedata.normalize("NFKC", power[2:]).replace("−", "-"))
    return (float(mantissa) if sign else -1.0 if mantissa else 1.0) * 10.0**exponent


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.4081, "0.408"),
        (0.40004, "0.400"),
        (0.5, "0.5"),
        (0.0, "0"),
        (-0.0, "0"),
        (-0.00123456, "-0.00123"),
        (999.7, "1000"),
        (1234.5, "1234"),
        (0.00012345, "1.2·10⁻⁴"),
        (6.6e-17, "6.6·10⁻¹⁷"),
        (1e-16, "10⁻¹⁶"),
        (-1e-4, "-10⁻⁴"),
        (0.0005, "5·10⁻⁴"),
        (0.00010004, "1.0·10⁻⁴"),
        (12345.6, "1.2·10⁴"),
        (1e300, "10³⁰⁰"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "–"),
        (None, "–"),
        (1024, "1024"),
        (1234567, "1,234,567"),
        (np.int64(1234567), "1,234,567"),
        (np.float64(0.5), "0.5"),
    ],
)
def test_number(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (0.141, Form.SHARE, "14.1 %"),
        (0.07, Form.SHARE, "7 %"),
        (0.97, Form.SHARE, "97 %"),
        (0.97004, Form.SHARE, "97.0 %"),
        (1.0, Form.SHARE, "100 %"),
        (1, Form.SHARE, "100 %"),
        (0.9999, Form.SHARE, "99.99 %"),
        (0.99996, Form.SHARE, "99.996 %"),
        (1 - 2**-53, Form.SHARE, "100 %"),  # one but for rounding
        (0.0, Form.SHARE, "0 %"),
        (1e-5, Form.SHARE, "0.001 %"),
        (6.6e-17, Form.SHARE, "6.6·10⁻¹⁷"),
        (math.nan, Form.SHARE, "–"),
        (0.012, Form.POINTS, "1.2 points"),
        (-0.012, Form.POINTS, "-1.2 points"),
        (-5.3e-6, Form.POINTS, "-0.00053 points"),
        (-0.00066, Form.POINTS, "-0.07 points"),
        (0.012, Form.CHANGE, "+1.2 points"),
        (-0.012, Form.CHANGE, "-1.2 points"),
        (0.0, Form.CHANGE, "0 points"),
        (36.66, Form.FACTOR, "36.7×"),
        (2.0, Form.FACTOR, "2×"),
        (0, Form.BYTES, "0 B"),
        (12, Form.BYTES, "12 B"),
        (5500, Form.BYTES, "5.5 kB"),
        (5517, Form.BYTES, "5.52 kB"),
        (999_400, Form.BYTES, "999 kB"),
        (999_700, Form.BYTES, "1.00 MB"),
        (3.2e15, Form.BYTES, "3200 TB"),
        (61706.0, Form.COUNT, "61,706"),
        (1797.0, Form.COUNT, "1797"),
        (12345.67, Form.COUNT, "12,346"),
        (2.3333, Form.COUNT, "2.33"),
        (12.0, Form.COUNT, "12"),
        (0.0, Form.COUNT, "0"),
    ],
)
def test_forms(value, form, text):
    assert number(value, form) == text


FINITE = st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: 1e-300 < abs(x) < 1e300)


@given(FINITE)
def test_a_number_is_short_and_near(value):
    text = number(value)
    mantissa = text.lstrip("-").partition("·")[0].replace(".", "").lstrip("0")
    assert len(mantissa) <= 4 or mantissa.startswith("10")
    assert read(text) == pytest.approx(value, rel=0.051 if "10" in text and not text.isascii() else 0.0051)


@given(st.floats(0, 1))
def test_only_all_of_it_is_100_percent(share):
    text = number(share, Form.SHARE)
    assert (text == "100 %") == math.isclose(share, 1, rel_tol=1e-9)
    if text.endswith(" %"):
        assert float(text.removesuffix(" %")) == pytest.approx(100 * share, rel=0.0051)


@given(st.integers(0, 10**15))
def test_bytes_are_written_with_the_prefix_that_keeps_them_short(size):
    text, prefix = number(size, Form.BYTES).removesuffix("B").split(" ")
    assert float(text) * 1000 ** ["", "k", "M", "G", "T"].index(prefix) == pytest.approx(size, rel=0.0051)
    assert len(text) <= 4


@given(FINITE)
def test_what_a_user_has_chosen_is_written_exactly(value):
    text = exactly(value)
    if text.isascii():
        assert float(text) == value
    else:
        assert read(text) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("value", "text"), [(0.01, "0.01"), (1e-5, "10⁻⁵"), (3e-4, "3·10⁻⁴"), (0.123456, "0.123456"), (0.1 + 0.2, None)]
)
def test_exactly(value, text):
    assert exactly(value) == (text or repr(value))


@pytest.mark.parametrize(
    ("three", "text"),
    [
        ((0.408123, 0.4012, 0.4153), "0.408 [0.401, 0.415]"),
        ((1.0, 0.98, 1.02), "1.00 [0.98, 1.02]"),
        ((0.999132, 0.999051, 0.999211), "0.9991 [0.9991, 0.9992]"),
        ((3.2e-10, 1e-10, 6.123e-10), "3.2·10⁻¹⁰ [1.0·10⁻¹⁰, 6.1·10⁻¹⁰]"),
        ((0.0, -0.5, 0.5), "0 [-0.500, 0.500]"),
        ((0.408, math.nan, math.nan), "0.408"),
        ((math.nan, math.nan, math.nan), "–"),
        ((math.inf, 1.0, math.inf), "inf [1.00, inf]"),
        ((None, None, None), "–"),
        # what is the same is written once
        ((0, 0, 0), "0"),
        ((0.0, 0.0, 0.0), "0"),
        ((1.01, 1.01, 1.01), "1.01"),
        ((4, 4, 4), "4"),
        ((0.1 + 0.2, 0.3, 0.3), "0.300"),
        # what only reads the same is not
        ((1.00001, 1.000008, 1.000012), "1.000010 [1.000008, 1.000012]"),
        ((1.0, 0.9962, 1.0038), "1.000 [0.996, 1.004]"),
        ((2, 1, 3), "2 [1, 3]"),
        ((61706, 61000, 62000), "61,706 [61,000, 62,000]"),
        # no estimate is finer than an interval around zero; an end near zero is not lost
        ((-0.000123, -1.52, 1.49), "0.00 [-1.52, 1.49]"),
        ((0.5, -0.0001, 1.0), "0.50 [-1.0·10⁻⁴, 1.00]"),
    ],
)
def test_estimate(three, text):
    assert estimate(*three) == text


@pytest.mark.parametrize(
    ("three", "form", "text"),
    [
        ((0.141, 0.1399, 0.1431), Form.SHARE, "14.1 % [14.0, 14.3]"),
        ((0.0, 0.0, 0.036), Form.SHARE, "0 % [0, 3.60]"),
        ((0.9974, 0.9968, 0.998), Form.SHARE, "99.7 % [99.7, 99.8]"),
        ((0.99713, 0.99708, 0.99717), Form.SHARE, "99.71 % [99.71, 99.72]"),
        ((1.0, 1.0, 1.0), Form.SHARE, "100 %"),
        ((5e-5, 1.3e-6, 2.79e-4), Form.SHARE, "0.00500 % [0.00013, 0.0279]"),
        ((5e-7, 1e-7, 2e-5), Form.SHARE, "5.0·10⁻⁷ [1.0·10⁻⁷, 2.0·10⁻⁵]"),
        ((36.66, 35.0, 38.1), Form.FACTOR, "36.7× [35.0, 38.1]"),
        ((5517.0, 5401.0, 5600.0), Form.BYTES, "5.52 kB [5.40, 5.60]"),
        ((950.0, 900.0, 1100.0), Form.BYTES, "950 B [900, 1100]"),
        ((-0.00746, -0.03121, 0.0165), Form.CHANGE, "-0.75 points [-3.12, +1.65]"),
        ((0.0981, 0.0635, 0.1313), Form.CHANGE, "+9.81 points [+6.35, +13.13]"),
        ((0.0001, -0.0152, 0.0154), Form.POINTS, "0.01 points [-1.52, 1.54]"),
        ((0.0, 0.0, 0.0), Form.CHANGE, "0 points"),
        ((0.00006, -0.00079, 0.00091), Form.POINTS, "0.01 points [-0.08, 0.09]"),
        ((-0.0011, -0.00219, -5.3e-6), Form.POINTS, "-0.11 points [-0.22, -0.00053]"),  # not zero
        ((0.00012, 0.00011, 0.00014), Form.CHANGE, "+0.0120 points [+0.0110, +0.0140]"),  # else both ends read 0.01
    ],
)
def test_an_interval_shares_the_unit(three, form, text):
    assert estimate(*three, form) == text


@given(*[st.floats()] * 3, st.sampled_from(Form))
def test_any_three_floats_are_an_estimate(value, low, high, form):
    assert estimate(value, low, high, form)


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1), st.sampled_from([Form.NUMBER, Form.CHANGE, Form.FACTOR]))
def test_a_bracket_says_that_the_ends_differ(value, below, above, form):
    """Whoever reads two different ends reads two different texts, and an end beyond zero keeps its sign."""
    low, high = value - below, value + above
    text = estimate(value, low, high, form)
    if "[" not in text:
        assert low == pytest.approx(high, rel=1e-8, abs=0)
        return
    ends = text[text.index("[") + 1 : -1].split(", ")
    if not math.isclose(low, high, rel_tol=1e-6):
        assert ends[0] != ends[1]
    for end, written in zip((low, high), ends, strict=True):
        assert written.startswith("-") == (end < 0)


def test_importing_it_is_light():
    code = "import sys, dnnlab.report.numbers; print({'numpy', 'pandas', 'torch', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
