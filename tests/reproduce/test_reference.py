"""The published ledger is that of the recipes that are shipped: no recipe without a row, no row without a recipe."""

from pathlib import Path

import pandas as pd
import pytest

from dnnlab.registry import find
from dnnlab.report.table import read_csv
from dnnlab.reproduce import shipped
from dnnlab.reproduce.bases import Bases
from dnnlab.reproduce.columns import LEDGER, TONES
from dnnlab.runner import recipe
from dnnlab.runner.options import build

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results" / "reference"


@pytest.fixture(scope="module", params=["quick", "full"])
def profile(request):
    return request.param


@pytest.fixture(scope="module")
def ledger(profile):
    return read_csv(REFERENCE / f"cpu-{profile}" / "ledger.csv", LEDGER)


def with_claims():
    read = {file: recipe.read(file) for file in shipped.recipes_of(ROOT / "experiments")}
    return {f"{file.parent.name}/{file.stem}": each for file, each in read.items() if each.claim is not None}


@pytest.fixture(scope="module")
def claims(profile):
    """The recipes whose claims are published: under *full* those that ask something else than under *quick*, and that
    need no GPU."""
    return {
        name: each
        for name, each in with_claims().items()
        if profile == "quick" or ("full" in each.profiles and each.options_for("full").get("device") != "cuda")
    }


def test_every_claim_has_a_row_and_every_row_a_claim(ledger, claims):
    assert list(ledger["part"] + "/" + ledger["recipe"]) == sorted(claims)


def test_each_row_says_what_its_recipe_says(ledger, claims, profile):
    for row in ledger.to_dict("records"):
        claim = claims[f"{row['part']}/{row['recipe']}"].claim_for(profile)
        assert (row["claim"], row["slide"], row["published"], row["note"]) == (
            claim.text,
            claim.slide,
            claim.published,
            claim.note,
        )


def test_each_row_was_measured_on_seeds_of_the_recipe_as_it_stands(ledger, claims, profile):
    """Whoever changes a condition after the numbers were seen has to measure anew, on other seeds."""
    bases = Bases(profile, None)
    for row in ledger.to_dict("records"):
        assert bases.digest(claims[f"{row['part']}/{row['recipe']}"]).startswith(row["digest"])
        assert len(row["digest"]) == 16


def test_no_claim_failed_and_none_says_where_it_was_measured(ledger):
    assert set(ledger["verdict"]) <= set(TONES) - {"failed"}
    assert ledger["measured"].str.len().min() > 0
    assert not ledger["run"].str.startswith("/").any()


def test_each_table_is_of_the_recipes_own_options(ledger, claims, profile):
    """The columns are those of its question, and every row that the claim looks at is there."""
    for row in ledger.to_dict("records"):
        own = claims[f"{row['part']}/{row['recipe']}"]
        table = pd.read_csv(REFERENCE / f"cpu-{profile}" / row["part"] / f"{row['recipe']}.csv")
        experiment = find(own.experiment)
        spec = build(experiment.spec.Spec, own.options_for(profile))
        assert list(table) == [column.name for column in spec.question.schema.summary]
        claim = own.claim_for(profile)
        for condition in (*claim.holds, *claim.control):
            assert condition.metric in table
            names = [name for name in condition.where if name in table]
            fitting = table[
                [all(str(line[n]) == str(condition.where[n]) for n in names) for line in table.to_dict("records")]
            ]
            assert len(fitting), f"{row['recipe']} has no row {condition.where}"


@pytest.fixture(scope="module")
def others():
    return pd.read_csv(REFERENCE / "cpu-quick" / "other-seeds.csv", keep_default_na=False)


def test_other_seeds_are_of_the_recipes_as_they_stand(others):
    claims = with_claims()
    for seed, rows in others.groupby("seed"):
        assert sorted(rows["part"] + "/" + rows["recipe"]) == sorted(claims)
        bases = Bases("quick", int(seed))
        for row in rows.to_dict("records"):
            assert bases.digest(claims[f"{row['part']}/{row['recipe']}"]).startswith(row["digest"])


def test_the_page_on_verdicts_counts_what_other_seeds_said(others):
    """The table in docs/verdicts.md: how many verdicts are the same, are open in one of the two, or contradict."""
    ledger = read_csv(REFERENCE / "cpu-quick" / "ledger.csv", LEDGER)
    both = others.merge(ledger[["part", "recipe", "verdict"]], on=["part", "recipe"], suffixes=("", "_published"))
    text = (ROOT / "docs" / "verdicts.md").read_text()
    for seed, rows in both.groupby("seed"):
        pairs = [frozenset(pair) for pair in zip(rows["verdict"], rows["verdict_published"], strict=True)]
        same = sum(len(pair) == 1 for pair in pairs)
        open_ = sum(len(pair) == 2 and "not decided" in pair for pair in pairs)
        against = sum(pair == {"holds", "refuted"} for pair in pairs)
        assert f"| {seed} | {same} | {open_} | {len(pairs) - same - open_ - against} | {against} |" in text


def test_the_page_on_verdicts_says_what_more_data_and_seeds_say():
    """The table in docs/verdicts.md of the claims that were measured under both profiles."""
    quick, full = (read_csv(REFERENCE / f"cpu-{name}" / "ledger.csv", LEDGER) for name in ("quick", "full"))
    both = full.merge(quick[["part", "recipe", "verdict"]], on=["part", "recipe"], suffixes=("", "_quick"))
    text = (ROOT / "docs" / "verdicts.md").read_text()
    for row in both.to_dict("records"):
        name = f"{row['part'].partition('-')[0]}/{row['recipe']}"
        assert f"| `{name}` | {row['verdict_quick']} | {row['verdict']} |" in text
