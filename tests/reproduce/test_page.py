"""The ledger's page, as a browser would read it: what stands where, and that each picture shows its numbers."""

import json
import math
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dnnlab.report.figures import new_figure, save
from dnnlab.report.svg import INK, PAPER
from dnnlab.reproduce import page
from dnnlab.reproduce.columns import TONES

VOID = {"meta", "input", "wbr", "br"}
ORDER = ["refuted", "holds if …", "not decided", "reported", "holds", "not run", "failed"]


class Tree(HTMLParser):
    """The elements of a page as a tree; all must be closed in order."""

    def __init__(self, html):
        super().__init__()
        self.root = ET.Element("document")
        self.open = [self.root]
        self.feed(html)
        self.close()
        assert self.open == [self.root]

    def handle_starttag(self, tag, attrs):
        element = ET.SubElement(self.open[-1], tag, {name: value or "" for name, value in attrs})
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        ET.SubElement(self.open[-1], tag, {name: value or "" for name, value in attrs})

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        last = self.open[-1]
        if len(last):
            last[-1].tail = (last[-1].tail or "") + data
        else:
            last.text = (last.text or "") + data


def text(element):
    return " ".join("".join(element.itertext()).split())


def having(root, name):
    return [each for each in root.iter() if name in each.get("class", "").split()]


def row(recipe, verdict="holds", part="1-sums", **more):
    texts = dict.fromkeys(("circumstances", "source", "measured", "published", "note", "run", "conditions"), "")
    own = {"part": part, "recipe": recipe, "slide": "A slide", "claim": f"Claim {recipe}.", "verdict": verdict, "n": 3}
    return {**texts, **own, "command": f"dnnlab reproduce {recipe}.toml", **more}


def condition(said, met=True, **more):
    return {"said": said, "met": met, "when": "", "control": False, **more}


def write(rows, folder):
    file = folder / "ledger-own-quick" / "ledger.html"
    file.parent.mkdir(parents=True, exist_ok=True)
    page.write(file, "Made up", rows, "quick", {"dnnlab": "1"})
    return file


def read(rows, folder):
    return Tree(write(rows, folder).read_text("utf-8")).root


REFERENCE = Path(__file__).parents[2] / "results" / "reference" / "cpu-quick" / "ledger.json"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The published ledger, of a version that kept no conditions."""
    rows = json.loads(REFERENCE.read_text("utf-8"))
    return rows, read(rows, tmp_path_factory.mktemp("published"))


def test_there_is_a_square_and_a_line_for_each_claim_refuted_first(published):
    rows, root = published
    squares = having(root, "waffle")[0].findall(".//a")
    lines = having(root, "claim")
    by_verdict = [each["claim"] for verdict in ORDER for each in rows if each["verdict"] == verdict]
    assert [text(line.find(".//h3")) for line in lines] == by_verdict
    verdicts = {each["claim"]: each["verdict"] for each in rows}
    assert [square.get("aria-label") for square in squares] == [f"{verdicts[claim]}: {claim}" for claim in by_verdict]
    assert [square.get("href") for square in squares] == [f"#{line.get('id')}" for line in lines]


def test_every_link_leads_somewhere_and_no_id_is_there_twice(published):
    _, root = published
    ids = [each.get("id") for each in root.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    for element in root.iter():
        for name in ("href", "for"):
            target = element.get(name, "").removeprefix("#")
            assert not target or target in ids, target
        for name in ("aria-labelledby", "aria-describedby"):
            assert element.get(name) is None or element.get(name) in ids


def test_title_and_legend_count_the_claims(published):
    rows, root = published
    count = {verdict: sum(each["verdict"] == verdict for each in rows) for verdict in TONES}
    open_ = count["not decided"] + count["reported"]
    finding = (
        f"{len(rows)} claims: {count['holds']} hold, {count['holds if …']} hold if …, {count['refuted']} are refuted "
        f"and {open_} are open"
    )
    assert text(root.find(".//h1")) == finding == text(root.find(".//title"))
    legend = [text(label) for label in having(root, "filters")[0].findall("label")]
    assert legend == [f"all {len(rows)}", *(f"{verdict} {count[verdict]}" for verdict in ORDER if count[verdict])]


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [(["holds"], "1 claim: 1 holds"), (["refuted", "failed"], "2 claims: 1 is refuted and 1 failed"),
     (["holds if …", "not run"], "2 claims: 1 holds if … and 1 was not run")],
)  # fmt: skip
def test_the_title_is_the_finding(tmp_path, verdicts, expected):
    rows = [row(f"r{n}", verdict) for n, verdict in enumerate(verdicts)]
    assert text(read(rows, tmp_path).find(".//h1")) == expected


def test_verdicts_differ_in_shape_and_not_only_in_colour(tmp_path):
    root = read([row(f"r{n}", verdict) for n, verdict in enumerate(TONES)], tmp_path)
    shapes = {each.get("id"): [(part.tag, part.get("d")) for part in each] for each in root.iter("symbol")}
    used = [use.get("href")[1:] for square in having(root, "waffle")[0].findall(".//a") for use in square.iter("use")]
    assert len(used) == len(TONES)
    assert len({str(shapes[name]) for name in used}) == len(TONES)
    for line in having(root, "line"):
        assert text(having(line, "verdict")[0]) in TONES
        assert next(having(line, "verdict")[0].iter("use")).get("href")[1:] in shapes


def test_filters_name_claims_that_are_there_and_say_where_there_is_none(tmp_path):
    file = write([row("a"), row("b", "refuted"), row("c", part="2-counts")], tmp_path)
    html = file.read_text("utf-8")
    root = Tree(html).root
    inputs = {each.get("id"): each for each in root.iter("input")}
    assert set(inputs) == {"only-all", "only-refuted", "only-holds", "part-all", "part-0", "part-1"}
    assert [name for name, each in inputs.items() if "checked" in each.attrib] == ["only-all", "part-all"]
    for name in set(inputs) - {"only-all", "part-all"}:
        assert re.search(rf"#{name}:checked\)[^{{]*\{{ display: none; \}}", html), name
    # No claim of the second part is refuted; every other pair of filters leaves a claim.
    assert re.findall(r"#only-([\w-]+):checked\):has\(#part-(\d):checked\) \.none", html) == [("refuted", "1")]
    assert [each.get("class") for each in having(root, "claim")] == ["claim part-0", "claim part-0", "claim part-1"]


def numbers(value):
    return [float(each) for each in re.findall(r"-?\d+(?:\.\d+)?", value)]


def drawn(picture):
    """Where shade, limits, interval and estimate lie in a picture, in pixels."""
    rect, circle = picture.find("rect"), picture.find("circle")
    side, *limits, interval = picture.findall("path")
    start, width = float(rect.get("x")), float(rect.get("width"))
    assert numbers(side.get("d"))[::2] == [start, start + width]
    low, _, high, *_ = numbers(interval.get("d"))
    return {
        "shade": (start, start + width),
        "limits": [numbers(limit.get("d"))[0] for limit in limits],
        "interval": (low, float(circle.get("cx")), high),
    }


# 120 pixels from the smallest number to the largest, after 20 on the left.
PICTURES = [
    ({"value": 0.4, "low": 0.2, "high": 0.6, "below": 0.8}, (0, 140), [140], (20, 60, 100), "below 0.8"),
    ({"value": 0.4, "low": 0.2, "high": 0.6, "above": 0.1}, (20, 160), [20], (44, 92, 140), "above 0.1"),
    ({"value": 5, "low": 4, "high": 6, "above": 2, "below": 5}, (20, 110), [20, 110], (80, 110, 140),
     "between 2 and 5"),
    ({"value": -1, "low": -3, "high": 1, "above": 0}, (110, 160), [110], (20, 80, 140), "above 0"),
    # A factor: from a tenth to a thousand there are four decades of 30 pixels.
    ({"value": 1, "low": 0.1, "high": 10, "below": 1000, "log": True}, (0, 140), [140], (20, 50, 80), "below 1000"),
    # Zero has no logarithm.
    ({"value": 0, "low": 0, "high": 3, "below": 6, "log": True}, (0, 140), [140], (20, 20, 80), "below 6"),
    ({"value": 0, "low": -1.7e308, "high": 1.7e308, "above": 0}, (80, 160), [80], (20, 80, 140), "above 0"),
    ({"value": 0, "low": 0, "high": 5e-324, "above": 0}, (80, 160), [80], (80, 80, 80), "above 0"),
    ({"value": 1, "low": 1, "high": 1, "above": 1}, (80, 160), [80], (80, 80, 80), "above 1"),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "shade", "limits", "interval", "wanted"), PICTURES)
def test_a_picture_shows_the_interval_against_its_limits(tmp_path, entry, shade, limits, interval, wanted):
    conditions = json.dumps([condition("rate 1", **entry)])
    root = read([row("a", conditions=conditions)], tmp_path)
    on_the_line, inside = having(having(root, "claim")[0], "interval")
    for picture in (on_the_line, inside):
        assert drawn(picture) == {"shade": shade, "limits": limits, "interval": interval}
        assert picture.get("viewbox") == "0 0 160 28"
        assert picture.get("aria-label") == f"rate 1, wanted {wanted}: met"


def test_what_is_counted_and_what_an_earlier_version_wrote_has_no_picture(tmp_path, published):
    rows = [row("a", conditions=json.dumps([condition("1 + 1 = 2")])), row("b", measured="rate 1 [0, 2]; params 3")]
    root = read(rows, tmp_path)
    assert [text(key) for key in having(root, "key")] == ["1 + 1 = 2", "rate 1 [0, 2] and 1 more"]
    for of in (root, published[1]):
        assert having(of, "claim")
        assert not [each for claim in having(of, "claim") for each in having(claim, "interval")]


def contrast(one, other):
    """The contrast of two colours by WCAG 2.2."""

    def luminance(color):
        channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def test_every_part_of_a_picture_can_be_told_from_its_ground_in_light_dark_and_print(tmp_path):
    html = write([row("a")], tmp_path).read_text("utf-8")
    blocks = re.findall(r":root \{(.*?)\}", html, re.DOTALL)
    colors = [dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block)) for block in blocks]
    assert ["shade" in each for each in colors] == [False] * 3 + [True] * 3
    for palette, own in zip(colors[:3], colors[3:], strict=True):
        for ground in (palette["paper"], own["shade"]):
            for ink in ("ink", "soft", "good", "bad"):
                assert contrast(palette[ink], ground) >= 3, (ink, ground)


SHAPED = {"value": 1, "low": 0, "high": 2, "above": 1}


@pytest.mark.parametrize(
    ("verdict", "said", "key"),
    [("refuted", [condition("a", True), condition("b", False), condition("c", False, **SHAPED)], "c"),
     ("holds", [condition("a"), condition("b", **SHAPED)], "b"),
     ("not decided", [condition("a", True, **SHAPED), condition("b", None)], "b"),
     ("not decided", [condition("a", None, **SHAPED), condition("b", False, control=True)], "control: b"),
     ("not decided", [condition("a", None), condition("b", True, control=True, **SHAPED)], "a"),
     ("holds if …", [condition("a", False, **SHAPED), condition("b", True)], "b")],
)  # fmt: skip
def test_the_line_shows_a_condition_that_speaks_for_the_verdict(tmp_path, verdict, said, key):
    root = read([row("a", verdict, conditions=json.dumps(said))], tmp_path)
    assert text(having(root, "key")[0]) == f"{key} and {len(said) - 1} more"
    shown = [each["said"] for each in said]
    told = [text(each) for each in having(root, "tests")[0].findall("li")]
    assert [line.removeprefix("control: ").partition(";")[0] for line in told] == shown
    words = {True: "met", False: "contradicted", None: "open"}
    assert [line.rpartition("; ")[2] for line in told] == [words[each["met"]] for each in said]


@pytest.mark.parametrize(
    ("written", "expected"),
    [("first_last_ratio 6.72e-17 [5.90e-17, 7.65e-17]", "first_last_ratio 6.72·10⁻¹⁷ [5.90·10⁻¹⁷, 7.65·10⁻¹⁷]"),
     ("0.25^10 = 9.536743e-07", "0.25^10 = 9.536743·10⁻⁷"),
     ("params -1.34e4 [-1.38e4, 2]", "params −1.34·10⁴ [−1.38·10⁴, 2]"),
     ("dead 0 [0, 0]; died 0.5", "dead 0; died 0.5"), ("dead 0 [0, 0.3]", "dead 0 [0, 0.3]"),
     ("dead 10 [0, 0]", "dead 10 [0, 0]"),
     ("1 + 2 - 3, 2-4 and x-5", "1 + 2 - 3, 2-4 and x-5"), ("see v1.2e3x and 1e5", "see v1.2e3x and 1·10⁵")],
)  # fmt: skip
def test_numbers_are_written_as_people_write_them(written, expected):
    assert page.typeset(written) == expected


def test_what_opens_says_everything(tmp_path):
    full = row(
        "a",
        "not decided",
        circumstances="too few seeds",
        source="measured here",
        measured="rate 1 [0, 2]",
        p=0.25,
        seconds=12.0,
        published="2 (A paper)",
        note="A note & <b>more</b>",
    )
    root = read([full], tmp_path)
    details = having(root, "claim")[0].find("details")
    told = {text(term): text(said) for term, said in zip(details.iter("dt"), details.iter("dd"), strict=True)}
    assert told == {
        "Slide": "1 Sums, A slide",
        "Why": "too few seeds",
        "Measured": "rate 1 [0, 2]",
        "Rests on": "what is measured here; n = 3; p = 0.25",
        "Published": "2 (A paper)",
        "Note": "A note & <b>more</b>",
        "Time": "12 s",
    }
    assert text(details.find(".//pre")) == full["command"]
    assert "too few seeds" not in text(details.find("summary"))
    root = read([full | {"verdict": "holds if …", "circumstances": "holds at 1; not at 2"}], tmp_path)
    assert "holds at 1; not at 2" in text(root.find(".//summary"))


def test_an_error_is_told_as_it_is_with_a_command_to_copy(tmp_path):
    why = "x is missing; dnnlab data get --lr -1e-5 brings it"
    for verdict in ("not run", "failed"):
        root = read([row("a", verdict, circumstances=why)], tmp_path)
        assert why in text(having(root, "more")[0])


def test_recipes_of_one_name_and_of_any_name_have_ids_of_their_own(tmp_path):
    rows = [row("x"), row("x"), row("Ж"), row("Щ"), row("a b#?")]
    root = read(rows, tmp_path)
    ids = [each.get("id") for each in having(root, "claim")]
    assert len(set(ids)) == 5
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", each) for each in ids)


@pytest.fixture
def runs(tmp_path):
    """Two runs with a figure each."""
    for name in ("one", "two"):
        with new_figure(6, 3) as (figure, (axes,)):
            axes.plot([1, 2], [1, 2])
            (tmp_path / "check" / f"{name} #1" / "figures").mkdir(parents=True)
            save(figure, tmp_path / "check" / f"{name} #1" / "figures" / "line")
        (tmp_path / "check" / f"{name} #1" / "report.html").touch()
    return tmp_path


def test_a_figure_that_two_claims_share_is_in_the_file_once(runs):
    names = ["one", "two", "one"]
    rows = [row(f"r{n}", run=f"check/{name} #1") for n, name in enumerate(names)]
    rows[0]["claim"] += "\a"  # no XML may hold it
    root = read(rows, runs)
    first, second, again = (each.find("svg") for each in having(root, "scroll"))
    assert all(any(part.tag == "path" for part in svg.iter()) for svg in (first, second))
    assert {part.tag for part in again.iter()} == {"svg", "title", "desc", "use"}
    body = {each.get("id"): each for each in first.iter()}
    assert [use.get("href")[1:] for use in again.iter("use")] == [each.get("id") for each in first.findall("g")]
    assert all(use.get("href")[1:] in body for use in again.iter("use"))
    assert again.get("viewbox") == first.get("viewbox")
    assert text(again.find("title")) == "Claim r2."
    assert INK not in write(rows, runs).read_text("utf-8")
    assert PAPER not in write(rows, runs).read_text("utf-8")


def test_a_run_whose_name_has_any_characters_is_linked(runs):
    from urllib.parse import unquote, urlsplit

    file = write([row("r", run="check/one #1")], runs)
    (link,) = [a.get("href") for a in Tree(file.read_text("utf-8")).root.iter("a") if a.get("href").startswith("..")]
    assert (file.parent / unquote(urlsplit(link).path)).resolve() == runs / "check" / "one #1" / "report.html"


@pytest.mark.parametrize(("largest", "most", "shown"), [(10**6, 10**6, 2), (100, 10**6, 0), (10**6, 100, 0)])
def test_a_figure_for_which_there_is_no_room_is_left_to_the_runs_own_page(runs, monkeypatch, largest, most, shown):
    monkeypatch.setattr(page, "_LARGEST", largest)
    monkeypatch.setattr(page, "_MOST", most)
    root = read([row(name, run=f"check/{name} #1") for name in ("one", "two")], runs)
    assert len(list(root.iter("figure"))) == shown
    links = [a.get("href") for a in root.iter("a") if a.get("href").startswith("..")]
    assert len(links) == 2


def test_figures_take_no_more_than_their_room(runs, monkeypatch):
    rows = [row(name, run=f"check/{name} #1") for name in ("one", "two")]
    one = ET.tostring(having(read(rows, runs), "scroll")[0].find("svg"))
    monkeypatch.setattr(page, "_MOST", math.ceil(1.5 * len(one)))
    assert len(list(read(rows, runs).iter("figure"))) == 1


def test_the_page_of_the_whole_lecture_is_under_two_megabytes(published, tmp_path):
    """With as many figures as there is room for, and a picture for every number."""
    shape = {"value": 1 / 3, "low": -1 / 3, "high": 2 / 3, "above": 1 / 7, "below": 1 / 6}
    rows = [
        each | {"conditions": json.dumps([condition(said, **shape) for said in each["measured"].split("; ")])}
        for each in published[0]
    ]
    file = write(rows, tmp_path)
    assert len(having(Tree(file.read_text("utf-8")).root, "interval")) > 400
    assert file.stat().st_size + page._MOST < 2_000_000


def test_nothing_is_fetched_and_nothing_runs(published, tmp_path):
    html = write(published[0], tmp_path).read_text("utf-8")
    assert not re.search(r"<script|https?://|@import|url\((?!#)|<img|<link", html)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html
    # What is closed is printed, too.
    assert re.search(r"@media print \{.*details::details-content \{ content-visibility: visible", html, re.DOTALL)
