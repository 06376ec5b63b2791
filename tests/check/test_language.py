"""Statements are read as they are meant, decided to their digits, and reach nothing of Python's."""

import contextlib
import math
from decimal import Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlab.check import language
from dnnlab.check.quantities import QUANTITIES
from dnnlab.errors import UsageError

_GELU_AT_ROOT_2 = (1 + math.erf(1)) / 2 + math.sqrt(2) * math.exp(-1) / math.sqrt(2 * math.pi)


def holds(text):
    asked = language.parse(text, QUANTITIES)
    return asked.holds(*(language.value(side, QUANTITIES) for side in (asked.left, asked.right)))


@pytest.mark.parametrize(
    ("text", "true"),
    [
        ("0.25^20 ≈ 9.09e-13", True),
        ("2.5^20 = 9.09e8", False),
        ("2.5^20 = 9.09e7", True),
        ("0.25^5 = 0.00098", True),
        ("0.25^5 = 0.000977", True),
        ("0.25^5 = 0.00097", False),
        ("3 × 3 × 64 × 128 = 73,728", True),
        ("3*3*64*128 = 73_729", False),
        ("1/3 = 0.3333", True),
        ("1/3 = 0.3334", False),
        ("1/3 = 2/6", True),
        ("0.4 = 0", False),
        ("8.4 = 8", False),
        ('params("resnet50:act=gelu") = params(resnet50)', True),
        ("-2^2 = -4", True),
        ("7 ≥ 7", True),
        ("7 > 7", False),
        ("2^2000 > 2^1999", True),
        ("12·13/2 = 78", True),
        ("0.25^20 = 2^-40", True),
        ("0.25^20 = 2^-41", False),
        ("0.25^20 = 0", False),
        ("1 - 1.1289 = -0.13", True),
        ("1 - 1.1289 = -0.14", False),
    ],
)
def test_numbers_count_to_the_digits_that_are_written(text, true):
    assert holds(text) is true


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("params(resnet50) = 25,557,032", True),  # torchvision's
        ("params(resnet34) = 21,797,672", True),
        ("depth(resnet152) = 152", True),
        ("depth(googlenet) = 22", True),
        ("depth(vgg19) = 19", True),
        ("largest_slope(sigmoid) = 0.25", True),
        ("largest_slope(tanh) = 1", True),
        ("smallest_slope(leaky_relu) = 0.01", True),
        ("slope(relu, 2) = 1", True),
        ("zero_share(relu) = 0.5", True),
        ("top1(resnet50) = 76.13", True),
        # Moments over standard normal inputs, by closed form: E relu = 1/√(2π), Var relu = 1/2 - 1/(2π).
        (f"mean(relu) = {1 / math.sqrt(2 * math.pi):.9f}", True),
        (f"variance(relu) = {0.5 - 1 / (2 * math.pi):.9f}", True),
        ("mean(selu) = 0.000000", True),  # Klambauer 2017
        ("variance(selu) = 1.000000", True),
        (f"value(sigmoid, 1) = {1 / (1 + math.exp(-1)):.9f}", True),
        ("sqrt(2)^2 = 2.000", True),
        ("smallest_slope(gelu) = -0.13", True),
        ("mean(tanh) = 0", True),
        ("memory(lenet5,128) > memory(lenet5,64)", True),
        ("exp(0) + log2(8) = 4", True),
        ("memory(densenet121, 2) > memory(densenet121, 1)", True),
    ],
)
def test_functions_know_published_and_closed_forms(text, value):
    assert holds(text) is value


REFUSED = (
    *("", "1", "1 = ", "1 = 2 = 3", "1 != 2", "x = 1", "(1).real = 1", "[1][0] = 1", "'a' = 1", "True = 1", "1j = 1"),
    *("1 if 1 else 2 = 1", "lambda: 1 = 1", "1 // 2 = 0", "1 % 2 = 1", "1 << 2 = 4", "f(1) = 1", "1+" * 400 + "1 = 1"),
    *("__import__(os) = 1", "params(resnet50).real = 1", "params(*a) = 1", "params(name=resnet50) = 1"),
    *("params(resnet51) = 1", "params() = 1", "sqrt(-1) = 1", "1/0 = 1", "9^9^9 = 1", "(-8)^0.5 = 1"),
    *("largest_slope(sigmod) = 1", "value(relu) = 1", "depth(3) = 1", 'top1("resnet50:act=gelu") = 1'),
)


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_statement_is_refused_in_a_sentence(text):
    with pytest.raises(UsageError):
        holds(text)


@pytest.mark.parametrize(
    ("text", "true"),
    [
        ("0.1 + 0.2 > 0.3", False),
        ("0.1 + 0.2 ≥ 0.3", True),
        ("3*0.1 <= 0.3", True),
        ("3*0.1 < 0.3", False),
        ("0.1 + 0.2 = 3/10", True),
        ("4089184256 = 4089184257", False),
        ("1/3 + 1/3 + 1/3 = 1", True),
        ("0.1000000000000000000001 > 0.1", True),
        ("(2/3)^100 / (2/3)^99 = 2/3", True),
        ("sqrt(16) > 4", False),
        ("sqrt(0.25) <= 1/2", True),
        ("log2(8) >= 3", True),
        ("log2(1/4) < -2", False),
        ("exp(0) <= 1", True),
        # rounded
        ("sqrt(2)^2 <= 2", None),
        ("sqrt(2)^2 > 2", None),
        ("sqrt(2)^2 < 2.00000001", True),
        ("mean(tanh) > 0", None),  # an integral whose value is 0
        ("exp(-40) > 0", True),
        ("exp(-40) = 0", False),
        ("sqrt(2)^2 - 2 = 0", True),
        ("exp(40) - exp(40) + 3 = 2", None),  # nothing of its 3 is left in the last digits of e^40
        ("sqrt(2) = 1.41421356237309505", None),  # more digits than there are of a rounded number
        ("sqrt(sqrt(2)^2 - 2) = 1", None),
        # small numbers and small distances, known by closed forms and from tables
        ("smallest_slope(leaky_relu)^7 > 0", True),
        ("largest_slope(sigmoid)^21 > 0", True),
        ("largest_slope(sigmoid)^25 <= 0", False),
        ("slope(sigmoid, 30) > 0", True),
        ("1/(1 + exp(30)) > 0", True),
        ("value(sigmoid, 25) < 1", True),  # 1 - e^-25
        ("exp(1) > 2.7182818284", True),  # 2.71828182845904…
        ("1.4142135623 < sqrt(2)", True),  # 1.41421356237309…
        ("sqrt(2) < 1.4142135624", True),
        ("-sqrt(2) > -1.4142135624", True),
        ("log2(1 + 1/10^20) > 0", None),  # no float is between 1 and that
        ("largest_slope(tanh) > 1", None),
        ("largest_slope(relu) > 1", False),
        ("smallest_slope(relu) >= 0", True),
        ("value(relu, -1) > 0", False),
        ("top1(resnet50) >= 76.13", True),  # published so
        # sup φ' of GELU is at √2: φ'(x) = Φ(x) + x φ(x), φ''(√2) = 0
        (f"largest_slope(gelu) = {_GELU_AT_ROOT_2:.12f}", True),
        # one-sided slopes agree at all points but the kink
        ("slope(relu, 0.00000001) = 1", True),
        ("slope(relu, -0.00000001) = 0", True),
        ("slope(Hardtanh, 0.99999999) = 1", True),
    ],
)
def test_arithmetic_is_exact_and_rounded_sides_decide_only_beyond_their_errors(text, true):
    assert holds(text) is true


@given(st.integers(2, 10**6), st.integers(-40, 40), st.integers(1, 60))
def test_no_inequality_of_roots_and_powers_is_decided_wrongly(number, offset, digits):
    """The oracle is a root to a hundred digits, cut off after so many and moved by some units of the last."""
    exact = Context(prec=100).sqrt(Decimal(number))
    cut = exact.quantize(Decimal(1).scaleb(-digits), context=Context(prec=100)) + Decimal(offset).scaleb(-digits)
    assert holds(f"sqrt({number}) < {cut:f}") in (exact < cut, None)
    assert holds(f"sqrt({number})^2 - {number} <= 0") in (True, None)


def test_a_cancelled_sum_is_never_decided_wrongly():
    for power in range(1, 60):  # exp(x) - exp(x) is 0, however large e^x is
        assert holds(f"exp({power}) + 1 - exp({power}) < 1") is None
        assert holds(f"exp({power}) + 1 - exp({power}) < 0.5") in (False, None)


@pytest.mark.parametrize(
    ("text", "left", "right"),
    [
        ("2*1.0000000001 = 2*1", "2 · 1.0000000001 = 2.0000000002", "2 · 1 = 2"),
        ("2*0.1000000000000000000001 > 2*0.1", "2 · 0.1 = 0.2000000000000000000002", "2 · 0.1 = 0.2"),
        ("exp(1) > 2.7182818284", "exp(1) = 2.7182818285", ""),
        ("1/7 = 0.1428571", "1 / 7 = 0.1428571", ""),
    ],
)
def test_a_derivation_has_the_digits_on_which_its_verdict_hangs(text, left, right):
    asked = language.parse(text, QUANTITIES)
    digits = asked.digits(*(language.value(side, QUANTITIES) for side in (asked.left, asked.right)))
    assert [language.worked_out(side, QUANTITIES, digits) for side in (asked.left, asked.right)] == [left, right]


@pytest.mark.parametrize(
    "text",
    [
        "1e-400 = 0",
        f"1e-{'9' * 50} = 0",
        "exp(-800) = 0",
        "exp(-400)*exp(-400) = 0",
        "0.99^1000000 > 0",
        "sqrt(1/10^700) > 0",
    ],
)
def test_what_is_too_small_for_a_number_is_refused_and_not_zero(text):
    with pytest.raises(UsageError, match="out of the range of numbers"):
        holds(text)


@pytest.mark.parametrize("text", ["10.0^400 = 1", "0.25^600 > 0", "0.1^400 = 0"])
def test_what_no_column_of_numbers_holds_is_refused(text):
    asked = language.parse(text, QUANTITIES)
    with pytest.raises(UsageError, match="out of the range of numbers"):
        language.require_number(asked.left, language.value(asked.left, QUANTITIES))


@pytest.mark.parametrize("text", ["0e999999999 = 0", "0 = 0e999999999", "0 = 0e-999999999", f"0 = 0e{'9' * 50}"])
def test_a_zero_with_a_huge_exponent_is_zero_at_once(text):
    assert holds(text)


@pytest.mark.parametrize(
    ("act", "x"), [("relu", 0), ("leaky_relu", 0), ("selu", 0), ("Hardtanh", 1), ("Hardshrink", 0.5)]
)
def test_a_slope_at_a_kink_is_not_known(act, x):
    with pytest.raises(UsageError, match=f"^{act} has no derivative at {x}: it has a kink or a jump there"):
        holds(f"slope({act}, {x}) = 0")


@pytest.mark.parametrize("act", ["elu", "swish", "gelu", "tanh", "Softplus", "Mish", "CELU"])
def test_a_slope_where_a_smooth_function_bends_is_known(act):
    left, right = (value(f"value({act}, {x}) = 0") for x in (1e-5, -1e-5))
    assert value(f"slope({act}, 0) = 0") == pytest.approx((left - right) / 2e-5, abs=1e-4)


def value(text):
    return language.value(language.parse(text, QUANTITIES).left, QUANTITIES)


@pytest.mark.parametrize("act", ["Softshrink", "Hardshrink"])
def test_the_share_of_zeros_of_a_shrinkage_is_that_of_a_normal_within_a_half(act):
    """Both are zero on [-.5, .5] by PyTorch's definition: erf(.5/√2) of a standard normal variable."""
    assert value(f"zero_share({act}) = 0") == pytest.approx(math.erf(0.5 / math.sqrt(2)), rel=1e-12)


def test_the_derivation_of_a_function_of_a_decimal_is_shown():
    asked = language.parse("2 * sqrt(0.25) = 1", QUANTITIES)
    assert language.worked_out(asked.left, QUANTITIES) == "2 · sqrt(0.25) = 2 · 0.5 = 1"


@given(st.text(max_size=60))
def test_any_text_is_decided_or_refused(text):
    with contextlib.suppress(UsageError):
        assert holds(text) in (True, False, None)


def test_the_derivation_shows_the_functions_values():
    asked = language.parse("params(resnet50) / params(resnet34) < 1.2", QUANTITIES)
    shown = language.worked_out(asked.left, QUANTITIES)
    assert shown == f"params(resnet50) / params(resnet34) = 25,557,032 / 21,797,672 = {25557032 / 21797672:.7g}"
    assert language.worked_out(asked.right, QUANTITIES) == ""


def test_a_root_of_a_negative_number_is_told_to_be_no_number():
    with pytest.raises(UsageError, match=r"^-8\^0\.5 is no real number\.$"):
        holds("(-8)^0.5 = 1")


def test_a_function_without_arguments_is_told_that_it_has_none():
    with pytest.raises(
        UsageError, match=r"^there is nothing between the brackets of params; see dnnlab check --help\.$"
    ):
        holds("params() = 1")
