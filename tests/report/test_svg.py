import re
import xml.etree.ElementTree as ET

import pytest

from dnnlab.report.svg import INK, PAPER, SHEET, Caption, themed

SVG = f"""<?xml version="1.0" encoding="utf-8" standalone="no"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="72pt" height="36.5pt" viewBox="0 0 72 36.5"
 xmlns="http://www.w3.org/2000/svg" version="1.1">
 <metadata><a href="https://matplotlib.org/"/></metadata>
 <defs><style type="text/css">*{{stroke-linejoin: round}}</style></defs>
 <g id="figure_1"><g id="line-0-0"/><path d="M 0.123456 1 L -2.5 100.999999 z" style="fill: {PAPER}"/>
  <defs><path id="m1" d="M 0 3" style="stroke: {INK}"/></defs>
  <g clip-path="url(#p1)"><use xlink:href="#m1" x="1.234567" y="2" style="fill: #ffffff"/>
   <use xlink:href="#m1" x="3" y="2" style="fill: #ffffff"/></g>
  <clipPath id="p1"><rect style="fill: {SHEET}"/></clipPath>
  <text style="font-family: 'DejaVu Sans', sans-serif; fill: {INK}" transform="rotate(-0 1 2)">&lt;b&gt; {INK}</text>
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
    assert [element.get("style") for element in root.iter("rect")] == ["fill: var(--paper)"]
    assert root.find(".//text").text == f"<b> {INK}"
    assert "max-width: 72pt; aspect-ratio: 72 / 36.5" in root.get("style")


def test_only_ids_that_something_refers_to_are_kept_and_they_begin_with_the_prefix():
    for prefix in ("", "f3"):
        root = ET.fromstring(themed(SVG, Caption("norms", "", "", ""), prefix))
        ids = [name for element in root.iter() if (name := element.get("id"))]
        assert len(ids) == len(set(ids)) == 5  # title, description, the mark, the clipping path, the line
        assert all(name.startswith(f"{prefix or 'norms'}-") for name in ids)
        assert f"{prefix or 'norms'}-line-0-0" in ids
        marks = {element.get("id") for element in root.iter("path")} - {None}
        assert {element.get("href")[1:] for element in root.iter("use")} == marks
        assert root.find(".//g[@clip-path]").get("clip-path") == f"url(#{root.find('.//clipPath').get('id')})"


def test_coordinates_keep_a_tenth_of_a_point():
    root = ET.fromstring(themed(SVG, Caption("norms", "", "", "")))
    assert root.find(".//path").get("d") == "M 0.1 1 L -2.5 101 z"
    assert root.find(".//use").get("x") == "1.2"


def test_what_shows_nothing_is_left_out():
    root = ET.fromstring(themed(SVG, Caption("norms", "", "", "")))
    assert all(not (element.tail or "").strip(" ") for element in root.iter())
    group = root.find(".//g[@clip-path]")
    assert group.get("style") == "fill: #ffffff"  # once, for both marks
    assert [mark.get("style") for mark in group] == [None, None]
    assert root.find(".//text").get("style") == "fill: currentColor"
    assert root.find(".//text").get("transform") is None


@pytest.mark.parametrize("name", ["", "../up", "a b", '"><script>', "1st"])
def test_a_name_that_is_no_file_stem_is_refused(name):
    with pytest.raises(ValueError, match="letters, digits and hyphens"):
        Caption(name, "", "", "")
