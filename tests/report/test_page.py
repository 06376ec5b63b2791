import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlab.report import page as page_module
from dnnlab.report.advice import Advice
from dnnlab.report.columns import Column
from dnnlab.report.figures import new_figure, save
from dnnlab.report.numbers import Form
from dnnlab.report.page import Drawing, Page, html_table, write_page
from dnnlab.report.points import points
from dnnlab.report.svg import Caption
from dnnlab.report.table import read_csv, to_csv

from .sample import COLUMNS, FRAME, TONES
from .test_figures import contrast

NASTY = "<script>alert('relu')</script>"
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Document(HTMLParser):
    """What a browser would make of the page: its elements, their text, and that all are closed in order."""

    def __init__(self, html):
        super().__init__()
        self.elements = []
        self.text = []
        self.open = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def drawing(name, label, folder):
    with new_figure(6, 3) as (figure, (axes,)):
        axes.plot([1, 2], [1, 2], label=label)
        axes.set_title(NASTY)
    words = Caption(name, f"Figure {name} {NASTY}", f"See {NASTY}", NASTY)
    return Drawing(words, save(figure, folder / name)[0].read_text("utf-8"), points(figure))


def page(**changes):
    """A page with as little on it as there can be."""
    least = {
        "title": "Title", "about": "About", "sentences": ["Lead."], "advice": None, "command": "dnnlab x",
        "frame": FRAME, "columns": COLUMNS, "tones": TONES, "names": [], "first": [], "drawings": [], "files": {},
        "provenance": {}, "notes": [],
    }  # fmt: skip
    return Page(**least | changes)


@pytest.fixture
def written(tmp_path):
    """A page made from files alone, as a rebuilt one is."""
    one, two, phone = (drawing(name, NASTY, tmp_path) for name in ("one", "two", "phone"))
    to_csv(FRAME, COLUMNS, tmp_path / "summary.csv")
    everything = page(
        title=f"Title {NASTY}",
        about=f"About {NASTY}",
        sentences=[
            f"Lead {NASTY}",
            f"It heals: `dnnlab heal '{NASTY}'`.",
            *(f"Sentence {i} {NASTY}" for i in range(4)),
        ],
        advice=Advice(f"Do {NASTY}", f"dnnlab cure '{NASTY}'", f"Then {NASTY}", [("verdict", "vanishes", "healthy")]),
        command=f'dnnlab x --data "{NASTY}" \udc80',
        frame=read_csv(tmp_path / "summary.csv", COLUMNS),
        columns=[*COLUMNS[:-1], Column("remedy", str, f'Help "{NASTY}"', screen="remedy")],
        names=["act"],
        first=["finite", "rate"],
        drawings=[replace(one, narrow=phone, along=("step", [0, 10], 10)), two],
        files={"summary.csv": f"Table {NASTY}"},
        provenance={f"Key {NASTY}": f"Value {NASTY}"},
        notes=[f"Note {NASTY}"],
    )
    write_page(tmp_path / "report.html", everything)
    return (tmp_path / "report.html").read_text("utf-8")


SCRIPT = Path(page_module.__file__).with_name("page.js").read_text("utf-8")


def test_everything_is_text_and_nothing_is_fetched(written):
    document = Document(written)
    tags = {tag for tag, _ in document.elements}
    assert not tags & {"link", "img", "iframe", "object", "base"}
    assert re.findall(r"https?://[^\"]*", written) == ["http://www.w3.org/2000/svg"]  # the name of a language
    assert not re.search(r"@import|url\((?!#)", written)
    assert "".join(document.text).count(NASTY) >= 20
    for _, attributes in document.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "src"]
        assert re.match("#|summary.csv$", attributes.get("href", "#"))


def test_only_the_pages_own_script_can_run(written):
    """What a browser would let run, worked out from the text of the page: see W3C, Content Security Policy, 6.7.3."""
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", written, re.DOTALL)
    code = [text for attributes, text in scripts if "json" not in attributes]
    assert code == [SCRIPT]
    digest = base64.b64encode(hashlib.sha256(code[0].encode()).digest()).decode()
    policy = next(meta for meta in Document(written).all("meta") if "http-equiv" in meta)
    assert policy["content"] == (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"
    )
    assert len(SCRIPT.encode()) < 30_000
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|Function\(|fetch|import|src", SCRIPT
    )


def test_what_the_script_knows_is_data(written):
    islands = [
        json.loads(text) for text in re.findall(r'<script type="application/json">(.*?)</script>', written, re.S)
    ]
    assert [island["prefix"] for island in islands] == ["f0-", "f0n-", "f1-"]
    assert [island.get("moments") for island in islands] == [[0, 10], [0, 10], None]
    for island in islands:
        (line,) = island["panels"][0]["lines"]
        assert line["name"] == NASTY
        assert f'id="{island["prefix"]}{line["id"]}"' in written


def test_structure(written):
    document = Document(written)
    assert document.all("html") == [{"lang": "en"}]
    assert len(document.all("h1")) == len(document.all("main")) == 1
    assert {header["scope"] for header in document.all("th")} == {"col", "row"}
    assert len(document.all("th")) > 10
    assert len(document.all("table")) == 3  # before and after, few columns, all
    assert len(document.all("figure")) == len(document.all("figcaption")) == 2
    assert len(document.all("svg")) == 3  # the first also for a phone
    assert all(svg["role"] == "img" for svg in document.all("svg"))
    ids = [attributes["id"] for _, attributes in document.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in document.elements:
        for key in ("aria-labelledby", "aria-describedby"):
            assert attributes.get(key, ids[0]) in ids
        if "tabindex" in attributes:
            assert attributes["role"] == "region"
            assert "aria-label" in attributes or "aria-labelledby" in attributes


def test_the_whole_summary_and_every_column_is_there(written):
    text = "".join(Document(written).text).replace("\xa0", " ")
    for word in ("0.408 [0.401, 0.415]", "1.23·10⁻⁵", "4322", "inf", "vanishes", FRAME["remedy"][0], r"\udc80"):
        assert word in text
    assert "3 rows, all with data digits · width 64" in text
    for column in COLUMNS:
        assert f"<code>{column.name}</code>" in written


def headings(html):
    return [re.sub("<.*?>", "", heading) for heading in re.findall("<th .*?</th>", html)]


def test_the_first_table_has_what_matters_and_the_second_everything(written):
    _, few, every = re.findall("<table>.*?</table>", written, re.DOTALL)
    assert headings(few) == ["act", "rate", "time (s)", "finite", "verdict", "remedy"]
    assert headings(every) == headings(few)
    many = [*COLUMNS[:-1], *(Column(f"more{n}", str, "", screen=f"more{n}") for n in range(3)), COLUMNS[-1]]
    frame = FRAME.assign(more0=["a", "b", "c"], more1=["a", "b", "c"], more2=["a", "b", "c"])
    told = html_table(frame, many, TONES, ["act"], ["more2", "rate"])
    assert headings(told) == ["act", "verdict", "rate", "time (s)", "finite", "more2"]  # a phone shows the first
    assert len(headings(html_table(frame, many, TONES))) == 9


def test_a_command_in_a_sentence_is_a_line_to_copy(written):
    assert re.search(r"<p>It heals: </p>\s*<pre .*?><code>dnnlab heal", written, re.DOTALL)


def test_of_very_many_rows_the_file_has_all_columns(tmp_path, frame):
    rows = pd.concat([frame] * 200)
    write_page(tmp_path / "report.html", page(frame=rows, names=["act"], first=["rate"]))
    html = (tmp_path / "report.html").read_text("utf-8")
    assert html.count("<table>") == 1
    assert "summary.csv has all columns." in html
    assert html.count("<tr>") == 401  # with the headings
    assert f"The first 400 of {len(rows)} rows; summary.csv has all." in html


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_any_word_is_shown_as_it_is(word):
    frame = FRAME.iloc[:1].assign(act=word)
    assert word in "".join(Document(html_table(frame, COLUMNS, TONES)).text)


def test_a_table_for_a_notebook(frame):
    html = html_table(frame, COLUMNS, TONES)
    document = Document(html)
    assert html.startswith("<table>")
    assert [header.get("class") for header in document.all("th")] == [
        None,
        "number",
        "number",
        None,
        None,
        None,
    ]  # act, rate, time, finite, verdict, remedy
    assert [cell["class"] for cell in document.all("td") if cell.get("class") in TONES.values()] == [
        "bad",
        "good",
        "warn",
    ]
    assert all("right" in cell["style"] for cell in document.all("td") if cell.get("class") == "number")


def test_colours_meet_wcag_aa_in_light_dark_and_print(written):
    blocks = re.findall(r":root \{(.*?)\}", written, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        colors = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
        for ink in ("ink", "soft", "good", "bad", "warn"):
            for paper in ("paper", "tint"):
                assert contrast(colors[ink], colors[paper]) >= 4.5, (ink, paper)
    assert "color-scheme: light dark" in written


def test_a_page_without_figures_notes_or_provenance(tmp_path, frame):
    write_page(tmp_path / "report.html", page())
    document = Document((tmp_path / "report.html").read_text("utf-8"))
    assert not {"svg", "ul", "figure"} & {tag for tag, _ in document.elements}
    assert (tmp_path / "report.html").stat().st_size < 40_000


def test_of_one_row_what_it_was_measured_on_stands_above_the_table():
    columns = [*COLUMNS[:-1], *(Column(f"more{n}", str, "", screen=f"more{n}") for n in range(3)), COLUMNS[-1]]
    frame = FRAME.iloc[:1].assign(more0="a", more1="b", more2="c")
    html = html_table(frame, columns, TONES, ["act", "more0", "more1"], ["rate"])
    assert len(headings(html)) <= 6
    assert re.search(r"<caption>1 row, with .*more1 b · more2 c", html)


def test_a_page_from_the_finding_to_the_table(written):
    """What one wants to know first stands first."""
    order = ["<h1>Title", "Lead", "Do this", "Figure one", "What else was found", "Figure two", "<caption>", "dnnlab x"]
    places = [written.index(each) for each in order]
    assert places == sorted(places)
    assert "<summary>2 more</summary>" in written  # of five sentences beside the first, three are open


def test_a_number_stays_with_its_unit_and_its_ends_together():
    ends = (Column("share_lo", float, ""), Column("share_hi", float, ""))
    columns = [Column("share", float, "", low="share_lo", high="share_hi", form=Form.SHARE), *ends]
    table = html_table(pd.DataFrame({"share": [0.141], "share_lo": [0.14], "share_hi": [0.143]}), columns, {})
    assert "14.1\N{NO-BREAK SPACE}% [14.0,\N{NO-BREAK SPACE}14.3]" in table
