"""Labels of ticks never touch, are never the same, and say where they stand, whatever range is drawn."""

import itertools
import math
import re

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from matplotlib.ticker import EngFormatter, PercentFormatter

from dnnlab.report.figures import counting_axis, log_axis, new_figure
from dnnlab.report.ticks import Times

SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")
KINDS = {
    "plain": lambda axis: None,
    "log": log_axis,
    "whole": counting_axis,
    "percent": lambda axis: axis.set_major_formatter(PercentFormatter(1.0)),
    "large": lambda axis: axis.set_major_formatter(EngFormatter(sep="")),
}


def written(axis):
    """The labels of ``axis`` that are drawn: text, place and extent; call it after drawing."""
    low, high = sorted(axis.get_view_interval())
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    slack = 1e-9 * (high - low)
    return [
        (tick.label1.get_text(), tick.get_loc(), tick.label1.get_window_extent())
        for tick in ticks
        if tick.label1.get_visible() and tick.label1.get_text() and low - slack <= tick.get_loc() <= high + slack
    ]


def value(text, offset):
    """What a label says, by a reader's rules."""
    factor = 0.01 if text.endswith("%") else 1.0
    if text[-1] in (units := dict(zip("kMGTPEZYRQmµnpfazyrq", [*range(3, 31, 3), *range(-3, -31, -3)], strict=True))):
        return float(text[:-1].translate(SUPERSCRIPTS)) * 10.0 ** units[text[-1]]
    if power := re.fullmatch("(?:([0-9.]+)·)?10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", text):
        return float(power[1] or 1) * 10.0 ** int(power[2].translate(SUPERSCRIPTS))
    shift = float(offset.translate(SUPERSCRIPTS).replace("×", "")) if offset else 1.0
    return float(text.rstrip("%").translate(SUPERSCRIPTS)) * factor * shift


def drawn(kind, low, high, length, name):
    """The axis ``name`` of a figure so many inches long that shows ``low`` to ``high``."""
    points = [low, high], [0, 1]
    with new_figure(*((length, 2) if name == "x" else (2, length))) as (figure, (axes,)):
        axes.plot(*(points if name == "x" else points[::-1]), linestyle="", marker="o")
        axis = getattr(axes, f"{name}axis")
        KINDS[kind](axis)
        for _ in range(2):  # the layout moves a little after its first drawing
            figure.draw_without_rendering()
    return axis


def check(axis, at_least=1):
    labels = written(axis)
    for (_, _, one), (_, _, other) in itertools.combinations(labels, 2):
        assert not one.overlaps(other), labels
    assert len({text for text, _, _ in labels}) == len(labels), labels
    low, high = axis.get_view_interval()
    for text, place, _ in labels:
        said = value(text, axis.get_offset_text().get_text())
        assert math.isclose(said, place, rel_tol=1e-9, abs_tol=0.02 * (high - low)), (text, place)
    assert len(labels) >= at_least, (low, high, labels)


LENGTHS = st.floats(2.0, 9.5)
"""Inches: the shortest is less than any panel of ours has."""
NAMES = st.sampled_from("xy")
POWERS = st.floats(-9, 12)


def of_many(*strategies):
    """Twenty examples, the same ones every time. A failure is not made smaller: that draws thousands of figures."""
    options = {"deadline": None, "database": None, "derandomize": True, "phases": [Phase.generate]}

    def decorate(test):
        return settings(max_examples=10, **options)(given(*strategies)(test))

    return decorate


@of_many(POWERS, st.floats(1, 14), LENGTHS, NAMES)
def test_of_any_number_of_decades(power, decades, length, name):
    check(drawn("log", 10**power, 10 ** (power + decades), length, name), at_least=2)


@of_many(POWERS, st.floats(-5, 1), LENGTHS, NAMES)
def test_of_less_than_a_decade(power, spread, length, name):
    check(drawn("log", 10**power, 10**power * (1 + 10**spread), length, name))


@of_many(POWERS, st.floats(-5, 5), st.sampled_from([-1, 1]), LENGTHS, NAMES)
def test_of_any_even_range(power, spread, sign, length, name):
    low = sign * 10**power
    check(drawn("plain", low, low + 10 ** (power + spread), length, name))


@of_many(POWERS, LENGTHS)
def test_from_zero_up(power, length):
    """Bars of latencies: under a microsecond, or over an hour, in milliseconds."""
    check(drawn("plain", 0.0, 10**power, length, "x"), at_least=2)


@of_many(st.floats(0, 12), st.floats(0, 12), LENGTHS, NAMES)
def test_of_counts(power, spread, length, name):
    axis = drawn("whole", int(10**power), int(10**power + 10**spread), length, name)
    check(axis)
    assert all(place == int(place) for _, place, _ in written(axis))


@of_many(st.floats(2, 15), st.floats(-2, 3), LENGTHS, NAMES)
def test_of_multiply_accumulates(power, spread, length, name):
    check(drawn("large", 10**power, 10**power * (1 + 10**spread), length, name))


@of_many(st.integers(0, 10**5), st.integers(0, 10**5), LENGTHS, NAMES)
def test_of_shares(one, other, length, name):
    check(drawn("percent", *(count / 1e5 for count in sorted((one, other))), length, name))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("single", [1e-7, 2.5e-4, 0.3, 1.0, 7.0, 123456.0, 1e10])
def test_of_a_single_value(kind, single):
    check(drawn(kind, single, single, 3, "x"), at_least=0 if kind == "whole" else 1)


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (1.0, "the same"),
        (0.996, "the same"),
        (1.04, "the same"),
        (0.01, "100× smaller"),
        (35.2, "35× larger"),
        (1 / 1.7, "1.7× smaller"),
        (1 / 3600, "3600× smaller"),
        (6.6e-17, "1.5·10¹⁶× smaller"),
        (1e-310, "10³¹⁰× smaller"),  # its inverse is no float
        (5e-324, "2·10³²³× smaller"),
        (1e12, "10¹²× larger"),
    ],
)
def test_a_ratio_is_said_as_times(ratio, said):
    assert Times()(ratio) == said
