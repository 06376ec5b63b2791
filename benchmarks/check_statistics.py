"""Whether intervals hold the truth and verdicts err as often as they say: ``python -m benchmarks.check_statistics``.

By simulation: each situation draws what seeds would measure, from a distribution whose truth is known, and hands it to
the very functions that tables, claims and comparisons of runs are made with. It prints how often the interval holds the
truth, of 95 % nominal; how often a verdict is given where there is no difference; and how often a difference that is
there is shown. A situation fails where less than 93 % of the intervals hold the truth or more than 5 % of the verdicts
are false, by more than three standard errors of the simulation. The base of the random streams is fixed.
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from dnnlab.compare_arch.blocks import summary as blocks
from dnnlab.compare_arch.equal_budget.tuning import tuned
from dnnlab.compare_arch.trained_cell import CHOOSING, CONFIGURATION
from dnnlab.compress import summary as files
from dnnlab.compress.columns import UNDECIDED
from dnnlab.report.columns import Column, Schema, estimate
from dnnlab.reproduce.judge import NOT_DECIDED, judge
from dnnlab.runner.recipe import Claim, Condition
from dnnlab.runner.summary import against
from dnnlab.statistics import rank
from dnnlab.statistics.answers import packed
from dnnlab.statistics.censored import censored_line
from dnnlab.statistics.intervals import Interval, mean_interval, share_interval
from dnnlab.statistics.quantity import ACCURACY, Quantity
from dnnlab.statistics.samples import Sample, compare, compare_independent, sample

BASE = 20_261_127
"""The base of all streams."""
SEEDS = (3, 5, 10, 20)
COVERED, FALSE = 0.93, 0.05
"""The least share of intervals that must hold the truth, and the largest share of false verdicts."""
GUESSING = 0.1
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(100)

Rows = dict[str, Any]


@dataclass(frozen=True)
class Accuracies:
    """Networks whose seeds and examples are of different difficulty: logit P(right) = level + seed + example + both."""

    level: float
    examples: int
    seed: float = 0.15
    example: float = 1.5
    both: float = 0.5
    failing: float = 0.0
    """The share of seeds that fail, with this accuracy:"""
    failed: float = GUESSING

    @property
    def truth(self) -> float:
        """The accuracy for new seeds and new examples, of the seeds that do not fail, by quadrature."""
        spread = math.sqrt(self.seed**2 + self.example**2 + self.both**2)
        return float(_WEIGHTS @ _sigmoid(self.level + spread * _NODES) / _WEIGHTS.sum())

    def difficulty(self, rng: np.random.Generator) -> np.ndarray:
        return rng.normal(0, self.example, self.examples)

    def right(self, rng: np.random.Generator, n: int, difficulty: np.ndarray) -> np.ndarray:
        """Which examples each of ``n`` seeds gets right, bool ``[seed, example]``."""
        logits = self.level + rng.normal(0, self.seed, (n, 1)) + difficulty
        chances = _sigmoid(logits + rng.normal(0, self.both, (n, self.examples)))
        chances[rng.random(n) < self.failing] = self.failed
        return rng.random((n, self.examples)) < chances

    def rows(self, rng: np.random.Generator, n: int, difficulty: np.ndarray | None = None) -> Rows:
        right = self.right(rng, n, self.difficulty(rng) if difficulty is None else difficulty)
        return {
            "seed": np.arange(n),
            "accuracy": right.mean(axis=1),
            "right": [packed(each) for each in right],
            "guessing": np.full(n, GUESSING),
        }


def tuned_rows(kind: Accuracies, rng: np.random.Generator, n: int, difficulty: np.ndarray) -> pd.DataFrame:
    """Three learning rates that are equally good, of which some seeds choose the best for ``n`` others. The validation
    accuracy is the test accuracy itself: nothing could make a choice luckier."""
    rates = []
    for rate in (0.03, 0.1, 0.3):
        rows = pd.DataFrame(kind.rows(rng, CHOOSING + n, difficulty))
        options = dict.fromkeys(CONFIGURATION, "") | {"lr": rate, "budget": "epochs=1", "error": ""}
        rates.append(rows.assign(validation_accuracy=rows["accuracy"], **options))
    return tuned(pd.concat(rates, ignore_index=True), ("lr",))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


DIGITS = Accuracies(2.2, 269)
SURE = Accuracies(7.0, 269, seed=0.3, example=2.0)
MNIST = Accuracies(2.2, 10_000)
FAILING = Accuracies(2.2, 269, failing=0.1)
HALF_FAILING = Accuracies(2.2, 269, failing=0.1, failed=0.5)

DEAD = Quantity("dead", share=True, less_is_better=True, failed="collapsed", step="step_of_share")
UNITS = 320


def dead_rows(rng: np.random.Generator, n: int, mean: float, spread: float, collapse: float) -> Rows:
    """Shares of dead units that differ from seed to seed; a share ``collapse`` of the seeds has all units dead."""
    chance = np.clip(rng.normal(mean, spread, n), 0, 1)
    dead = rng.binomial(UNITS, chance) / UNITS
    collapsed = rng.random(n) < collapse
    dead[collapsed] = 1.0
    return {"seed": np.arange(n), "dead": dead, "collapsed": collapsed, "step_of_share": np.full(n, 1 / UNITS)}


RATE = Quantity("rate", log=True)
VALUE = Quantity("value")


def _values(values: np.ndarray, quantity: Quantity) -> Rows:
    return {"seed": np.arange(len(values)), quantity.name: values}


Draw = Callable[[np.random.Generator, int], tuple[Interval, float]]
"""Draws what ``n`` seeds measure, and gives the interval and the truth."""


def means() -> Iterator[tuple[str, Draw]]:
    """The situations of one row."""

    def of(rows: Callable[[np.random.Generator, int], Rows], quantity: Quantity, truth: float) -> Draw:
        return lambda rng, n: (sample(rows(rng, n), quantity).interval, truth)

    yield "log rates, normal", of(lambda rng, n: _values(np.exp(rng.normal(-0.3, 0.1, n)), RATE), RATE, -0.3)
    yield "log rates, heavy tails (t, 4)", of(lambda rng, n: _values(np.exp(rng.standard_t(4, n)), RATE), RATE, 0.0)
    yield "accuracy, 10,000 examples", of(MNIST.rows, ACCURACY, MNIST.truth)
    yield "accuracy, 269 examples", of(DIGITS.rows, ACCURACY, DIGITS.truth)
    yield "accuracy near 1, 269 examples", of(SURE.rows, ACCURACY, SURE.truth)
    yield "accuracy, 10 % fail at guessing", of(FAILING.rows, ACCURACY, FAILING.truth)
    yield "accuracy, 10 % fail at one half", of(HALF_FAILING.rows, ACCURACY, HALF_FAILING.truth)
    yield (
        "accuracy, tuned over 3 equal rates",
        lambda rng, n: (sample(tuned_rows(MNIST, rng, n, MNIST.difficulty(rng)), ACCURACY).interval, MNIST.truth),
    )
    yield "share of seeds that learn", lambda rng, n: (sample(FAILING.rows(rng, n), ACCURACY).success, 0.9)
    yield "dead share, 20 % collapse", of(lambda rng, n: dead_rows(rng, n, 0.3, 0.05, 0.2), DEAD, 0.3)
    yield (
        "share that collapses",
        lambda rng, n: (sample(dead_rows(rng, n, 0.3, 0.05, 0.2), DEAD).success, 0.8),
    )
    yield (
        "dead share, one unit in four seeds",
        of(lambda rng, n: dead_rows(rng, n, 0.25 / UNITS, 0, 0), DEAD, 0.25 / UNITS),
    )
    yield "dead share, two units a seed", of(lambda rng, n: dead_rows(rng, n, 2 / UNITS, 0, 0), DEAD, 2 / UNITS)
    yield "share of diverged seeds", lambda rng, n: (share_interval(int(rng.binomial(n, 0.3)), n), 0.3)
    yield "time ratio over n processes", _time_ratio
    yield "rank correlation of 10 n networks", _tau
    yield "growth of units, six sizes", _growth((2, 4, 6, 8, 10, 12), 0.4, 0.4)
    yield "growth of units, three sizes", _growth((2, 4, 8), 0.85, 0.3)
    yield "growth of units, a fifth not solved", _growth((2, 4, 8), 0.85, 0.6, widest=64)
    yield "growth of units, skewed", _growth((2, 4, 6, 8, 10, 12), 0.4, 0.4, skewed=True)


def _time_ratio(rng: np.random.Generator, n: int) -> tuple[Interval, float]:
    """Times of two blocks in rounds of ``n`` processes: a process has its own ratio, and its rounds drift together."""
    rounds, truth = 5, math.log(1.3)
    rows = {name: np.zeros((n, rounds)) for name in ("first", "other")}
    own = rng.normal(0, 0.03, n)
    for name in rows:
        drift = rng.normal(0, 0.02, n)
        for i in range(rounds):
            drift = 0.6 * drift + rng.normal(0, 0.016, n)
            rows[name][:, i] = np.exp(drift + (truth + own if name == "other" else 0))
    process, number = np.repeat(np.arange(n), rounds), np.tile(np.arange(rounds), n)
    timed = [
        pd.DataFrame({"process": process, "round": number, "training_ms": times.ravel(), "forward_ms": 1.0}).assign(
            comparison="c", block=name
        )
        for name, times in rows.items()
    ]
    ratios = blocks.per_cell(pd.concat(timed), None).query("block == 'other'")["time_ratio"]
    return mean_interval(np.log(ratios.to_numpy())), truth


def _tau(rng: np.random.Generator, n: int) -> tuple[Interval, float]:
    """Kendall's τ of two normal scores of correlation .6, for which τ = 2/π · arcsin(.6)."""
    count, correlation = 10 * n, 0.6
    x = rng.normal(size=count)
    y = correlation * x + math.sqrt(1 - correlation**2) * rng.normal(size=count)
    resampled = rank.bootstrap(x, y, rng)
    return rank.interval(rank.tau(x, y), resampled, count), 2 / math.pi * math.asin(correlation)


def _growth(sizes: Sequence[int], slope: float, spread: float, widest: int = 4096, skewed: bool = False) -> Draw:
    """Units that each seed needs at each size, of which is known between which of 1, 2, 3, 4, 6, 8, 12, … they lie."""
    widths = np.log2(sorted({*(2**i for i in range(13)), *(3 * 2**i for i in range(11))}))
    widths = widths[widths <= math.log2(widest)]
    bounds = np.concatenate([[-math.inf], widths, [math.inf]])

    def draw(rng: np.random.Generator, n: int) -> tuple[Interval, float]:
        x = np.repeat(np.array(sizes, dtype=float), n)
        noise = rng.exponential(1, len(x)) - 1 if skewed else rng.normal(0, 1, len(x))
        place = np.searchsorted(widths, slope * x + 0.5 + spread * noise)
        return censored_line(x, bounds[place], bounds[place + 1], n).slope, slope

    return draw


def differences() -> Iterator[tuple[str, Draw]]:
    """The situations of two rows."""

    def accuracies(a: Accuracies, b: Accuracies, independent: bool = False) -> Draw:
        how = compare_independent if independent else compare

        def draw(rng: np.random.Generator, n: int) -> tuple[Interval, float]:
            difficulty = a.difficulty(rng)
            one, other = (sample(each.rows(rng, n, difficulty), ACCURACY) for each in (a, b))
            return how(one, other).difference, b.truth - a.truth

        return draw

    better = Accuracies(2.6, 269)
    yield "difference, 269 examples", accuracies(DIGITS, better)
    yield "difference, 10,000 examples", accuracies(MNIST, Accuracies(2.3, 10_000))
    yield "difference near 1, 269 examples", accuracies(SURE, Accuracies(6.5, 269, seed=0.3, example=2.0))
    yield "difference, 10 % fail in both", accuracies(FAILING, Accuracies(2.6, 269, failing=0.1))
    yield "difference of other seeds", accuracies(DIGITS, better, independent=True)
    yield "difference, each tuned over 3 equal rates", _tuned
    yield "drop of a file, 1 % of answers differ", _drop
    yield "difference of unequal spread (Welch)", _welch


def _tuned(rng: np.random.Generator, n: int) -> tuple[Interval, float]:
    better, difficulty = Accuracies(2.3, 10_000), MNIST.difficulty(rng)
    one, other = (sample(tuned_rows(each, rng, n, difficulty), ACCURACY) for each in (MNIST, better))
    return compare(one, other).difference, better.truth - MNIST.truth


def _drop(rng: np.random.Generator, n: int) -> tuple[Interval, float]:
    """A file that errs on examples that the network itself gets right, with the chance .008, and the reverse .002."""
    base = DIGITS.right(rng, n, DIGITS.difficulty(rng))
    shared = rng.gamma(0.5, 2.0, DIGITS.examples)  # the same few examples change in most seeds
    lost = rng.random(base.shape) < np.minimum(0.008 * shared, 1)
    gained = rng.random(base.shape) < np.minimum(0.002 * shared, 1)
    ours = np.where(base, ~lost, gained)
    share = DIGITS.truth
    return compare(_judged(base), _judged(ours)).difference, 0.002 * (1 - share) - 0.008 * share


def _welch(rng: np.random.Generator, n: int) -> tuple[Interval, float]:
    a, b = (sample(_values(rng.normal(mean, spread, n), VALUE), VALUE) for mean, spread in ((0, 1), (1, 4)))
    return compare_independent(a, b).difference, 1.0


Tables = Callable[[np.random.Generator, int], bool]
"""Draws a table or a claim of ``n`` seeds, and says whether a verdict was given."""


def _table(
    rows: Callable[[np.random.Generator, int, int], Sequence[Rows]], quantity: Quantity, count: int = 10
) -> Tables:
    """Whether any of ``count`` rows is said to differ from the first."""

    def decided(rng: np.random.Generator, n: int) -> bool:
        tables = [pd.DataFrame(each) for each in rows(rng, n, count + 1)]
        return any(comparison.direction for comparison in against(tables, quantity))

    return decided


def _files(kind: Accuracies, spread: float = 0.0, count: int = 10) -> Tables:
    """Whether any of ``count`` files, each of which loses exactly one point, is said to lose less or more. What a seed
    loses has the standard deviation ``spread``."""

    def decided(rng: np.random.Generator, n: int) -> bool:
        base, shared = kind.right(rng, n, kind.difficulty(rng)), rng.gamma(0.5, 2.0, kind.examples)
        gained = 0.002
        lost = (files.POINT + gained * (1 - kind.truth)) / kind.truth
        own, drops = _judged(base), []
        for _ in range(count):
            own_lost = np.maximum(rng.normal(lost, spread, (n, 1)), 0)
            away, back = (rng.random(base.shape) < np.minimum(share * shared, 1) for share in (own_lost, gained))
            other = _judged(np.where(base, ~away, back))
            drops.append(files.drop_of({"role": "chain", "method": ""}, pd.DataFrame(), compare(own, other)))
        row = {"role": "chain", "diverged": 0, "seeds": n, "learned": n, "ratio_onnx": 8.0, "tested": kind.examples}
        return any(said != UNDECIDED for said in files.verdicts([row] * count, drops, [n] * count))

    return decided


def _judged(right: np.ndarray) -> Sample:
    """The sample of accuracies of networks that got ``right [seed, example]``."""
    packed_ = [packed(each) for each in right]
    return sample({"seed": np.arange(len(right)), "accuracy": right.mean(axis=1), "right": packed_}, ACCURACY)


def _same_difficulty(kind: Accuracies, last: Accuracies | None = None) -> Callable[..., Sequence[Rows]]:
    def rows(rng: np.random.Generator, n: int, count: int) -> Sequence[Rows]:
        difficulty = kind.difficulty(rng)
        return [(last if last and i == count - 1 else kind).rows(rng, n, difficulty) for i in range(count)]

    return rows


def _independent(draw: Callable[[np.random.Generator, int], Rows]) -> Callable[..., Sequence[Rows]]:
    return lambda rng, n, count: [draw(rng, n) for _ in range(count)]


def _steps(rng: np.random.Generator, n: int) -> Rows:
    """A measure that nearly always is one of three neighbouring steps, so that all seeds are often equal."""
    rows = dead_rows(rng, n, 0, 0, 0)
    return rows | {"dead": rng.choice([3, 4, 5], n, p=[0.15, 0.7, 0.15]) / UNITS}


def nulls() -> Iterator[tuple[str, Tables]]:
    """Tables and claims without any difference."""
    yield "ten rows, 269 examples", _table(_same_difficulty(DIGITS), ACCURACY)
    yield "ten rows, near 1", _table(_same_difficulty(SURE), ACCURACY)
    yield "ten rows, 10 % fail", _table(_same_difficulty(FAILING), ACCURACY)
    yield "ten rows, 10 % fail at one half", _table(_same_difficulty(HALF_FAILING), ACCURACY)
    yield (
        "ten rows, dead shares, 20 % collapse",
        _table(_independent(lambda r, n: dead_rows(r, n, 0.3, 0.05, 0.2)), DEAD),
    )
    yield "ten rows, a measure in steps", _table(_independent(_steps), DEAD)
    yield "ten rows, log rates", _table(_independent(lambda r, n: _values(np.exp(r.normal(0, 0.1, n)), RATE)), RATE)
    yield "ten files that lose a point, 269 examples", _files(DIGITS)
    yield "ten files that lose a point, 10,000 examples", _files(MNIST)
    yield "the same, seeds differ by .3 points", _files(MNIST, 0.003)
    yield "claim of three conditions, limits", _claim(_at_limits, 0.0)
    yield "claim of three conditions, rows", _claim(_between_rows, 0.0)
    yield "claim of three conditions, 10 % fail", _claim(_at_limits, 0.0, FAILING)


def powers() -> Iterator[tuple[str, Tables]]:
    """The same with a difference."""
    yield (
        "one row of two, 3 points better, 269 examples",
        _table(_same_difficulty(DIGITS, Accuracies(2.5, 269)), ACCURACY, 1),
    )
    yield (
        "one row of two, 3 points better, 10,000 examples",
        _table(_same_difficulty(MNIST, Accuracies(2.5, 10_000)), ACCURACY, 1),
    )
    yield (
        "one row of ten, 3 points better, 10,000 examples",
        _table(_same_difficulty(MNIST, Accuracies(2.5, 10_000)), ACCURACY),
    )
    yield "claim of three conditions, 5 points beyond limits", _claim(_at_limits, 0.05)


_COLUMNS = (
    Column("act", str, ""),
    Column("seeds", int, ""),
    *estimate("accuracy", ""),
    Column("verdict", str, ""),
)
_SCHEMA = Schema((), _COLUMNS, {}, ("act",), (ACCURACY,))


def _claim(conditions: Callable[[float], Sequence[Condition]], beyond: float, kind: Accuracies = DIGITS) -> Tables:
    """Whether a claim on three networks of the same accuracy is decided, where each limit is ``beyond`` below it."""

    def decided(rng: np.random.Generator, n: int) -> bool:
        difficulty = kind.difficulty(rng)
        names = ("a", "b", "c", "reference")
        seeds = pd.concat([pd.DataFrame(kind.rows(rng, n, difficulty)).assign(act=name) for name in names])
        summary = pd.DataFrame([{"act": name, "seeds": n, "accuracy": math.nan, "verdict": ""} for name in names])
        run: Any = SimpleNamespace(schema=_SCHEMA, summary=summary, seeds=seeds)
        claim = Claim("", "", tuple(conditions(kind.truth - beyond)))
        return judge(run, claim).verdict != NOT_DECIDED

    return decided


def _at_limits(limit: float) -> list[Condition]:
    return [Condition("accuracy", "above", limit, {"act": act}, when=f"for {act}") for act in "abc"]


def _between_rows(limit: float) -> list[Condition]:
    return [Condition("accuracy", "above", {"act": "reference"}, {"act": act}, when=f"for {act}") for act in "abc"]


def coverage(name: str, draw: Draw, n: int, draws: int) -> tuple[float, float, float]:
    """Of the intervals that were given the share that holds the truth; how many were given; their median width."""
    rng = np.random.default_rng([BASE, n, *name.encode()])
    held, widths = [], []
    for _ in range(draws):
        interval, truth = draw(rng, n)
        if not math.isnan(interval.low + interval.high):
            held.append(interval.low <= truth <= interval.high)
            widths.append(interval.high - interval.low)
    if not held:
        return math.nan, 0.0, math.nan
    return float(np.mean(held)), len(held) / draws, float(np.median(widths))


def verdicts(name: str, decided: Tables, n: int, draws: int) -> float:
    """The share of draws in which a verdict is given."""
    rng = np.random.default_rng([BASE, n, *name.encode()])
    return float(np.mean([decided(rng, n) for _ in range(draws)]))


def error(share: float, draws: int) -> float:
    """Three standard errors of a share of so many draws."""
    return 3 * math.sqrt(share * (1 - share) / draws)


def main(draws: int, seeds: Sequence[int] = SEEDS) -> int:
    """Print the tables; gives the number of figures that are not as they should be."""
    bad = 0
    tell = sys.stdout.write
    tell(f"{draws} draws a figure; seeds {', '.join(map(str, seeds))}\n\n")
    tell("share of 95 % intervals that hold the truth (and their median width)\n")
    for name, draw in (*means(), *differences()):
        figures = [coverage(name, draw, n, draws) for n in seeds]
        wrong = [f[1] > 0 and f[0] < COVERED - error(COVERED, draws) for f in figures]
        bad += sum(wrong)
        shown = ["  –          " if not f[1] else f"{f[0]:.3f} ({f[2]:.3g})" for f in figures]
        tell(f"  {name:44s} {'  '.join(f'{s:14s}' for s in shown)}{'  FAILS' if any(wrong) else ''}\n")
    for title, situations, limit in (
        ("share of tables and claims with a false verdict, where there is no difference", nulls(), FALSE),
        ("share in which a difference that is there is shown", powers(), math.inf),
    ):
        tell(f"\n{title}\n")
        for name, decided in situations:
            shares = [verdicts(name, decided, n, draws) for n in seeds]
            wrong = [share > limit + error(min(limit, 1.0), draws) for share in shares]
            bad += sum(wrong)
            shown = "  ".join(f"{share:.3f}         " for share in shares)
            tell(f"  {name:52s} {shown}{'  FAILS' if any(wrong) else ''}\n")
    tell(f"\n{bad} figures are not as they should be.\n" if bad else "\nAll figures are as they should be.\n")
    return bad


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    sys.exit(min(main(parser.parse_args().draws), 1))
