"""What a browser shows: every kind of page, at three sizes, in light and dark, by pointer and by keyboard, on paper."""

import json
import math
import re
from pathlib import Path

import pytest
from scipy.integrate import quad

from .conftest import SITE, SIZES

LOOK = (Path(__file__).parent / "look.js").read_text("utf-8")
RUNS = ("gradient", "one", "own", "dead", "born", "costs", "search", "check")
KINDS = (*RUNS, "several", "ledger", *(f"site {name}" for name in SITE))


def look(page, size):
    return page.evaluate(LOOK, {"phone": size == "phone"})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_overlaps_is_cut_or_pale_and_nothing_is_requested(visit, folder, kind, size, scheme):
    page = visit(folder[kind], size, scheme)
    assert look(page, size) == []
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert look(page, size) == []


@pytest.mark.parametrize("kind", [*RUNS, "ledger"])
def test_without_script_all_is_there_to_read(visit, folder, kind):
    page = visit(folder[kind], java_script_enabled=False)
    assert page.locator("h1").inner_text()
    assert page.locator("button, input[type=range], input[type=search]").count() == 0
    assert page.locator("table tbody tr, article").count() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_on_paper_there_are_no_controls(visit, folder, kind):
    page = visit(folder[kind])
    page.emulate_media(media="print")
    assert page.locator("button:not(.sort):visible, input[type=range]:visible, input[type=search]:visible").count() == 0
    assert page.pdf()[:4] == b"%PDF"


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_small(folder, kind):
    assert folder[kind].stat().st_size < (2_000_000 if kind == "ledger" else 400_000)


def island(page, number=0):
    return json.loads(page.locator('script[type="application/json"]').nth(number).text_content())


def place(page, point, figure=0):
    """Where a point of a figure lies on the screen."""
    svg = page.locator(".drawing.wide svg, .drawing.any svg").nth(figure)
    box = svg.bounding_box()
    width = float(svg.get_attribute("viewBox").split()[2])
    return box["x"] + point[0] * box["width"] / width, box["y"] + point[1] * box["width"] / width


def test_a_point_says_its_value(visit, folder):
    page = visit(folder["one"])
    (panel,) = island(page)["panels"]
    (line,) = panel["lines"]
    assert len(line["at"]) == 20
    page.locator("figure").first.scroll_into_view_if_needed()
    for point in (line["at"][0], line["at"][-1]):
        x, y = place(page, point)
        page.mouse.move(x + 3, y + 3)
        tip = page.locator(".tip:visible")
        assert tip.count() == 1
        assert "sigmoid" in tip.inner_text()
        assert f"layer {point[2]}" in tip.inner_text()
        assert point[3] in tip.inner_text()
    page.mouse.move(2, 2)
    assert page.locator(".tip:visible").count() == 0


def test_points_are_reached_by_keys(visit, folder):
    page = visit(folder["gradient"])
    lines = island(page)["panels"][0]["lines"]
    page.keyboard.press("Tab")
    while page.evaluate("!document.activeElement.matches('.drawing')"):
        page.keyboard.press("Tab")
    tip = page.locator(".tip:visible")
    assert lines[0]["name"] in tip.inner_text()
    said = tip.inner_text()
    page.keyboard.press("ArrowRight")
    assert tip.inner_text() != said
    page.keyboard.press("ArrowDown")
    assert lines[1]["name"] in tip.inner_text()
    page.keyboard.press("Escape")
    assert page.locator(".tip:visible").count() == 0


def test_lines_are_hidden_and_shown(visit, folder):
    page = visit(folder["gradient"])
    figure = page.locator("figure").first
    known = island(page)
    first = known["panels"][0]["lines"][0]
    group = page.locator(f"[id='{known['prefix']}{first['id']}']")
    button = figure.get_by_role("button", name=first["name"], exact=True)
    assert group.is_visible()
    button.click()
    assert not group.is_visible()
    assert button.get_attribute("aria-pressed") == "false"
    button.press("Enter")
    assert group.is_visible()


def test_a_slider_shows_other_steps(visit, folder):
    page = visit(folder["gradient"])
    known = island(page)
    assert known["moments"][0] == known["shown"] == 0
    assert known["moments"][-1] == 10
    line = known["panels"][0]["lines"][0]
    path = page.locator(f"[id='{known['prefix']}{line['id']}'] > path")
    beside = page.locator(f"[id^='{known['prefix']}beside']")
    slider = page.locator("figure").first.get_by_role("slider")
    before, shown = (
        path.get_attribute("d"),
        beside.evaluate_all("all => all.filter(e => getComputedStyle(e).display !== 'none').length"),
    )
    assert shown > 0
    slider.focus()
    page.keyboard.press("End")
    drawn = [tuple(map(float, pair)) for pair in re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", path.get_attribute("d"))]
    assert drawn == [tuple(point[:2]) for point in line["along"][-1]]
    assert page.locator(".slider output").first.inner_text() == "10"
    assert beside.evaluate_all("all => all.filter(e => getComputedStyle(e).display !== 'none').length") == 0
    page.keyboard.press("Home")
    assert len(re.findall("[ML]", path.get_attribute("d"))) >= len(re.findall("[ML]", before)) - 1
    assert beside.evaluate_all("all => all.filter(e => getComputedStyle(e).display !== 'none').length") == shown


def column(page, heading):
    table = page.locator(".summary table").first
    headings = [text.split(" (")[0].strip(" ▲▼") for text in table.locator("thead th").all_inner_texts()]
    number = headings.index(heading) + 1
    return table, table.locator(f"tbody tr:visible td:nth-child({number})")


def test_a_table_is_sorted_by_its_values(visit, folder):
    page = visit(folder["gradient"])
    table, cells = column(page, "rate")

    def values():
        return cells.evaluate_all("all => all.map(e => Number(e.dataset.value))")

    before = values()
    heading = table.locator("thead th", has_text="rate").first
    heading.get_by_role("button").click()
    assert values() == sorted(before)
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").press("Enter")
    assert values() == sorted(before, reverse=True)


def test_a_table_is_filtered_by_words(visit, folder):
    page = visit(folder["gradient"])
    _, cells = column(page, "verdict")
    before = cells.all_inner_texts()
    word = before[0]
    page.get_by_role("searchbox").first.fill(word)
    assert cells.all_inner_texts() == [text for text in before if text == word]
    page.get_by_role("searchbox").first.fill("")
    assert cells.all_inner_texts() == before


def test_a_command_is_copied(visit, folder):
    page = visit(folder["one"], permissions=["clipboard-read", "clipboard-write"])
    button = page.locator(".advice").get_by_role("button", name="Copy")
    button.click()
    page.locator(".advice .copy", has_text=re.compile("Copied|Selected")).wait_for()
    copied = page.evaluate("navigator.clipboard.readText()") if button.count() == 0 else ""
    assert (copied or page.evaluate("getSelection().toString()")) == page.locator(".advice code").inner_text()


def test_every_control_is_reached_by_tab_and_seen(visit, folder):
    page = visit(folder["gradient"])
    wanted = page.evaluate(
        "[...document.querySelectorAll('button, input, a[href], summary, [tabindex]')]"
        ".filter(e => e.checkVisibility()).length"
    )
    reached = 0
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement !== document.body") and reached <= wanted:
        reached += 1
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        page.keyboard.press("Tab")
    assert reached == wanted


def model(page, **changes):
    """Sets the model that a reader can change, and gives what it says: the share a layer passes on."""
    controls = page.locator(".try")
    if not page.evaluate("document.querySelector('.try').open"):
        controls.locator("summary").click()
    for name, value in changes.items():
        if name == "act":
            controls.locator("select").select_option(value)
        else:
            place = ("weights", "bias", "layers").index(name)
            controls.locator("input[type=range]").nth(place).fill(str(value))
    said = controls.locator(".said").inner_text()
    share, unit = re.search(r"passes on ([\d.]+) (%|times) of", said).groups()
    return float(share) / (100 if unit == "%" else 1)


def expected(slope, act, weights, bias, layers, mean_square):
    """The factor a layer by the recursions of Poole 2016 and Schoenholz 2017, integrated by SciPy."""

    def mean(of):
        return quad(lambda z: of(z) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi), -10, 10, points=[0], limit=200)[0]

    q, logs = weights**2 * mean_square + bias**2, []
    for _ in range(layers - 1):
        root = math.sqrt(q)
        logs.append(0.5 * math.log(weights**2 * mean(lambda z, root=root: slope(root * z) ** 2)))
        q = weights**2 * mean(lambda z, root=root: act(root * z) ** 2) + bias**2
    return math.exp(sum(logs) / (layers - 1))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_the_model_of_a_network_is_that_of_theory(visit, folder):
    page = visit(folder["one"])
    start = island(page)["live"]
    assert (start["act"], start["layers"]) == ("sigmoid", 20)
    # PyTorch's initialisation: uniform of variance 1 / (3 fan_in), weights and biases.
    assert start["weights"] == pytest.approx(math.sqrt(1 / 3), abs=0.005)
    assert start["bias"] == pytest.approx(math.sqrt(1 / (3 * 64)), abs=0.005)
    wide = expected(
        lambda x: sigmoid(x) * (1 - sigmoid(x)), sigmoid, start["weights"], start["bias"], 20, start["input"]
    )
    assert model(page) == pytest.approx(wide, rel=0.01)
    # Half of the slopes of ReLU are 1, and of a linear layer all: closed forms.
    assert model(page, act="relu", weights=1, bias=0) == pytest.approx(math.sqrt(1 / 2), rel=0.01)
    assert model(page, act="relu", weights=2, bias=0.5, layers=8) == pytest.approx(math.sqrt(2), rel=0.01)
    assert model(page, act="linear", weights=0.9, bias=0.3) == pytest.approx(0.9, rel=0.01)
    deep = expected(lambda x: 1 / math.cosh(x) ** 2, math.tanh, 1.5, 0.2, 12, start["input"])
    assert model(page, act="tanh", weights=1.5, bias=0.2, layers=12) == pytest.approx(deep, rel=0.01)


def test_the_line_of_the_model_lies_on_that_of_the_measurement(visit, folder):
    """At the options of the run, a wide network's theory is near a measured one of 64 units."""
    page = visit(folder["one"])
    model(page)
    (line,) = island(page)["panels"][0]["lines"]
    path = page.locator(".drawing.wide .live").get_attribute("d")
    drawn = [tuple(map(float, pair)) for pair in re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", path)]
    assert len(drawn) == 20
    measured = [tuple(point[:2]) for point in line["at"]]
    assert all(abs(x - u) < 0.2 and abs(y - v) < 8 for (x, y), (u, v) in zip(drawn, measured, strict=True))
