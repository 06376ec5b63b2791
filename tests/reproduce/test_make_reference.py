"""What is published of a ledger, on a ledger made by hand."""

import json

import pandas as pd
import pytest

from dnnlab.reproduce.book import read_rows
from dnnlab.reproduce.columns import KEPT
from dnnlab.reproduce.ledger import table
from docs.make_reference import publish

CONDITIONS = json.dumps([{"said": "rate 0.5", "met": True, "when": "", "control": False}])


def row(recipe, run="gradient-flow/a-1", digest="d" * 16, **changes):
    fixed = {"part": "part", "recipe": recipe, "verdict": "holds", "p": 0.01, "n": 5, "seconds": 1.0, "run": run}
    return fixed | {"digest": digest, "conditions": CONDITIONS} | changes


@pytest.fixture
def ledger(tmp_path):
    """Writes a ledger of ``rows`` and the run that they name, and returns its folder."""

    def write(*rows, name="ledger-quick"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        table(rows, KEPT).to_csv(folder / "ledger.csv", index=False, lineterminator="\n")
        run = tmp_path / "gradient-flow" / "a-1"
        run.mkdir(parents=True, exist_ok=True)
        (run / "summary.csv").write_text("act,rate\nrelu,0.5\n")
        (run / "provenance.json").write_text(json.dumps({"versions": {"dnnlab": "1"}, "machine": {}, "key": "k"}))
        return folder

    return write


def test_conditions_tables_and_versions_are_published_of_what_was_run(ledger, tmp_path):
    reference = tmp_path / "reference" / "cpu-quick"
    publish([ledger(row("a"), row("b", run="", verdict="not run", conditions=""))], reference)
    (kept,) = read_rows(reference / "ledger.csv")
    assert (kept["recipe"], kept["conditions"]) == ("a", CONDITIONS)
    assert [each["recipe"] for each in json.loads((reference / "ledger.json").read_text())] == ["a"]
    assert (reference / "part" / "a.csv").read_text() == "act,rate\nrelu,0.5\n"
    assert json.loads((reference / "provenance.json").read_text()) == {"versions": {"dnnlab": "1"}, "machine": {}}


def test_claims_that_were_not_measured_again_stay_and_chance_is_counted_over_all(ledger, tmp_path):
    reference = tmp_path / "cpu-quick"
    publish([ledger(row("a"), row("b", p=0.04))], reference)
    publish([ledger(row("b", p=0.03))], reference)
    first, second = read_rows(reference / "ledger.csv")
    assert (first["p"], second["p"]) == (0.01, 0.03)
    # Benjamini and Hochberg: .01 · 2 / 1, and .03 · 2 / 2.
    assert (first["false_discovery"], second["false_discovery"]) == pytest.approx((0.02, 0.03))


def test_what_other_seeds_said_of_a_claim_is_dropped_when_another_claim_is_asked(ledger, tmp_path):
    reference = tmp_path / "cpu-quick"
    publish([ledger(row("a"), row("b")), ledger(row("a"), row("b"), name="ledger-quick-seed-7")], reference)
    publish([ledger(row("a", digest="e" * 16))], reference)
    others = pd.read_csv(reference / "other-seeds.csv")
    assert others[["seed", "recipe"]].values.tolist() == [[7, "b"]]
