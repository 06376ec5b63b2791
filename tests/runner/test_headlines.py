"""The finding in a few words: no more than the verdicts say."""

import pandas as pd
import pytest

from dnnlab.check.words import headline as check
from dnnlab.compare_arch.equal_budget.words import headline as compare_arch
from dnnlab.compare_arch.trained_cell import CONFIGURATION
from dnnlab.compress.words import headline as compress
from dnnlab.dead_relu.census.words import headline as dead_relu
from dnnlab.dead_relu.remedies.words import headline as remedies
from dnnlab.gradient_flow.words import headline as gradient_flow
from dnnlab.nas.proxies.words import headline as proxies
from dnnlab.nas.search.words import headline as nas
from dnnlab.registry import EXPERIMENTS
from dnnlab.runner.summary import in_words

NETWORK = {"model": "", "act": "sigmoid", "init": "torch", "norm": "none", "skip": "none", "depth": 20, "lr": 0.1}
NETWORK |= {"data": "digits", "seeds": 5, "collapsed": 0.0}
SAYS = {"good": ("works", "work"), "bad": ("fails", "fail")}


def rows(*verdicts, **same):
    return pd.DataFrame([NETWORK | same | {"verdict": verdict} for verdict in verdicts])


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (["good"] * 3, "All 3 networks work"),
        (["good", "bad", "good"], "2 of 3 networks work, 1 fails"),
        (["bad", "good"], "1 of 2 networks fails, 1 works"),
    ],
)
def test_what_holds_of_how_many(verdicts, said):
    assert in_words(pd.Series(verdicts), SAYS) == said


@pytest.mark.parametrize(
    ("headline", "table", "said"),
    [
        (gradient_flow, rows("vanishing"), "20 sigmoid layers lose the gradient"),
        (gradient_flow, rows("exploding", depth=1), "1 sigmoid layer explodes"),
        (gradient_flow, rows("healthy", norm="batch", skip="residual"),
         "20 sigmoid layers with norm batch and skip residual keep the gradient"),
        (gradient_flow, rows("dead"), "In most seeds at least one of 20 sigmoid layers is dead"),
        (gradient_flow, rows("dead", depth=1), "In most seeds 1 sigmoid layer is dead"),
        (gradient_flow, rows("undecided", model="m:net"), "m:net is not decided"),
        (gradient_flow, rows("healthy", "dead"), "1 of 2 networks keeps the gradient, 1 has a dead layer"),
        (dead_relu, rows("dying", dead=0.709, model="net"), "net on digits has units that die: 70.9 % are dead"),
        (dead_relu, rows("healthy", "healthy", dead=0.0), "Both networks keep their units"),
        (check, pd.DataFrame({"statement": ["1 = 2"], "verdict": ["refuted"]}), "1 = 2: refuted"),
        (check, pd.DataFrame({"statement": ["a", "b"], "verdict": ["holds", "undecided"]}), "1 of 2 statements holds"),
        (nas, pd.DataFrame({"strategy": ["random", "evolution", "average"], "verdict": ["baseline", "no better", ""],
                            "data": "digits"}),
         "No strategy is shown to be better than random search"),
        (nas, pd.DataFrame({"strategy": ["random", "rl", "evolution"], "verdict": ["baseline", "better", "better"],
                            "data": "digits"}),
         "rl and evolution find better networks than random search"),
        (proxies, pd.DataFrame({"score": ["snip"], "verdict": ["predicts"], "data": "digits"}),
         "snip ranks networks better than their size does"),
        (proxies, pd.DataFrame({"score": ["snip"], "verdict": ["undecided"], "data": "digits"}),
         "No cheap score is shown to rank networks better than their size does"),
    ],
)  # fmt: skip
def test_a_finding(headline, table, said):
    assert headline(table, None) == said


def test_the_first_network_and_what_cures_it():
    table = pd.concat([rows("untreated", remedy="none"), rows("cures", remedy="clip"), rows("helps", remedy="leaky")])
    for name in ("width", "data", "batch_size", "optimizer", "weight_decay", "clip"):
        table[name] = 0
    assert remedies(table, None) == "clip cures sigmoid (init torch, lr 0.1, depth 20)"
    assert remedies(table[table["verdict"] != "cures"], None).startswith("leaky helps ")
    assert remedies(table[:1], None).startswith("No remedy is shown to cure ")


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ([1.0, 2.0], "resnet20 is the most accurate of 2 networks"),
        ([2.0, 2.0], "None of 2 networks is shown to be the most accurate"),
        ([float("nan")] * 2, "None of 2 networks is shown to be the most accurate"),
    ],
)
def test_a_network_is_the_most_accurate_only_where_its_rank_says_so(ends, said):
    same = dict.fromkeys(CONFIGURATION, "") | {"data": "digits", "train_size": 0, "budget": "steps=9"}
    table = pd.DataFrame(
        [same | {"arch": arch, "accuracy": accuracy, "rank": rank, "rank_hi": end, "verdict": "x"}
         for arch, accuracy, rank, end in zip(["resnet20", "plain20"], [0.9, 0.8], [1.0, 2.0], ends, strict=True)]
    )  # fmt: skip
    assert compare_arch(table, None) == said


def test_of_a_chain_its_end_counts():
    stages = [
        {"role": "chain", "arch": "lenet300", "data": "mnist", "recipe": "a > b", "seeds": 3, "ratio": ratio,
         "accuracy_drop": drop, "verdict": verdict}
        for ratio, drop, verdict in ((10.0, 0.001, "undecided"), (36.7, -0.0012, "holds"))
    ]  # fmt: skip
    said = "lenet300 is 36.7× smaller with 0.12 points less error: holds"
    assert compress(pd.DataFrame(stages), None) == said
    assert compress(pd.DataFrame(stages).assign(seeds=0), None) == "Nothing was compressed"


@pytest.mark.parametrize(
    "question", [q for e in EXPERIMENTS.values() for q in e.spec.QUESTIONS], ids=lambda q: q.package
)
def test_every_verdict_has_words(question):
    """Where a headline has words for verdicts, it has them for all that its schema knows."""
    says = getattr(question.words, "_SAYS", None)
    assert says is None or says.keys() == set(question.schema.tones)
