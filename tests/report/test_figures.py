import itertools
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest
from PIL import Image

from dnnlab.report.figures import (
    FULL,
    PALETTE,
    THEORY,
    Picture,
    faults,
    ink_on,
    legend,
    line_style,
    log_axis,
    new_figure,
    save,
)
from dnnlab.report.svg import INK, PAPER, themed

PAPERS = {"white": "#ffffff", "near-black": "#14171a"}


def linear(color):
    channels = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """WCAG 2.2's contrast ratio."""
    light, dark = sorted((linear(color) @ [0.2126, 0.7152, 0.0722] for color in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def curves():
    layers = np.arange(1, 21)
    with new_figure(9, 4.8) as (figure, (axes,)):
        for index in range(9):
            rate = 0.2 + 0.15 * index
            axes.plot(layers, rate**layers, label=f"configuration {index} $_%&<", **line_style(index))
            axes.plot(layers, rate**layers, label="theory", **THEORY)
        axes.set_xlabel("layer")
        axes.set_ylabel("‖∂L/∂h‖")
        log_axis(axes.yaxis)
        legend(figure)
    return figure


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("color", PALETTE)
def test_lines_are_legible_on_both_papers(color, paper):
    assert contrast(color, PAPERS[paper]) >= 3


def test_colours_stay_apart_without_red_or_green_cones():
    # Machado, Oliveira & Fernandes 2009, severity 1; CIELAB under D65.
    sights = {
        "protanope": [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
        "deuteranope": [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
    }
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    for sight in sights.values():
        seen = np.clip([np.array(sight) @ linear(color) for color in PALETTE], 0, 1)
        t = seen @ xyz.T / [0.9505, 1, 1.089]
        f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
        lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], -1)
        assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(lab, 2)) > 25


def test_lines_differ_in_more_than_colour():
    styles = [line_style(index) for index in range(56)]
    assert len({(style["color"], style["marker"]) for style in styles}) == 56
    assert len({style["marker"] for style in styles[:7]}) == 7
    assert THEORY["linestyle"] not in [style["linestyle"] for style in styles]
    assert INK not in PALETTE


def test_a_figure_of_nine_curves_has_no_faults():
    assert faults(curves()) == []


def test_faults_are_found():
    with new_figure(4, 3) as (figure, (axes,)):
        axes.plot([0, 1], [0, 1], label="a line")
        axes.text(0.5, 0.5, "one")
        axes.text(0.5, 0.5, "two")
        axes.text(0.2, 0.2, "tiny", fontsize=6)
        figure.text(0.98, 0.5, "over the edge")
        axes.legend(loc="upper left")
    found = " | ".join(faults(figure))
    for fault in (
        "'two' overlaps 'one'",
        "'tiny' is set in 6 points",
        "'over the edge' is cut off",
        "a legend stands",
    ):
        assert fault in found


def test_the_same_figure_gives_the_same_bytes(tmp_path):
    figure = curves()
    first = [path.read_bytes() for path in save(figure, tmp_path / "a.b" / "first")]
    assert first == [path.read_bytes() for path in save(figure, tmp_path / "again")]
    assert first == [path.read_bytes() for path in save(curves(), tmp_path / "anew")]
    assert sorted(path.name for path in (tmp_path / "a.b").iterdir()) == ["first.png", "first.svg"]


def test_a_saved_figure_keeps_text_as_text_and_ink_as_ink(tmp_path):
    svg, png = save(curves(), tmp_path / "norms")
    text = svg.read_text("utf-8")
    root = ET.fromstring(text)
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"layer", "‖∂L/∂h‖", "configuration 8 $_%&<", "theory"} <= set(words)
    assert {"10⁻⁶", "10⁻⁷"} & set(words)  # every other power has a mark: Matplotlib 3.9 and 3.10 choose differently
    assert words.count("theory") == 1
    assert set(re.findall(r"('DejaVu.*?)[;\"]", text)) == {"'DejaVu Sans', 'Verdana', sans-serif"}
    assert set(re.findall(r"#[0-9a-f]{6}\b", text)) == {INK, PAPER, *PALETTE}
    with Image.open(png) as image:
        assert image.size == (1350, 720)
        assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    inline = themed(text, Picture("norms", "Norms", "See.", "Nine lines.", curves()))
    assert set(re.findall(r"#[0-9a-f]{6}\b", inline)) == set(PALETTE)
    ids = {element.get("id") for element in ET.fromstring(inline).iter()} - {None}
    assert {*re.findall(r'(?:url\(|href=")#([^")]+)', inline)} <= ids


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1e-9, 1.0, {"10⁻⁸", "10⁻⁴", "1"}),
        (0.002, 5000.0, {"10⁻²", "1", "10⁴"}),  # not 0.01 beside 10⁴
        (0.02, 500.0, {"0.1", "1", "100"}),
        (2.0, 8.0, {"2", "3", "6"}),
        (1e10, 1e12, {"10¹⁰", "10¹²"}),
    ],
)
def test_log_axes_are_labelled_in_words_one_can_read(low, high, expected, tmp_path):
    with new_figure(5, 5) as (figure, (axes,)):
        axes.plot([1, 2, 3], [low, (low * high) ** 0.5, high])
        log_axis(axes.yaxis)
    assert faults(figure) == []
    text = save(figure, tmp_path / "log")[0].read_text("utf-8")
    assert expected <= set(re.findall(r">([^<>]+)</text>", text))


@pytest.mark.parametrize("letters", [30, 32, 33, 42, 43])
@pytest.mark.parametrize("ends", [(0.01428, 0.01413), (0.0141, 0.0149), (0.0141, 0.021), (0.0121, 0.0121)])
def test_the_last_label_of_a_panel_stands_clear_of_the_next_panel(letters, ends):
    # The names at the left decide how long the axes become, and so whether a last label finds room.
    with new_figure(FULL, 2.0, 1, 2, sharey=True) as (figure, panels):
        for axes, end in zip(panels, ends, strict=True):
            axes.set_xlim(0, end)
            axes.set_yticks([0, 1], ["a", "n" * letters])
    assert faults(figure) == []


@pytest.mark.parametrize(
    ("color", "ink"),
    [
        ("#ffffff", "#000000"),
        ("#fde737", "#000000"),
        ("#00224e", "#ffffff"),
        ((0.1, 0.1, 0.1, 1.0), "#ffffff"),
    ],
)
def test_ink_on_a_heat_map(color, ink):
    assert ink_on(color) == ink


def test_style_leaves_matplotlib_as_it_was():
    before = dict(matplotlib.rcParams)
    curves()
    assert dict(matplotlib.rcParams) == before
    with pytest.raises(ZeroDivisionError), new_figure(1, 1):
        raise ZeroDivisionError
    assert dict(matplotlib.rcParams) == before


def test_no_pyplot_is_imported():
    code = "import sys, dnnlab.report.figures, dnnlab.report.page; print('matplotlib.pyplot' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
