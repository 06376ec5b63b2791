import itertools
import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlab.report.figures import FULL, HALF, faults, log_axis, new_figure, save, short, svg
from dnnlab.report.lines import Line, apart, draw_lines, most_telling, name_above, name_at_ends, others
from dnnlab.report.points import Along, points

NUMBER = "{http://www.w3.org/2000/svg}"


def lines(*ends):
    x = np.arange(1.0, 5.0)
    return [
        Line(f"net {i}", x, np.geomspace(1, end, 4), np.geomspace(1, end / 2, 4), np.geomspace(1, end * 2, 4))
        for i, end in enumerate(ends)
    ]


def test_of_few_lines_all_are_told():
    assert most_telling([3.0, 1.0, math.nan]) == [0, 1]
    assert most_telling([math.nan] * 3) == [0, 1, 2]


@given(st.lists(st.integers(-1000, 1000), min_size=6, max_size=9, unique=True))
def test_both_extremes_are_told_and_no_line_is_far_from_one_that_is(values):
    """Farthest points first is at most twice as far as the best choice (Gonzalez 1985): here against all choices."""
    chosen = most_telling(values)
    assert len(chosen) == 5
    assert {min(values), max(values)} <= {values[i] for i in chosen}

    def farthest(positions):
        return max(min(abs(value - values[i]) for i in positions) for value in values)

    best = min(farthest(positions) for positions in itertools.combinations(range(len(values)), 5))
    assert farthest(chosen) <= 2 * best


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.01, 0.2))
def test_names_are_moved_apart_and_stay_in_order(heights, least):
    placed = apart(heights, least)
    by_height = [placed[i] for i in np.argsort(heights, kind="stable")]
    assert all(above - below >= least - 1e-9 for below, above in itertools.pairwise(by_height))
    assert all(place >= -1e-9 for place in placed)
    for i, height in enumerate(heights):
        if all(abs(height - other) > 10 * least for j, other in enumerate(heights) if j != i):
            assert placed[i] == pytest.approx(height)


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("ends", [(1e-9, 1e-3, 1.0, 1.01, 50.0), (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0), (2.0,)])
def test_names_neither_overlap_nor_are_cut(ends, wide):
    drawn = lines(*ends)
    chosen = most_telling([line.end[1] for line in drawn])
    with new_figure(FULL if wide else HALF, 4.6) as (figure, (axes,)):
        named = draw_lines(axes, drawn, chosen)
        log_axis(axes.yaxis)
        axes.set_xlim(1, 4)
        axes.set_ylim(1e-10, 1e3)
        if wide:
            name_at_ends(axes, named)
        else:
            name_above(figure, axes, named, {"theory": "--"})
    assert faults(figure) == []
    text = svg(figure).decode()
    shown = re.findall(r">([^<>]+)</text>", text)
    assert {word for word in shown if word in {line.name for line in drawn}} == {drawn[i].name for i in chosen}
    assert ("theory" in shown) is not wide


def test_the_caption_counts_lines_without_a_name():
    assert others(lines(1, 2), [0, 1]) == ""
    assert others(lines(1, 2, 3), [0, 1]) == " The grey line is the other one."
    assert others(lines(1, 2, 3), [0]) == " Grey lines are the other 2."


def test_points_lie_where_the_file_has_them(tmp_path):
    """The points that a page shows against the paths of the saved SVG."""
    with new_figure(6, 4) as (figure, (axes,)):
        axes.plot([1, 2, 4], [0.1, 10.0, 0.001], label="_named")
        axes.plot([1, 4], [1.0, 1.0])  # without a name
        log_axis(axes.yaxis)
        axes.set_xlabel("layer")
        axes.set_ylabel("norm")
    file, _ = save(figure, tmp_path / "one")
    along = Along("step", {0: {"named": np.array([0.1, 10.0, 0.001])}, 5: {"named": np.array([1.0, np.nan, 0.1])}}, 0)
    ((panel,), root) = points(figure, along), ET.parse(file).getroot()
    (line,) = panel["lines"]
    assert (panel["x"], panel["y"], line["name"]) == ("layer", "norm", "named")
    group = next(each for each in root.iter(f"{NUMBER}g") if each.get("id") == line["id"])
    path = [
        tuple(map(float, pair))
        for pair in re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", group.find(f"{NUMBER}path").get("d"))
    ]
    assert np.allclose([each[:2] for each in line["at"]], path, atol=0.051)
    assert [each[2] for each in line["at"]] == ["1", "2", "4"]
    assert line["along"][0] == line["at"]
    (first, last) = line["along"][1]  # what is not a number has no point
    assert (first[0], last[0]) == (line["at"][0][0], line["at"][2][0])
    # On a log axis 1 lies as far above 0.1 as 0.1 above 0.01: half of the way from 0.1 to 10.
    assert first[1] == pytest.approx((line["at"][0][1] + line["at"][1][1]) / 2, abs=0.11)


def test_a_figure_of_very_many_points_has_none():
    with new_figure(6, 4) as (figure, (axes,)):
        axes.plot(np.arange(5000), np.arange(5000), label="_long")
    svg(figure)
    assert points(figure) == []


def test_to_a_line_that_ends_early_only_dots_lead():
    """Nothing in the line's colour is drawn where nothing was measured."""
    drawn = [Line("short", np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, np.nan])), *lines(5.0)]
    with new_figure(FULL, 4) as (figure, (axes,)):
        named = draw_lines(axes, drawn, [0, 1])
        axes.set_xlim(1, 4)
        axes.set_ylim(0, 10)
        before = len(axes.lines)
        name_at_ends(axes, named)
    strokes = [line for line in axes.lines[before:] if line.get_color() == named[0].style["color"]]
    assert strokes == []
    ids = [each.get_gid() for each in axes.get_children() if each.get_gid()]
    assert len(ids) == len(set(ids))
    assert faults(figure) == []


def test_long_names_are_shortened_in_the_middle():
    assert short("abc") == "abc"
    assert short("x" * 30 + "y" * 30) == "x" * 18 + "…" + "y" * 17
    assert len(short("z" * 99)) == 36
