"""The documentation as a site: every link leads somewhere, nothing is requested, every picture has words."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt

from dnnlab.registry import EXPERIMENTS
from dnnlab.reproduce.columns import TONES
from docs import make_site

ROOT = Path(__file__).parents[1]
VOID = {"meta", "link", "img", "br", "hr", "input", "col", "wbr", "source", "area", "base"}
"""Elements of HTML without an end tag."""
ENDS_A_PARAGRAPH = {"p", "pre", "ul", "ol", "table", "div", "section", "figure", "details", "h1", "h2", "h3", "nav"}
"""What ends an open paragraph without saying so, and so may not stand in one."""


FIVE = [name for name in EXPERIMENTS if name != "check"]


class Reader(HTMLParser):
    """An HTML page: its elements in order with their places, its ids and links; raises where elements do not nest."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text = [], [], {}
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        assert not ("p" in self.open and tag in ENDS_A_PARAGRAPH), f"<{tag}> in <p>"
        assert len(dict(attributes)) == len(attributes), f"<{tag}> has an attribute twice"
        assert not (tag == "a" and "a" in self.open), "a link in a link"
        self.elements.append((tag, dict(attributes), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):  # as in SVG
        self.elements.append((tag, dict(attributes), tuple(self.open)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data):
        if self.open:
            self.text[self.open[-1]] = self.text.get(self.open[-1], "") + data

    def all(self, tag):
        return [attributes for name, attributes, _ in self.elements if name == tag]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("site")
    make_site.write(place)
    return place


@pytest.fixture(scope="module")
def pages(folder):
    return {path: Reader(path.read_text("utf-8")) for path in sorted(folder.rglob("*.html"))}


def test_every_link_of_the_site_leads_somewhere(folder, pages):
    ids = {path: [a["id"] for _, a, _ in page.elements if "id" in a] for path, page in pages.items()}
    for path, own in ids.items():
        assert len(own) == len(set(own)), f"{path} has an id twice"
    followed = 0
    for path, page in pages.items():
        for link in page.all("a"):
            address = urlsplit(link["href"])
            if address.scheme:
                assert address.scheme in ("http", "https"), f"{path.name}: {link['href']}"
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            assert target.is_relative_to(folder)
            assert target.is_file(), f"{path.name} links to {link['href']}"
            if address.fragment:
                assert unquote(address.fragment) in ids[target], f"{path.name} links to {link['href']}"
            followed += 1
    assert followed > 1000  # the links were found


def documents():
    return [path for path in [*ROOT.glob("*.md"), *ROOT.glob("[der]*/**/*.md")] if ".venv" not in path.parts]


def anchors(path):
    """The anchors of a document as GitHub makes them: lower case, without punctuation, with hyphens for spaces."""
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    found = []
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = "".join(c for c in plain if c.isalnum() or c in " -_").replace(" ", "-")
        found.append(f"{name}-{found.count(name)}" if name in found else name)
    return found


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_document_leads_somewhere(path):
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^()\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
        if re.match(r"https?:", target):
            continue
        file, _, section = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), f"{path.name} links to {target}"
        assert not section or section in anchors(there), f"{path.name} links to {target}"


def test_every_page_is_in_the_navigation_of_every_page(folder, pages):
    listed = {make_site.address(str(path.relative_to(ROOT))) for path in ROOT.glob("docs/*.md")}
    for path, page in pages.items():
        own = [a for tag, a, places in page.elements if tag == "a" and places[1:3] == ("body", "nav")]
        own = [a for a in own if not a["href"].startswith("#")]  # the ledger has contents of its own
        linked = {str((path.parent / a["href"]).resolve().relative_to(folder.resolve())) for a in own}
        assert listed | {"index.html", make_site.LEDGER} <= linked, f"{path.name} does not lead to all pages"
        assert linked == {str(other.relative_to(folder)) for other in pages}
        here = [a["href"] for a in own if a.get("aria-current") == "page"]
        assert len(here) == 1, f"{path.name} is not marked in its navigation"
        assert (path.parent / here[0]).resolve() == path.resolve()


def test_no_page_requests_anything(pages):
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"',
                       (ROOT / "dnnlab/report/parts.html.jinja").read_text())[1]  # fmt: skip
    for path, page in pages.items():
        given = [a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
        assert given == [policy.partition("; script-src")[0]], f"{path.name}: another policy than on the page of a run"
        for tag in ("script", "link", "iframe", "object", "embed", "base"):
            assert not page.all(tag), f"{path.name} has <{tag}>"
        sources = [a[name] for _, a, _ in page.elements for name in ("src", "srcset", "poster", "data") if name in a]
        assert all(source.startswith("data:image/png;base64,") for source in sources), path.name
        assert not re.search(r"url\(|@import|@font-face", page.text["style"]), (
            f"a style of {path.name} requests something"
        )


def test_every_picture_has_words(pages):
    shown = [(path, a) for path, page in pages.items() for a in page.all("img")]
    assert len(shown) == 1 + len(FIVE)  # README and the experiments that draw
    for path, attributes in shown:
        assert len(attributes["alt"].split()) > 10, f"a picture in {path.name} is not described"


def test_no_mark_is_shown_as_text(pages):
    for path, page in pages.items():
        code = page.text.get("code", "") + page.text.get("span", "")
        assert not re.search(r"</?(span|code|a)\b", code), f"{path.name} shows a mark of HTML"
        prose = "".join(
            page.text.get(tag, "") for tag in ("p", "li", "td", "th", "h1", "h2", "h3", "strong", "em", "a")
        )
        assert not re.search(r"</?\w+>|\]\(|\*\*|`", prose), f"{path.name} shows a mark"


def test_every_page_has_one_title(pages):
    titles = [page.text["title"] for page in pages.values()]
    assert all(titles)
    assert len(set(titles)) == len(titles)
    for path, page in pages.items():
        assert len(page.all("h1")) == 1, path.name


@pytest.mark.parametrize("name", FIVE)
def test_the_page_of_an_experiment_begins_with_question_command_and_picture(folder, pages, name):
    elements = pages[folder / "docs" / f"{name}.html"].elements
    assert [tag for tag, _, places in elements if places[1:] == ("body", "main")][:5] == ["h1", "p", "pre", "p", "p"]
    title, question, command, picture, reading = re.split(r"\n\n", (ROOT / f"docs/{name}.md").read_text("utf-8"))[:5]
    assert title == f"# {name}"
    assert question.endswith("?")
    assert "\n" not in question
    assert re.fullmatch(r"```sh\ndnnlab [^\n]*\n```", command)
    assert picture.startswith("![")
    assert len(re.findall(r"\.\s", f"{reading} ")) == 2, "two sentences say what to read in the picture"


def test_a_site_is_written_over_an_earlier_one_and_over_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(make_site, "site", lambda: {"a.html": b"1", "b/c.html": b"1"})
    make_site.write(tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    monkeypatch.setattr(make_site, "site", lambda: {"a.html": b"2"})
    make_site.write(tmp_path)
    assert (tmp_path / "a.html").read_bytes() == b"2"
    assert not (tmp_path / "b/c.html").exists()
    assert (tmp_path / "mine.txt").read_text() == "mine"
    monkeypatch.setattr(make_site, "site", lambda: {"a.html": b"3", "mine.txt": b"3"})
    with pytest.raises(ValueError, match=r"mine\.txt is there already"):
        make_site.write(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert (tmp_path / "a.html").read_bytes() == b"2"


@pytest.mark.parametrize(
    ("target", "said"),
    [("nowhere.md", "which is not there"), ("../../outside.md", "which is not there"), ("../tests", "has no page")],
)
def test_a_document_that_links_to_nothing_is_refused(target, said):
    with pytest.raises(ValueError, match=said):
        make_site.Site().link(target, "docs/nas.md")


def words(file):
    """The words of a document as a reader sees them: text, code in sentences, and what is said of pictures; without
    blocks of code, and without the targets of links."""
    found = []
    for token in MarkdownIt("commonmark").enable("table").parse((ROOT / file).read_text("utf-8")):
        for child in token.children or ():
            if child.type in ("text", "code_inline", "image"):
                found += child.content.split()
    return found


def test_the_readme_has_under_600_words():
    assert 300 < len(words("README.md")) < 600


def test_every_entry_of_the_glossary_is_short_and_leads_to_a_page():
    text = (ROOT / "docs/glossary.md").read_text("utf-8").partition("## The words of verdicts")[0]
    entries = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    assert len(entries) > 50
    for entry in entries:
        title, _, told = entry.partition("\n")
        told = re.sub(r"^## .*", "", told, flags=re.MULTILINE).strip()
        assert re.search(r"\]\([\w-]+\.md", told), f"{title} leads to no page"
        assert 1 <= len(re.findall(r"\.(?=\s|$)", told)) <= 4, f"{title} has too many sentences"


def test_every_verdict_is_explained():
    glossary = (ROOT / "docs/glossary.md").read_text("utf-8")
    for experiment in EXPERIMENTS.values():
        page = glossary + (ROOT / f"docs/{experiment.name}.md").read_text("utf-8")
        for question in experiment.spec.QUESTIONS:
            unknown = [verdict for verdict in question.schema.tones if f"*{verdict}*" not in page]
            assert not unknown, f"no page says what these verdicts of {experiment.name} mean"
    assert not [verdict for verdict in TONES if f"*{verdict}*" not in glossary]
