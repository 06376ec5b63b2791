"""A saved figure as part of a page: it takes the page's colours, and tells a screen reader what it shows."""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass

INK = "#232a31"
"""Text, axes, ticks and grid are drawn in exactly this colour and no data is, so a page can swap it."""

PAPER = "#fffffe"
"""The background of a figure; a hair off white, which a cell of a heat map may well be."""


SHEET = "#fffefe"
"""The filling of boxes over lines: the colour of the page, where the background of a figure is none."""


@dataclass(frozen=True)
class Caption:
    """The words of a figure: what a page needs beside the drawing."""

    name: str  # the file's stem; letters, digits and hyphens
    title: str
    see: str  # one sentence that says what to see
    alt: str  # the same for who cannot see it: the axes, the curves, the finding

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", self.name):
            raise ValueError(f"a figure's name is letters, digits and hyphens, not {self.name!r}.")


KEPT = ("line-", "beside-")
"""With these begin the ids of parts that a page's script looks for: see `dnnlab.report.points`."""


def themed(svg: str, caption: Caption, prefix: str = "") -> str:
    """The ``<svg>`` element of a saved figure, to stand in an HTML page beside others.

    Ink becomes ``currentColor``, paper transparent and sheets the page's paper. Ids begin with ``prefix``, which is the
    caption's name where none is given; title and description are the caption's ``title`` and ``alt``. No prolog, no
    metadata, no size: the page's style gives one, and the font.

    Raises:
        xml.etree.ElementTree.ParseError: ``svg`` is no XML.
    """
    root = ET.fromstring(svg)
    prefix = prefix or caption.name
    for parent in root.iter():
        for child in list(parent):
            if _local(child.tag) in {"metadata", "style"}:
                parent.remove(child)
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {_local(key): value for key, value in element.attrib.items()}
    numbers = _referenced(root)
    for element in root.iter():
        named = {key: _in_page(key, value, prefix, numbers) for key, value in element.attrib.items()}
        element.attrib = {key: value for key, value in named.items() if value}
    _shorten(root)
    width, height = root.attrib.pop("width"), root.attrib.pop("height")
    named = {"title": caption.title, "desc": caption.alt}
    for position, (tag, words) in enumerate(named.items()):
        told = ET.Element(tag, id=f"{prefix}-{tag}")
        told.text = words
        root.insert(position, told)
    root.attrib |= {
        "role": "img",
        "aria-labelledby": f"{prefix}-title",
        "aria-describedby": f"{prefix}-desc",
        # The style sheet that was removed set this for every element, and would also set it for the page's.
        "style": f"stroke-linejoin: round; stroke-linecap: butt; max-width: {width}; aspect-ratio: "
        f"{width.removesuffix('pt')} / {height.removesuffix('pt')}",
    }
    return ET.tostring(root, encoding="unicode")


def _shorten(root: ET.Element) -> None:
    """Leave out what shows nothing, which is half of a file: the white space between elements, and the style that each
    of the marks of a line repeats."""
    for parent in root.iter():
        if parent.tag not in ("text", "tspan", "style"):
            parent.text = None
            for child in parent:
                child.tail = None
        if parent.tag == "g" and len(parent) > 1 and len({child.tag for child in parent} | {"path", "use"}) == 2:
            _say_once(parent)


def _say_once(group: ET.Element) -> None:
    """Move to a group what all of its shapes say of how they are drawn."""
    clips = {child.attrib.get("clip-path") for child in group}
    if len(clips) == 1 and None not in clips and "clip-path" not in group.attrib:
        group.set("clip-path", group[0].attrib["clip-path"])
        for child in group:
            del child.attrib["clip-path"]
    styles = [child.attrib.get("style", "").split("; ") for child in group]
    shared = [each for each in styles[0] if each and all(each in style for style in styles)]
    if shared and "style" not in group.attrib:
        group.set("style", "; ".join(shared))
        for child, style in zip(group, styles, strict=True):
            own = "; ".join(each for each in style if each not in shared)
            child.attrib = {key: value for key, value in child.attrib.items() if key != "style"}
            child.attrib |= {"style": own} if own else {}


def _local(name: str) -> str:
    """The name without its namespace: an HTML parser knows ``<svg>`` and ``href`` by themselves."""
    return name.rpartition("}")[2]


def _one_decimal(number: re.Match[str]) -> str:
    return f"{float(number.group()):.1f}".removesuffix(".0")


def _referenced(root: ET.Element) -> dict[str, str]:
    """A short name for each id that something in the figure refers to."""
    names: dict[str, str] = {}
    for element in root.iter():
        for key, value in element.attrib.items():
            found = [value[1:]] if key == "href" and value.startswith("#") else re.findall(r"url\(#([^)]+)\)", value)
            for name in found:
                names.setdefault(name, str(len(names)))
    return names


def _in_page(key: str, value: str, prefix: str, numbers: dict[str, str]) -> str:
    """The value of an attribute as the page has it; empty where it says nothing."""
    if key == "id":
        name = numbers.get(value, value if value.startswith(KEPT) else "")
        return f"{prefix}-{name}" if name else ""
    if key == "href" and value.startswith("#"):
        return f"#{prefix}-{numbers[value[1:]]}"
    if key in {"d", "x", "y"}:
        # Nobody sees a twentieth of a point, and the file is half as large.
        return " ".join(re.sub(r"\d+\.\d+", _one_decimal, value).split())
    if key == "transform":
        return "" if value.startswith("rotate(-0 ") else value
    if key == "style":
        value = re.sub(r"font-family: [^;]*(; )?", "", value)
    value = re.sub(r"url\(#([^)]+)\)", lambda match: f"url(#{prefix}-{numbers[match.group(1)]})", value)
    return value.replace(INK, "currentColor").replace(PAPER, "none").replace(SHEET, "var(--paper)")
