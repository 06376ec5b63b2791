"""A saved figure as part of a page: it takes the page's colours, and tells a screen reader what it shows."""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass

INK = "#232a31"
"""Text, axes, ticks and grid are drawn in exactly this colour and no data is, so a page can swap it."""

PAPER = "#fffffe"
"""The background of a figure; a hair off white, which a cell of a heat map may well be."""


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


def themed(svg: str, caption: Caption) -> str:
    """The ``<svg>`` element of a saved figure, to stand in an HTML page beside others.

    Ink becomes ``currentColor`` and paper transparent, ids begin with the caption's name, title and
    description are its ``title`` and ``alt``. No prolog, no metadata, no size: the page's style gives one.

    Raises:
        xml.etree.ElementTree.ParseError: ``svg`` is no XML.
    """
    root = ET.fromstring(svg)
    for parent in root.iter():
        for child in list(parent):
            if _local(child.tag) in {"metadata", "style"}:
                parent.remove(child)
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {
            _local(key): _in_page(_local(key), value, caption.name) for key, value in element.attrib.items()
        }
    width, height = root.attrib.pop("width"), root.attrib.pop("height")
    named = {"title": caption.title, "desc": caption.alt}
    for position, (tag, words) in enumerate(named.items()):
        told = ET.Element(tag, id=f"{caption.name}-{tag}")
        told.text = words
        root.insert(position, told)
    root.attrib |= {
        "role": "img",
        "aria-labelledby": f"{caption.name}-title",
        "aria-describedby": f"{caption.name}-desc",
        # The style sheet that was removed set this for every element, and would also set it for the page's.
        "style": f"stroke-linejoin: round; stroke-linecap: butt; max-width: {width}; aspect-ratio: "
        f"{width.removesuffix('pt')} / {height.removesuffix('pt')}",
    }
    return ET.tostring(root, encoding="unicode")


def _local(name: str) -> str:
    """The name without its namespace: an HTML parser knows ``<svg>`` and ``href`` by themselves."""
    return name.rpartition("}")[2]


def _in_page(key: str, value: str, prefix: str) -> str:
    if key == "id":
        return f"{prefix}-{value}"
    if key == "href" and value.startswith("#"):
        return f"#{prefix}-{value[1:]}"
    if key in {"d", "x", "y"}:
        return re.sub(r"(\.\d\d)\d+", r"\1", value)  # nobody sees a hundredth of a point, and the file is half as large
    return value.replace("url(#", f"url(#{prefix}-").replace(INK, "currentColor").replace(PAPER, "none")
