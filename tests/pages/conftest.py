"""A real browser for the pages. These tests need Playwright and Chromium: ``make test-pages`` sets them up."""

import os
import shutil
from pathlib import Path

import pytest

WANTED = "DNNLAB_BROWSER"
"""Where this is set, a missing browser is a failure; otherwise these tests are skipped without one."""

SITE = {
    "start": "index.html", "first steps": "docs/first-steps.html", "an experiment": "docs/compress.html",
    "API": "docs/api.html", "columns": "docs/columns/nas.html", "glossary": "docs/glossary.html",
}  # fmt: skip
"""Pages of the documentation, of every kind."""

SIZES = {"wide": (1280, 800), "tablet": (768, 1024), "phone": (400, 800)}


def _absent(what):
    if os.environ.get(WANTED):
        pytest.fail(f"{what} is not here")
    pytest.skip(f"{what} is not here: make test-pages needs it")


@pytest.fixture(scope="session")
def browser():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _absent("playwright")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        _absent("Chromium")
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def visit(browser):
    """Opens a page at a size and in a colour scheme. Whatever it requests or complains of fails the test."""
    contexts, wrong = [], []

    def opened(file, size="wide", scheme="light", **options):
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        here = file.resolve().as_uri()
        page.on("request", lambda request: request.url == here or wrong.append(f"requests {request.url}"))
        page.on("console", lambda message: wrong.append(f"says {message.text}"))
        page.on("pageerror", lambda error: wrong.append(f"fails: {error}"))
        page.goto(here)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Pages of every kind, each made by the program from a small run: their files by name."""
    import dnnlab
    from dnnlab.reproduce import page
    from dnnlab.reproduce.book import read_rows
    from dnnlab.runner.page import write_together
    from docs import make_site

    root = tmp_path_factory.mktemp("pages")
    runs = {
        "gradient": dnnlab.gradient_flow(
            act=["sigmoid", "relu", "tanh"], init=["torch", "he"], depth=[6, 12], steps=10, seeds=3, out=root
        ),
        "one": dnnlab.gradient_flow(act="sigmoid", depth=20, seeds=3, out=root),
        "own": dnnlab.gradient_flow(arch="resnet20", data="digits", seeds=3, out=root),
        "dead": dnnlab.dead_relu(lr=1.0, init="xavier", steps=30, remedies=True, seeds=3, out=root),
        "born": dnnlab.dead_relu(born=True, width=[2, 3, 4], nets=200, out=root),
        "costs": dnnlab.compare_arch(
            arch=["mlp3", "lenet300", "resnet20:width=0.25"], budget="epochs=1", seeds=3, out=root
        ),
        "search": dnnlab.nas(strategy=["random", "evolution"], budget="12", seeds=3, out=root),
        "check": dnnlab.check(statement=["slope(relu, 2) = 1", "params(resnet50) < params(resnet34)"], out=root),
    }
    files = {name: Path(run.page) for name, run in runs.items()}
    files["several"] = root / "several.html"
    write_together(files["several"], [runs[name] for name in ("gradient", "dead", "costs", "search", "check")])
    published = read_rows(Path(__file__).parents[2] / "results/reference/cpu-quick/ledger.csv")
    files["ledger"] = root / "ledger" / "ledger.html"
    files["ledger"].parent.mkdir()
    page.write(files["ledger"], "Ledger", published, "quick", {"version": "0"})
    site = root / "site"
    make_site.write(site)
    files |= {f"site {name}": site / path for name, path in SITE.items()}
    return files
