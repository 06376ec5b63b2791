"""The published ledger is that of the recipes that are shipped: no recipe without a row, no row without a recipe."""

from pathlib import Path

import pandas as pd
import pytest

from dnnlab.registry import find
from dnnlab.report.table import read_csv
from dnnlab.reproduce import conditions, shipped
from dnnlab.reproduce.bases import Bases
from dnnlab.reproduce.columns import KEPT, TONES
from dnnlab.runner import recipe
from dnnlab.runner.options import build

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results" / "reference"


PUBLISHED = [name for name in ("quick", "full") if (REFERENCE / f"cpu-{name}").is_dir()]
assert "quick" in PUBLISHED


@pytest.fixture(scope="module", params=PUBLISHED)
def profile(request):
    return request.param


@pytest.fixture(scope="module")
def ledger(profile):
    return read_csv(REFERENCE / f"cpu-{profile}" / "ledger.csv", KEPT)


def with_claims():
    read = {file: recipe.read(file) for file in shipped.recipes_of(ROOT / "experiments")}
    return {f"{file.parent.name}/{file.stem}": each for file, each in read.items() if each.claim is not None}


@pytest.fixture(scope="module")
def claims(profile):
    """The recipes whose claims are published: under *full* those that ask something else than under *quick*, and that
    need no GPU."""

    def asks(each, profile):
        return each.options_for(profile), each.claim_for(profile)

    return {
        name: each
        for name, each in with_claims().items()
        if profile == "quick"
        or (asks(each, "quick") != asks(each, "full") and each.options_for("full").get("device") != "cuda")
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


def test_each_row_keeps_what_its_conditions_came_to(ledger, claims, profile):
    for row in ledger.to_dict("records"):
        claim = claims[f"{row['part']}/{row['recipe']}"].claim_for(profile)
        kept = conditions.read(row["conditions"])
        assert {each.control for each in kept} == {False} | ({True} if claim.control else set())
        assert {each.when for each in kept if not each.control} == {each.when for each in claim.holds}


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


def test_the_pages_count_what_other_seeds_said(others):
    """docs/verdicts.md: how many verdicts are the same, are open in one of the two, or contradict. README.md: of how
    many that need measurement the verdict is the same under all seeds."""
    ledger = read_csv(REFERENCE / "cpu-quick" / "ledger.csv", KEPT).fillna({"circumstances": "", "source": ""})
    published = ledger[["part", "recipe", "verdict", "circumstances"]]
    both = others.merge(published, on=["part", "recipe"], suffixes=("", "_published"))
    text, same = (ROOT / "docs" / "verdicts.md").read_text(), []
    for seed, rows in both.groupby("seed"):
        kinds = [kind(*row) for row in rows[["verdict", "verdict_published", *SAID]].itertuples(index=False)]
        counts = [kinds.count(name) for name in ("same", "open", "otherwise", "opposite")]
        assert f"| {seed} | " + " | ".join(map(str, counts)) + " |" in text
        same.append({row.recipe for row, name in zip(rows.itertuples(), kinds, strict=True) if name == "same"})
    # What was measured and left open has no source.
    measured = set(ledger[ledger["source"].str.contains("measured") | (ledger["source"] == "")]["recipe"])
    always = len(measured.intersection(*same))
    assert f"Of the {len(measured)} claims that need measurement, {always} say the same" in text
    readme = (ROOT / "README.md").read_text()
    assert f"{len(measured)} of them need measurement" in readme
    assert f"{always} say the same all four times" in readme


SAID = ("circumstances", "circumstances_published")


def kind(verdict, published, said, then):
    """How a verdict stands to the published one. When a claim holds that does not always hold belongs to what it
    says."""
    if verdict == published:
        return "same" if said == then or verdict != "holds if …" else "otherwise"
    if "not decided" in (verdict, published):
        return "open"
    return "opposite" if {verdict, published} == {"holds", "refuted"} else "otherwise"


@pytest.mark.skipif("full" not in PUBLISHED, reason="the ledger of the profile full is not published yet")
def test_the_page_on_verdicts_says_what_more_data_and_seeds_say():
    """The table in docs/verdicts.md of the claims that were measured under both profiles."""
    quick, full = (read_csv(REFERENCE / f"cpu-{name}" / "ledger.csv", KEPT) for name in ("quick", "full"))
    both = full.merge(quick[["part", "recipe", "verdict"]], on=["part", "recipe"], suffixes=("", "_quick"))
    text = (ROOT / "docs" / "verdicts.md").read_text()
    for row in both.to_dict("records"):
        name = f"{row['part'].partition('-')[0]}/{row['recipe']}"
        assert f"| `{name}` | {row['verdict_quick']} | {row['verdict']} |" in text
