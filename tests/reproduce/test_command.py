"""``dnnlab reproduce``, ``init`` and the ledger, as a user meets them."""

import io
import json
import re
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from dnnlab.reproduce import command, ledger, shipped
from dnnlab.reproduce.columns import KEPT
from dnnlab.runner import recipe

CLAIMS = {
    "1-sums/right": ("1 + 1 = 2", "holds"),
    "1-sums/wrong": ("1 + 1 = 3", "refuted"),
    "2-counts/resnets": ("params(resnet50) < params(resnet34)", "refuted"),
}


@pytest.fixture
def recipes(tmp_path):
    for name, (statement, _) in CLAIMS.items():
        file = tmp_path / "claims" / f"{name}.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            f'experiment = "check"\n[options]\nstatement = ["{statement}"]\n[claim]\ntext = "It is <b>said</b> that '
            f'{statement}."\nslide = "A slide"\n[[claim.holds]]\nmetric = "verdict"\nis = "holds"\n'
        )
    (tmp_path / "claims" / "2-counts" / "picture.toml").write_text(
        'experiment = "check"\n[options]\nstatement = ["1=1"]\n'
    )
    return tmp_path / "claims"


def test_the_ledger_has_a_row_a_claim_and_a_page(dnnlab, recipes, tmp_path):
    done = dnnlab("reproduce", "claims")
    assert done.code == 0, done.err
    ledger = pd.read_csv(tmp_path / "results" / "ledger-own-quick" / "ledger.csv")
    assert list(ledger) == [column.name for column in KEPT]
    found = {f"{row['part']}/{row['recipe']}": row["verdict"] for row in ledger.to_dict("records")}
    assert found == {name: verdict for name, (_, verdict) in CLAIMS.items()}
    assert "25,557,032" in ledger["measured"].iloc[2]
    page = (tmp_path / "results" / "ledger-own-quick" / "ledger.html").read_text()
    assert page.count('<article class="claim') == 3
    assert "<b>said" not in page
    assert "3 claims" in page
    assert not re.search(r"(src|href)=\"(https?:)?//|<script|url\(http", page)
    for link in re.findall(r'href="(\.\.[^"]*)"', page):
        assert (tmp_path / "results" / "ledger-own-quick" / link).exists()
    again = dnnlab("reproduce", "claims", "--json")
    assert [row["verdict"] for row in json.loads(again.out)["summary"]] == list(ledger["verdict"])


def test_a_ledger_keeps_the_claims_that_were_not_asked_for_again(dnnlab, recipes, tmp_path):
    assert dnnlab("reproduce", "claims").code == 0
    assert dnnlab("reproduce", "claims/1-sums/right.toml").code == 0
    ledger = pd.read_csv(tmp_path / "results" / "ledger-own-quick" / "ledger.csv")
    assert list(ledger["part"] + "/" + ledger["recipe"]) == sorted(CLAIMS)
    page = (tmp_path / "results" / "ledger-own-quick" / "ledger.html").read_text()
    assert page.count('<article class="claim') == 3


def test_a_dry_run_lists_and_measures_nothing(dnnlab, recipes, tmp_path):
    assert dnnlab("reproduce", "claims/1-sums/right.toml").code == 0
    done = dnnlab("reproduce", "claims", "--dry-run")
    assert done.code == 0, done.err
    *claims, total = done.out.splitlines()
    assert [line.split(", ")[-1] for line in claims] == ["finished", "to be measured", "to be measured"]
    assert total == "3 claims on 3 runs, 1 of them finished"
    assert len(list((tmp_path / "results" / "check").iterdir())) == 1


def test_another_folder_called_experiments_is_not_the_lectures(dnnlab, recipes, tmp_path):
    recipes.rename(tmp_path / "experiments")
    done = dnnlab("reproduce", "--dry-run")
    assert done.code == 0, done.err
    assert "1-sums" not in done.out
    assert not shipped.is_shipped(tmp_path / "experiments" / "1-sums" / "right.toml")


COUNTS = "experiments/3-architectures/01-resnet-parameters.toml"


def test_the_lectures_recipes_have_the_same_name_in_every_folder(dnnlab, tmp_path):
    done = dnnlab("reproduce", COUNTS, "experiments/2-activation-functions/01-relu-half-zero.toml", "--dry-run")
    assert done.code == 0, done.err
    first, second, _ = done.out.splitlines()
    assert first.startswith("3-architectures/01-resnet-parameters: check, ")
    assert second.startswith("2-activation-functions/01-relu-half-zero: ")
    assert dnnlab("reproduce", COUNTS, "--quiet").code == 0
    assert (tmp_path / "results" / "ledger-quick" / "ledger.csv").is_file(), "it is no recipe of the user's own"
    assert "5 cells" in dnnlab("run", COUNTS, "--dry-run").out


def test_a_recipe_that_is_there_wins_over_the_lectures_of_the_same_name(dnnlab, recipes, tmp_path):
    own = tmp_path / COUNTS
    own.parent.mkdir(parents=True)
    own.write_text((recipes / "1-sums" / "wrong.toml").read_text())
    done = dnnlab("reproduce", COUNTS, "--json")
    (row,) = json.loads(done.out)["summary"]
    assert "1 + 1 = 3" in row["claim"]


@pytest.mark.parametrize(
    "path", ["experiments/5-nothing", "experiments/../pyproject.toml", "elsewhere/1-deep-networks"]
)
def test_other_paths_that_are_not_there_are_refused(dnnlab, path):
    for word in ("reproduce", "run"):
        done = dnnlab(word, path)
        assert done.code == 2
        assert path in done.err


def test_the_demo_is_the_lectures_wherever_it_is_run(dnnlab, recipes, tmp_path):
    misleading = tmp_path / "experiments" / shipped.DEMO
    misleading.parent.mkdir(parents=True)
    misleading.write_text((recipes / "1-sums" / "wrong.toml").read_text())
    done = dnnlab("demo", "--dry-run", "--json", "--out", "first")
    assert done.code == 0, done.err
    plan = json.loads(done.out)
    assert plan["cells"] == 2 * 2 * 2 * 5
    assert plan["folder"].startswith("first/gradient-flow/")


REFERENCE = Path(__file__).parents[2] / "results" / "reference" / "cpu-quick"


def test_the_published_verdicts_are_shown_as_they_are_and_nothing_is_run(dnnlab, tmp_path):
    kept = json.loads((REFERENCE / "ledger.json").read_text(encoding="utf-8"))
    done = dnnlab("reproduce", "--published", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out) == {"ledger": str(REFERENCE), "summary": kept}
    machine = json.loads((REFERENCE / "provenance.json").read_text(encoding="utf-8"))
    assert f"on {machine['machine']['platform']}; nothing is run here" in done.err
    part = dnnlab("reproduce", "experiments/4-compression", "--published")
    assert part.code == 0, part.err
    rows = [row for row in kept if row["part"] == "4-compression"]
    tally = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in {row["verdict"] for row in rows}}
    assert all(f"{count} {verdict}" in part.out for verdict, count in tally.items())
    assert "3-architectures" not in part.out
    assert part.err.splitlines()[-1] == f"ledger: {REFERENCE / 'ledger.json'}"
    assert not (tmp_path / "results").exists()


def test_a_verdict_is_not_shown_for_a_recipe_that_asks_something_else(dnnlab, tmp_path):
    part = tmp_path / "experiments" / "3-architectures"
    part.mkdir(parents=True)
    for name in ("01-resnet-parameters", "02-resnet-layers"):
        shutil.copy(REFERENCE.parents[2] / "experiments" / "3-architectures" / f"{name}.toml", part)
    file = part / "01-resnet-parameters.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("= 25.6", "= 25.7"), encoding="utf-8")
    assert file.read_text(encoding="utf-8") != text
    both = dnnlab("reproduce", "experiments/3-architectures", "--published", "--json")
    assert [row["recipe"] for row in json.loads(both.out)["summary"]] == ["02-resnet-layers"]
    assert "1 of 2 claims have no published verdict, or ask something else" in both.err
    changed = dnnlab("reproduce", "experiments/3-architectures/01-resnet-parameters.toml", "--published")
    assert changed.code == 2
    assert "no verdict on these claims was published" in changed.err


def test_the_published_verdicts_of_another_profile_are_of_the_claims_that_ask_something_else_there(dnnlab):
    done = dnnlab("reproduce", "--published", "--profile", "full", "--json")
    assert done.code == 0, done.err
    kept = json.loads((REFERENCE.parent / "cpu-full" / "ledger.json").read_text(encoding="utf-8"))
    assert json.loads(done.out)["summary"] == kept
    assert "ask the same as under quick are in the ledger of quick" in done.err


@pytest.mark.parametrize("more", [["--seed", 3], ["--dry-run"], ["--out", "elsewhere"]])
def test_what_is_published_was_measured_already(dnnlab, more):
    done = dnnlab("reproduce", "--published", *more)
    assert done.code == 2
    assert "--published runs nothing" in done.err


def test_a_profile_without_a_published_ledger_is_refused(dnnlab, monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "_REFERENCES", (tmp_path, REFERENCE.parent / "nowhere"))
    done = dnnlab("reproduce", "--published", "--profile", "full")
    assert done.code == 2
    assert "no ledger of the profile full was published" in done.err


def test_a_failure_is_a_row_and_the_rest_goes_on(dnnlab, recipes):
    bad = recipes / "1-sums" / "nowhere.toml"
    bad.write_text((recipes / "1-sums" / "right.toml").read_text() + 'where = { statement = "2=2" }\n')
    done = dnnlab("reproduce", "claims", "--json")
    assert done.code == 1
    verdicts = {row["recipe"]: row["verdict"] for row in json.loads(done.out)["summary"]}
    assert verdicts == {"nowhere": "failed", "right": "holds", "wrong": "refuted", "resnets": "refuted"}
    assert "no row with statement = 2=2" in done.err


def test_what_needs_data_that_are_not_there_is_not_run(dnnlab, tmp_path, monkeypatch):
    monkeypatch.setenv("DNNLAB_DATA", str(tmp_path / "nothing"))
    claim = '[claim]\ntext = "It is {0}."\nslide = "A slide"\n[[claim.holds]]\nmetric = "{0}"\nabove = 0\n'
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "1.toml").write_text(
        'experiment = "compare-arch"\n[options]\narch = "mlp1"\ndata = "mnist"\n' + claim.format("accuracy")
    )
    (tmp_path / "claims" / "2.toml").write_text(
        'experiment = "nas"\n[options]\nspace = "cell"\nbudget = "9"\ntable = "none.csv"\n' + claim.format("test")
    )
    done = dnnlab("reproduce", "claims", "--json")
    assert done.code == 0
    rows = json.loads(done.out)["summary"]
    assert [row["verdict"] for row in rows] == ["not run", "not run"]
    assert "dnnlab data get mnist" in rows[0]["circumstances"]
    assert "none.csv is missing; give the path of a CSV file" in rows[1]["circumstances"]
    assert "is missing" in done.err
    dry = dnnlab("reproduce", "claims", "--dry-run")
    assert dry.code == 0, dry.err
    assert dry.out.splitlines()[-1] == "2 claims on 0 runs, 0 of them finished; 2 claims cannot be run here"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("nowhere",), "there is no recipe nowhere"), (("claims/2-counts/picture.toml",), "states a claim"),
     (("claims", "--profile", "slow"), "known are quick and full"), (("claims", "--seed", "-1"), "--seed")],
)  # fmt: skip
def test_what_cannot_be_run_is_refused(dnnlab, recipes, arguments, message):
    done = dnnlab("reproduce", *arguments)
    assert done.code == 2
    assert message in done.err


def test_init_writes_a_recipe_that_holds(dnnlab):
    assert dnnlab("init", "mine.toml").code == 0
    assert dnnlab("init", "mine.toml").code == 2  # nothing is overwritten
    done = dnnlab("reproduce", "mine.toml", "--json", "--seed", 7)
    assert done.code == 0, done.err
    (row,) = json.loads(done.out)["summary"]
    assert (row["verdict"], row["n"]) == ("holds", 5)
    assert row["command"].endswith("--seed 7")


def test_a_recipe_runs_under_a_profile(dnnlab, tmp_path):
    (tmp_path / "r.toml").write_text(
        'experiment = "gradient-flow"\n[options]\ndepth = 3\nwidth = 4\nseeds = 1\n[full]\nseeds = 2\n'
    )
    rows = [
        json.loads(dnnlab("run", "r.toml", *more, "--json").out)["summary"][0] for more in ((), ("--profile", "full"))
    ]
    assert [row["seeds"] for row in rows] == [1, 2]


def test_the_lectures_recipes_are_found_and_read():
    claims = [recipe.read(file).claim for file in shipped.recipes_of(Path(__file__).parents[2] / "experiments")]
    assert len([claim for claim in claims if claim is not None]) > 60
    assert len({claim.text for claim in claims if claim is not None}) == len([c for c in claims if c is not None])


def test_the_lectures_recipes_take_other_seeds():
    """Those that draw anything, that is; the others stay as they are."""
    folder = Path(__file__).parents[2] / "experiments"
    own, other = (ledger.tasks([folder], "quick", seed) for seed in (None, 1000))
    moved, same = [], []
    for before, after in zip(own, other, strict=True):
        (same if before.spec == after.spec else moved).append(before)
    assert {task.recipe.experiment for task in moved} == {
        "gradient-flow",
        "dead-relu",
        "compare-arch",
        "compress",
        "nas",
    }
    assert all(task.spec.seed for task in moved)
    assert all(task.recipe.experiment == "check" or task.spec.block for task in same)


def test_claims_on_the_same_run_share_its_seeds():
    tasks = ledger.tasks([Path(__file__).parents[2] / "experiments"], "quick", None)
    by_run = {}
    for task in tasks:
        asked = json.dumps([task.part, task.recipe.experiment, task.recipe.options_for("quick")])
        by_run.setdefault(asked, set()).add(repr(task.spec))
    assert all(len(specs) == 1 for specs in by_run.values())


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_has_the_reasons_of_verdicts_below_the_table(terminal, monkeypatch):
    """At 80 columns there is no room for them in the table, and *holds if …* without its if says little."""
    file = REFERENCE / "ledger.json"
    rows = [row for row in json.loads(file.read_text("utf-8")) if row["part"].startswith("2-")]
    printed = io.StringIO()
    printed.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stdout", printed)
    command.display(rows, file, as_json=False, quiet=True)
    lines = printed.getvalue()
    told = [row for row in rows if row["circumstances"]]
    assert len(told) > 12
    first = next(row for row in told if row["verdict"] == "holds if …")
    flat = " ".join(lines.split())
    assert (f"{first['recipe']}: {first['circumstances']}" in flat) == terminal
    assert (f"When, or why, of {len(told) - 12} more is in the ledger." in flat) == terminal
