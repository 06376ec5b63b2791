import re
import xml.etree.ElementTree as ET

import pytest

from dnnlab.report.svg import INK, PAPER, Caption, themed

SVG = f"""<?xml version="1.0" encoding="utf-8" standalone="no"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="72pt" height="36.5pt" viewBox="0 0 72 36.5"
 xmlns="http://www.w3.org/2000/svg" version="1.1">
 <metadata><a href="https://matplotlib.org/"/></metadata>
 <defs><style type="text/css">*{{stroke-linejoin: round}}</style></defs>
 <g id="figure_1"><path d="M 0.123456 1 L -2.5 100.999999 z" style="fill: {PAPER}"/>
  <defs><path id="m1" d="M 0 3" style="stroke: {INK}"/></defs>
  <g clip-path="url(#p1)"><use xlink:href="#m1" x="1.234567" y="2" style="fill: #ffffff"/></g>
  <clipPath id="p1"><rect/></clipPath>
  <text style="font: 10px 'DejaVu Sans'; fill: {INK}">&lt;b&gt; {INK}</text>
 </g>
</svg>"""


def test_a_figure_takes_the_pages_colours_and_says_what_it_shows():
    text = themed(SVG, Caption("norms", 'A "title" <b>', "See.", "Two < three & more."))
    root = ET.fromstring(text)
    assert text.startswith("<svg ")
    assert not re.search(r"https?:|<\?|<!|xmlns|metadata|<style", text)
    assert (root.get("role"), root.get("width"), root.get("viewBox")) == ("img", None, "0 0 72 36.5")
    words = {element.get("id"): element.text for element in root}
    assert words[root.get("aria-labelledby")] == 'A "title" <b>'
    assert words[root.get("aria-describedby")] == "Two < three & more."
    assert [element.get("style") for element in root.iter("path")] == ["fill: none", "stroke: currentColor"]
    assert root.find(".//use").get("style") == "fill: #ffffff"
    assert root.find(".//text").text == f"<b> {INK}"
    assert "max-width: 72pt; aspect-ratio: 72 / 36.5" in root.get("style")


def test_ids_and_references_carry_the_figures_name():
    root = ET.fromstring(themed(SVG, Caption("norms", "", "", "")))
    ids = {element.get("id") for element in root.iter()} - {None}
    assert ids == {"norms-title", "norms-desc", "norms-figure_1", "norms-m1", "norms-p1"}
    assert root.find(".//use").get("href") == "#norms-m1"
    assert root.find(".//g[@clip-path]").get("clip-path") == "url(#norms-p1)"


def test_coordinates_keep_a_hundredth_of_a_point():
    root = ET.fromstring(themed(SVG, Caption("norms", "", "", "")))
    assert root.find(".//path").get("d") == "M 0.12 1 L -2.5 100.99 z"
    assert root.find(".//use").get("x") == "1.23"


@pytest.mark.parametrize("name", ["", "../up", "a b", '"><script>', "1st"])
def test_a_name_that_is_no_file_stem_is_refused(name):
    with pytest.raises(ValueError, match="letters, digits and hyphens"):
        Caption(name, "", "", "")
