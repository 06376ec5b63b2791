import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlab.report.columns import Column
from dnnlab.report.figures import new_figure, save
from dnnlab.report.page import Page, html_table, write_page
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


@pytest.fixture
def written(tmp_path):
    """A page made from files alone, as a rebuilt one is."""
    with new_figure(6, 3) as (figure, (axes,)):
        axes.plot([1, 2], [1, 2], label="line")
        axes.set_title(NASTY)
    pictures = [
        (Caption(name, f"Figure {name} {NASTY}", f"See {NASTY}", NASTY), save(figure, tmp_path / name)[0])
        for name in ("one", "two")
    ]
    to_csv(FRAME, COLUMNS, tmp_path / "summary.csv")
    page = Page(
        title=f"Title {NASTY}",
        about=f"About {NASTY}",
        sentences=[f"Lead {NASTY}", f"It heals: `dnnlab heal '{NASTY}'`."],
        command=f'dnnlab x --data "{NASTY}" \udc80',
        frame=read_csv(tmp_path / "summary.csv", COLUMNS),
        columns=[*COLUMNS[:-1], Column("remedy", str, f'Help "{NASTY}"', screen="remedy")],
        tones=TONES,
        names=["act"],
        first=["finite", "rate"],
        pictures=pictures,
        provenance={f"Key {NASTY}": f"Value {NASTY}"},
        notes=[f"Note {NASTY}"],
    )
    write_page(tmp_path / "report.html", page)
    return (tmp_path / "report.html").read_text("utf-8")


def test_everything_is_text_and_nothing_is_fetched(written):
    document = Document(written)
    tags = {tag for tag, _ in document.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "base"}
    assert not re.search(r"https?://|@import|url\((?!#)", written)
    assert "".join(document.text).count(NASTY) >= 12
    policy = next(meta for meta in document.all("meta") if "http-equiv" in meta)
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    for _, attributes in document.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "src"]
        assert attributes.get("href", "#").startswith("#")


def test_structure(written):
    document = Document(written)
    assert document.all("html") == [{"lang": "en"}]
    assert len(document.all("h1")) == len(document.all("main")) == 1
    assert all(header["scope"] == "col" for header in document.all("th"))
    assert len(document.all("th")) > 10
    assert len(document.all("caption")) == len(document.all("table")) == 3  # few columns, all, their meaning
    assert len(document.all("figure")) == len(document.all("figcaption")) == len(document.all("svg")) == 2
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
    few, every, _ = re.findall("<table>.*?</table>", written, re.DOTALL)
    assert headings(few) == ["act", "rate", "time (s)", "finite", "verdict", "remedy"]
    assert headings(every) == headings(few)
    many = [*COLUMNS[:-1], *(Column(f"more{n}", str, "", screen=f"more{n}") for n in range(3)), COLUMNS[-1]]
    frame = FRAME.assign(more0=["a", "b", "c"], more1=["a", "b", "c"], more2=["a", "b", "c"])
    told = html_table(frame, many, TONES, ["act"], ["more2", "rate"])
    assert headings(told) == ["act", "rate", "time (s)", "finite", "verdict", "more2"]
    assert len(headings(html_table(frame, many, TONES))) == 9


def test_a_command_in_a_sentence_is_a_line_to_copy(written):
    assert re.search(r"<p>It heals: </p>\s*<pre .*?><code>dnnlab heal", written, re.DOTALL)


def test_of_very_many_rows_the_file_has_all_columns(tmp_path, frame):
    rows = pd.concat([frame] * 70)
    page = Page("Title", "About", ["Lead."], "dnnlab x", rows, COLUMNS, TONES, ["act"], ["rate"], [], {}, [])
    write_page(tmp_path / "report.html", page)
    html = (tmp_path / "report.html").read_text("utf-8")
    assert html.count("<table>") == 2
    assert "summary.csv has all columns." in html


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
    page = Page("Title", "About", ["Lead."], "dnnlab x", frame, COLUMNS, TONES, [], [], [], {}, [])
    write_page(tmp_path / "report.html", page)
    document = Document((tmp_path / "report.html").read_text("utf-8"))
    assert not {"svg", "dl", "ul"} & {tag for tag, _ in document.elements}
    assert (tmp_path / "report.html").stat().st_size < 20_000
