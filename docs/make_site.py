"""Writes the documentation as a site of static files that opens offline: ``python -m docs.make_site [FOLDER]``.

Its pages are the Markdown documents of the repository, each at its own path, with ``.html`` for ``.md``; and the
published ledger. Pictures are in the pages themselves, so that a page requests nothing.
"""

import base64
import itertools
import json
import os.path
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import jinja2
import pygments
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from dnnlab.reproduce import page as ledger_page
from dnnlab.reproduce import shipped
from dnnlab.reproduce.book import LEDGER_CSV, read_rows
from dnnlab.runner.store import PROVENANCE

ROOT = Path(__file__).parents[1]
LEDGER = "results/reference/cpu-quick/ledger.html"
"""The one page that is made of no document."""
NAVIGATION = {
    "Begin": {"README.md": "What dnnlab is", "docs/first-steps.md": "First steps"},
    "Experiments": {
        "docs/gradient-flow.md": "gradient-flow",
        "docs/dead-relu.md": "dead-relu",
        "docs/compare-arch.md": "compare-arch",
        "docs/compress.md": "compress",
        "docs/nas.md": "nas",
        "docs/check.md": "check",
    },
    "Your own": {"docs/using.md": "Networks and data of your own"},
    "Claims": {
        "docs/recipes.md": "Recipes",
        "docs/verdicts.md": "How a verdict comes about",
        LEDGER: "The ledger",
        "experiments/README.md": "The lecture as recipes",
        "results/reference/README.md": "What is published",
        "results/reference/gpu-full/README.md": "What a GPU measured",
    },
    "Reference": {
        "docs/api.md": "Python",
        "docs/cli.md": "Command line",
        "results/README.md": "Files of a run",
    },
    "Columns": {
        "docs/columns": "Which there are",
        "docs/columns/gradient-flow.md": "Columns of gradient-flow",
        "docs/columns/dead-relu.md": "Columns of dead-relu",
        "docs/columns/compare-arch.md": "Columns of compare-arch",
        "docs/columns/compress.md": "Columns of compress",
        "docs/columns/nas.md": "Columns of nas",
        "docs/columns/check.md": "Columns of check",
    },
    "Large runs": {"docs/cluster.md": "From a laptop to a cluster", "docs/gpu.md": "On a GPU"},
    "Words": {"docs/glossary.md": "Glossary"},
    "Install and develop": {
        "docs/installing.md": "Installing",
        "ARCHITECTURE.md": "Architecture",
        "CONTRIBUTING.md": "Contributing",
        "docs/adding-an-experiment.md": "Adding an experiment",
        "docs/releasing.md": "Releasing",
        "SECURITY.md": "Security",
        "CHANGELOG.md": "Changelog",
    },
}
"""Every page under its heading, in the order in which they are shown: its document and its short name. Of a folder the
page lists the documents in it."""
_TITLES = {source: name for pages in NAVIGATION.values() for source, name in pages.items()}
_WRITTEN = "files.txt"
"""The file of a site that lists its files, so that the next site removes what it no longer has, and nothing else."""
_MANY = 4
"""Sections from which on a page has a list of them."""


@dataclass
class Site:
    """The files of a site by their paths, and what its pages link to."""

    files: dict[str, bytes] = field(default_factory=dict)

    def link(self, target: str, source: str) -> str:
        """The address on the site of what a document links to as ``target``. A file that is no document is copied.

        Raises:
            ValueError: there is nothing, or it is a document without a page.
        """
        if re.match(r"[a-z]+:|#", target):
            return target
        path, _, section = target.partition("#")
        found = os.path.normpath(PurePosixPath(source).parent / path)
        here = ROOT / found
        if found.startswith("..") or not here.exists():
            raise ValueError(f"{source} links to {target}, which is not there")
        if here.is_dir() and (here / "README.md").exists():
            found = f"{found}/README.md" if found != "." else "README.md"
        if found in _TITLES:
            found = address(found)
        elif here.suffix == ".md" or here.is_dir():
            raise ValueError(f"{source} links to {target}, which has no page; give it a place in NAVIGATION")
        else:
            self.files[found] = here.read_bytes()
        return _relative(found, address(source)) + (f"#{section}" if section else "")


def address(source: str) -> str:
    """The path on the site of the page that a document becomes."""
    path = PurePosixPath(source)
    if path.name == "README.md":
        return str(path.with_name("index.html"))
    return str(path.with_suffix(".html") if path.suffix else path / "index.html")


def site() -> dict[str, bytes]:
    """Every file of the site by its path.

    Raises:
        ValueError: a document links to what is not there, or shows a picture without words for it.
    """
    made = Site()
    for source in _TITLES:
        html = _ledger() if source == LEDGER else _page(made, source)
        made.files[address(source)] = html.encode()
    return made.files


def write(folder: Path) -> None:
    """Write the site to ``folder``, and remove what an earlier site wrote there and this one no longer has.

    Raises:
        ValueError: a file there would be overwritten that no earlier site wrote; nothing is written then.
    """
    files = site()
    listed = folder / _WRITTEN
    before = set(listed.read_text("utf-8").splitlines()) if listed.exists() else set()
    foreign = sorted(name for name in files if name not in before and (folder / name).exists())
    if foreign:
        raise ValueError(f"{folder / foreign[0]} is there already and is not of an earlier site; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    listed.write_text("".join(f"{name}\n" for name in sorted(before | set(files))), "utf-8")
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    for name in before - set(files):
        (folder / name).unlink(missing_ok=True)
    listed.write_text("".join(f"{name}\n" for name in sorted(files)), "utf-8")


def _page(made: Site, source: str) -> str:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    for kind, rule in _RULES.items():
        markdown.add_render_rule(kind, rule)
    env = {"site": made, "source": source}
    tokens = markdown.parse(_text(source), env)
    sections = _mark(tokens)
    title = next(_said(after) for token, after in _pairs(tokens) if token.tag == "h1" and token.nesting == 1)
    first = next((i for i, token in enumerate(tokens) if token.tag == "h2" and token.nesting == 1), len(tokens))
    before, after = (
        Markup(markdown.renderer.render(part, markdown.options, env)) for part in (tokens[:first], tokens[first:])
    )
    return _template("page").render(
        title=title,
        before=before,
        after=after,
        sections=sections if len(sections) >= _MANY else [],
        **_around(source),
    )


def _text(source: str) -> str:
    """The Markdown of a document, or of a list of the documents in a folder."""
    path = ROOT / source
    if not path.is_dir():
        return path.read_text("utf-8")
    names = [name for name in _TITLES if PurePosixPath(name).parent == PurePosixPath(source)]
    items = "".join(f"- [{_TITLES[name]}]({path.name}/{PurePosixPath(name).name})\n" for name in names)
    return f"# {path.name.capitalize()}\n\n{items}"


def _ledger() -> str:
    """The page of the published ledger, with the way back to the others."""
    folder = shipped.reference("quick")
    if folder is None:
        raise ValueError("the published ledger is not here")
    rows = read_rows(folder / LEDGER_CSV)
    record = json.loads((folder / PROVENANCE).read_bytes())
    provenance = {name: str(value) for part in record.values() for name, value in part.items() if value != ""}
    with tempfile.TemporaryDirectory() as empty:  # a folder without runs, whose pages the site does not have
        file = Path(empty) / "ledger" / "ledger.html"
        file.parent.mkdir()
        ledger_page.write(file, "The lecture, claim by claim", rows, "quick", provenance)
        html = file.read_text("utf-8")
    for part, mark in (("style", "</head>"), ("top", "<header>"), ("bottom", "</body>")):
        if html.count(mark) != 1:
            raise ValueError(f"the page of the ledger has {mark} more than once, or not at all")
        html = html.replace(mark, _template("around").render(part=part, **_around(LEDGER)) + mark)
    return html


def _around(source: str) -> dict[str, Any]:
    """What the templates need for the way to the other pages."""
    here = address(source)
    groups = {
        heading: [(_relative(address(name), here), short, name == source) for name, short in pages.items()]
        for heading, pages in NAVIGATION.items()
    }
    return {"groups": groups, "home": _relative(address("README.md"), here)}


def _relative(path: str, page: str) -> str:
    return str(PurePosixPath(os.path.relpath(path, PurePosixPath(page).parent)))


def _pairs(tokens: list[Token]) -> Iterator[tuple[Token, Token]]:
    return itertools.pairwise(tokens)


def _said(inline: Token) -> str:
    """The text of a heading or of a cell, without its marks."""
    return "".join(child.content for child in inline.children or () if child.type in ("text", "code_inline"))


def _mark(tokens: list[Token]) -> list[tuple[str, str]]:
    """Give headings their anchors, as GitHub names them, and tables a name; the anchors and texts of the sections."""
    taken: dict[str, int] = {}
    sections = []
    for token, inline in _pairs(tokens):
        if token.type == "heading_open":
            text = _said(inline)
            name = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            taken[name] = taken.get(name, -1) + 1
            token.attrs["id"] = f"{name}-{taken[name]}" if taken[name] else name
            if token.tag == "h2":
                sections.append((str(token.attrs["id"]), text))
    heads: list[str] = []
    table = None
    for token, inline in _pairs(tokens):
        if token.type == "table_open":
            table, heads = token, []
        elif token.type == "th_open":
            token.attrs["scope"] = "col"
            heads.append(_said(inline))
        elif token.type == "thead_close" and table:
            table.meta["name"] = ", ".join(filter(None, heads))
    return sections


Rule = Any


def _fence(renderer: Rule, tokens: list[Token], index: int, options: Any, env: Mapping[str, Any]) -> str:
    token = tokens[index]
    language = token.info.strip()
    if not language:
        return _block("output", "Output", escape(token.content))
    code = pygments.highlight(token.content, get_lexer_by_name(language), HtmlFormatter(nowrap=True))
    if language != "sh":
        return _block("code", "Code", code)
    # A long command is wrapped between words, and where it goes on it is set in.
    lines = "".join(f'<span class="line">{line}\n</span>' for line in code.splitlines())
    return _block("commands", "Command", _whole(lines))


def _code_inline(renderer: Rule, tokens: list[Token], index: int, options: Any, env: Mapping[str, Any]) -> str:
    return f"<code>{_whole(str(escape(tokens[index].content)))}</code>"


def _whole(html: str) -> str:
    """``html`` with the options of a command, such as ``--arch``, kept on one line each."""
    return re.sub(r"(?<![\w-])(--?[a-z][\w-]*)", r'<span class="word">\1</span>', html)


def _block(kind: str, label: str, html: str) -> str:
    return f'<pre class="{kind}" tabindex="0" role="region" aria-label="{label}"><code>{html}</code></pre>\n'


def _image(renderer: Rule, tokens: list[Token], index: int, options: Any, env: Mapping[str, Any]) -> str:
    target, told = tokens[index].attrs["src"], tokens[index].content
    file = (ROOT / env["source"]).parent / str(target)
    if file.suffix != ".png" or not file.exists() or not told.strip():
        raise ValueError(f"{env['source']} shows {target}, which is no PNG, is not there, or has no words")
    data = base64.b64encode(file.read_bytes()).decode()
    picture = f'<img src="data:image/png;base64,{data}" alt="{escape(told)}">'
    return f'<span class="picture" tabindex="0" role="group" aria-label="Picture">{picture}</span>'


def _link_open(renderer: Rule, tokens: list[Token], index: int, options: Any, env: Mapping[str, Any]) -> str:
    token = tokens[index]
    return f'<a href="{escape(env["site"].link(str(token.attrs["href"]), env["source"]))}">'


def _heading_close(renderer: Rule, tokens: list[Token], index: int, options: Any, env: Mapping[str, Any]) -> str:
    opening, inline, tag = tokens[index - 2], tokens[index - 1], tokens[index].tag
    if tag == "h1":
        return "</h1>\n"
    told = escape(f"Link to {_said(inline)}")
    return f' <a class="anchor" href="#{opening.attrs["id"]}" aria-label="{told}">#</a></{tag}>\n'


def _table_open(renderer: Rule, tokens: list[Token], index: int, options: Any, env: Mapping[str, Any]) -> str:
    name = escape(f"Table: {tokens[index].meta['name']}")
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{name}">\n<table>\n'


def _table_close(renderer: Rule, tokens: list[Token], index: int, options: Any, env: Mapping[str, Any]) -> str:
    return "</table>\n</div>\n"


_RULES = {
    "fence": _fence,
    "code_inline": _code_inline,
    "image": _image,
    "link_open": _link_open,
    "heading_close": _heading_close,
    "table_open": _table_open,
    "table_close": _table_close,
}


def _template(name: str) -> jinja2.Template:
    """``docs/site/NAME.html.jinja``; all that it shows is escaped."""
    loaders = [jinja2.FileSystemLoader(Path(__file__).with_name("site")), jinja2.PackageLoader("dnnlab", "")]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(f"{name}.html.jinja")


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "site")
    try:
        write(place)
    except ValueError as problem:
        sys.exit(f"docs.make_site: {problem}.")
    print(f"page: {place / 'index.html'}")
