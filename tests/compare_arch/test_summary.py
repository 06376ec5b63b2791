"""Ranks, fronts and verdicts on made-up accuracies whose answers are known."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dnnlab.compare_arch.blocks import summary as blocks
from dnnlab.compare_arch.blocks.modules import make
from dnnlab.compare_arch.blocks.plan import COMPARISONS
from dnnlab.compare_arch.blocks.words import conclusions as block_conclusions
from dnnlab.compare_arch.blocks.words import headline as block_headline
from dnnlab.compare_arch.equal_budget import columns as c
from dnnlab.compare_arch.equal_budget.summary import summarise
from dnnlab.compare_arch.equal_budget.words import conclusions
from dnnlab.compare_arch.separability import columns as layers
from dnnlab.compare_arch.separability import summary as separability
from dnnlab.compare_arch.separability import words as separability_words
from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.transfer import columns as treatments
from dnnlab.compare_arch.transfer import figures as transfer_figures
from dnnlab.compare_arch.transfer import summary as transfer
from dnnlab.instruments.cost import count
from dnnlab.report.table import fit

SPEC = Spec(arch=("resnet20", "plain20", "mlp1"))


def cells(accuracies, costs):
    rows = []
    for cell in SPEC.plan():
        named = {name: getattr(cell, name) for name in cell.__dataclass_fields__} | {"part": cell.part, "error": ""}
        if cell.part == "cost":
            macs, latency = costs[cell.arch]
            numbers = dict.fromkeys(("params", "macs", "training_macs"), macs)
            rows.append(named | numbers | {"latency_ms": latency, "throughput": 1e3 / latency, "noisy": 0.0})
        else:
            accuracy = accuracies[cell.arch][cell.seed]
            rows.append(named | {"accuracy": accuracy, "outcome": "", "loss": 1.0, "step": 10, "seconds": 1.0})
    frame = pd.DataFrame(rows)
    return fit(frame, c.CELLS)


COSTS = {"resnet20": (100, 4.0), "plain20": (100, 3.0), "mlp1": (10, 5.0)}


def test_ranks_fronts_and_verdicts():
    good, bad = [0.90, 0.91, 0.92, 0.91, 0.90], [0.70, 0.72, 0.71, 0.69, 0.70]
    table = summarise(cells({"resnet20": good, "plain20": bad, "mlp1": bad}, COSTS), SPEC)
    assert list(table["verdict"]) == [c.REFERENCE, c.WORSE, c.WORSE]
    assert list(table["rank"]) == [1, 2, 2]
    assert list(table["rank_lo"]) == [1, 2, 2]
    assert list(table["rank_hi"]) == [1, 3, 3]
    # The residual net is the best; the plain one is quicker, the other has the fewest MACs and parameters.
    assert list(table["front"]) == ["params, MACs, latency", "latency", "params, MACs"]
    assert list(table["superiority"].dropna()) == [0.0, 0.0]
    assert table["difference"].iloc[1] == pytest.approx(-0.204)
    assert list(table["time_over_macs"]) == pytest.approx([1.0, 0.75, 12.5])


def test_noise_decides_nothing():
    table = summarise(
        cells({"resnet20": [0.9, 0.8, 0.7, 0.9, 0.82], "plain20": [0.7, 0.9, 0.8, 0.8, 0.9], "mlp1": [0.8] * 5}, COSTS),
        SPEC,
    )
    assert list(table["verdict"]) == [c.REFERENCE, c.SAME, c.SAME]
    (sentence, *_) = conclusions(table, SPEC)
    assert "has the highest accuracy, but is not shown to be ahead of all others" in sentence
    assert list(table["rank_lo"]) == [1, 1, 1]
    assert list(table["rank_hi"]) == [3, 3, 3]


PUBLISHED_WEIGHTS = {
    ("residual block, 56 px", "basic, 64 channels"): 73_728,
    ("residual block, 56 px", "bottleneck, 256-64-256"): 69_632,
    ("residual block, 256 channels, 14 px", "basic"): 1_179_648,
    ("convolution, 64 to 128 channels, 56 px", "standard"): 73_728,
    ("convolution, 64 to 128 channels, 56 px", "depthwise separable"): 8_768,
}


@pytest.mark.parametrize(("place", "weights"), PUBLISHED_WEIGHTS.items())
def test_blocks_have_the_published_weights(place, weights):
    assert sum(p.numel() for p in make(*place)[0].parameters() if p.ndim > 1) == weights


def test_every_block_is_what_its_comparison_says():
    macs = {}
    for comparison, several in COMPARISONS.items():
        for block in several:
            module, shape = make(comparison, block)
            macs[comparison, block] = count(module, shape).macs
    skip = "skip at equal MACs, 56 px"
    assert macs[skip, "concatenating"] == pytest.approx(macs[skip, "additive"], rel=0.01)
    separable = "convolution, 256 channels, 14 px"
    assert macs[separable, "standard"] / macs[separable, "depthwise separable"] == pytest.approx(8.69, abs=0.01)


@pytest.mark.parametrize(
    ("module", "columns", "of", "values"),
    [
        (separability, layers, "layer", range(4)),
        (transfer, treatments, "treatment", treatments.TREATMENTS),
    ],
)
def test_a_failed_cell_counts_once(module, columns, of, values):
    configuration = {"arch": "mlp1", "train_size": 0, "batch_size": 32}
    rows = [configuration | {"seed": 9, "error": "killed"}]
    rows += [
        configuration | {"seed": seed, of: value, "features": 1, "trained_parameters": 1.0, "accuracy": 0.9,
                         "trained": 0.9, "untrained": 0.5}
        for seed in range(3) for value in values
    ]  # fmt: skip
    frame = fit(pd.DataFrame(rows), columns.CELLS)
    assert list(module.summarise(frame, None)["failed"]) == [1, 0, 0, 0]
    assert module.summarise(frame[:1], None)["failed"].sum() == 1


@pytest.mark.parametrize(
    ("module", "columns", "of", "value"),
    [(separability, layers, "layer", 0), (transfer, treatments, "treatment", treatments.SCRATCH)],
)
def test_a_seed_counts_once_whatever_number_of_its_rows_have_an_error(module, columns, of, value):
    configuration = {"arch": "mlp1", "features": 1, "trained_parameters": 1.0, of: value}
    errors = {0: "", 1: "killed", 2: None, 3: math.nan}
    rows = [configuration | {"seed": seed, "error": error} for seed, error in errors.items() for _ in range(2)]
    (row, *_) = module.summarise(fit(pd.DataFrame(rows), columns.CELLS), None).to_dict("records")
    assert row["failed"] == 1


def test_times_are_compared_over_processes():
    """In each of three processes the ratio stands for the median of its rounds: 2, 1.9 and 2.2 here."""
    ratios = {0: [2.0, 2.0, 9.0], 1: [1.9, 1.8, 1.95], 2: [2.2, 2.1, 2.3]}
    rows = [
        {"comparison": "c", "block": block, "params": 1.0, "weights": 1.0, "macs": macs, "process": float(process),
         "round": number, "forward_ms": ratio**2 if block == "other" else 1.0,
         "training_ms": ratio if block == "other" else 1.0, "machine_spread": 0.0,
         "error": ""}
        for block, macs in (("first", 1.0), ("other", 2.0))
        for process, each in ratios.items() for number, ratio in enumerate(each)
    ]  # fmt: skip
    first, other = blocks.summarise(pd.DataFrame(rows), None).to_dict("records")
    logs = np.log([2.0, 1.9, 2.2])
    half = stats.t.ppf(0.975, 2) * logs.std(ddof=1) / math.sqrt(3)
    assert (other["time_ratio"], other["time_ratio_lo"]) == pytest.approx(
        (math.exp(logs.mean()), math.exp(logs.mean() - half))
    )
    assert (first["processes"], other["processes"]) == (3, 3)
    assert other["verdict"] == "as counted"  # from 1.68 to 2.47 times, inside of 2 / 1.25 to 2 · 1.25
    seeds = blocks.per_cell(pd.DataFrame(rows), None)
    assert seeds.loc[seeds["block"] == "other", "training_ms"].tolist() == [2.0, 1.9, 2.2]
    assert seeds.loc[seeds["block"] == "other", "forward_ratio"].tolist() == pytest.approx([4.0, 3.61, 4.84])
    assert set(seeds.loc[seeds["block"] == "first", "time_ratio"]) == {1.0}
    assert other["forward_ratio"] == pytest.approx(math.exp(2 * logs.mean()))


def timed(ratios, macs):
    """The summary and its sentences, of one block beside the first of its comparison."""
    rows = [
        {"comparison": "c", "block": block, "params": 1.0, "weights": 1.0, "macs": of, "process": float(process),
         "round": 0, "forward_ms": time, "training_ms": time, "machine_spread": 0.0, "error": ""}
        for process, ratio in enumerate(ratios) for block, of, time in (("first", 1e3, 1.0), ("other", macs, ratio))
    ]  # fmt: skip
    table = blocks.summarise(pd.DataFrame(rows), None)
    return table["verdict"].iloc[1], block_headline(table, None), block_conclusions(table, None)


def test_a_block_whose_interval_is_wide_is_not_decided():
    """Ten times the time that the operations say, with an interval from 0.18 to 545."""
    verdict, headline, sentences = timed([2.0, 10.0, 50.0], 1e3)
    assert verdict == "undecided"
    assert headline == "other (c) is not decided"
    assert sentences == ["1 block against the first of its comparison: 1 undecided."]
    assert timed([2.0], 1e3)[0] == "undecided"


def test_the_gap_of_a_block_is_one():
    verdict, _, sentences = timed([2.0, 2.02, 1.99], 125.0)
    assert verdict == "slower than counted"
    assert sentences[1].startswith("other (c) has 8× fewer MACs and takes 2.00× [")
    assert sentences[1].endswith("] the time.")
    assert len(timed([0.05, 0.051, 0.05], 500.0)[2]) == 1  # quicker than counted: there is no gap


@pytest.mark.parametrize(
    ("module", "columns", "value", "rows"),
    [
        (separability, layers, "trained", [{"layer": 0, "features": 1}, {"layer": 1, "features": 1}]),
        (transfer, treatments, "accuracy", [{"treatment": t} for t in (treatments.SCRATCH, treatments.FROZEN)]),
    ],
)
def test_no_difference_needs_one_that_could_have_been_seen(module, columns, value, rows):
    """Seeds that all differ by nothing have no spread, from which none follows."""
    measured = [
        {"arch": "mlp1", "seed": seed, "trained_parameters": 1.0, value: 0.9} | row for seed in range(5) for row in rows
    ]
    found = module.summarise(fit(pd.DataFrame(measured), columns.CELLS), None).iloc[1]
    assert math.isnan(found["visible"])
    assert found["verdict"] == columns.UNDECIDED


def test_the_figure_of_transfer_says_what_it_leaves_out():
    rng = np.random.default_rng(0)
    measured = [
        {"arch": "mlp1", "lr": rate, "seed": seed, "treatment": treatment, "trained_parameters": 1.0,
         "accuracy": rng.random()}
        for rate in range(7) for treatment in treatments.TREATMENTS for seed in range(3)
    ]  # fmt: skip
    cells_of = fit(pd.DataFrame(measured), treatments.CELLS)
    (picture,) = transfer_figures.draw(cells_of, transfer.summarise(cells_of, None), None)
    assert picture.see.endswith("bars are 95 % intervals over seeds and examples. Of 28 rows 24 are drawn.")


@pytest.mark.parametrize(
    ("more", "said"), [(0, "0 of 2 layers are"), (1, "1 of 2 layers is"), (2, "2 of 2 layers are")]
)
def test_layers_are_counted_in_grammar(more, said):
    verdicts = [layers.INPUTS] + [layers.MORE] * more + [layers.SAME] * (2 - more)
    table = pd.DataFrame({"layer": range(3), "trained": 0.9, "verdict": verdicts})
    assert separability_words.headline(table, None) == f"{said} more separable than the inputs"
