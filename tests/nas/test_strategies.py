"""Strategies on a problem whose answer is known, and by what their papers say."""

import math
import random
import statistics

import pytest
import torch

from dnnlab.errors import UsageError
from dnnlab.nas.ledger import Cost, Ledger, parse
from dnnlab.nas.problem import Inherit, Outcome, Problem, Score, Supernet, Train
from dnnlab.nas.strategies import STRATEGIES, find, rl
from dnnlab.networks.spaces import Space

SPACE = Space({f"d{i}": tuple(range(4)) for i in range(6)}, lambda choices, shape, classes: None)
FOUND_BY_ASKING = [name for name, strategy in STRATEGIES.items() if not strategy.shared]


def value(code, epochs=9.0):
    """Best where every choice is 3; short trainings see it dimly."""
    noise = random.Random(f"{code}").random() * 3 * (1 - epochs / 9)
    return (sum(code) + noise) / 21


def run(name, budget, seed, evaluate=value, batch=1):
    """All outcomes of a search, in order, repeats aside; ``budget`` in trainings of 9 epochs."""
    ledger = Ledger(parse(str(budget)), 9.0)
    problem = Problem(SPACE, random.Random(seed), 9.0, (1.0, 3.0, 9.0), batch, 1, ledger.trainings_left)
    search = find(name).search(problem)
    seen, told = [], {}
    requests = next(search)
    for _ in range(100_000):
        answers = []
        for request in requests:
            if request not in told:
                epochs = request.epochs if isinstance(request, Train) else 0.5
                if not ledger.affords(Cost(epochs, 0.0)):
                    return seen
                ledger.pay(Cost(epochs, 0.0))
                code = getattr(request, "code", (3,) * 6)
                told[request] = Outcome(code, (evaluate(code, epochs),))
                seen.append((request, told[request].value))
            answers.append(told[request])
        try:
            requests = search.send(answers)
        except StopIteration:
            return seen
    return seen


def best(seen):
    return max(v for request, v in seen if isinstance(request, Train) and request.epochs == 9)


@pytest.mark.parametrize("name", [name for name in FOUND_BY_ASKING if name not in ("random", "hyperband")])
def test_every_strategy_beats_random_search_where_choices_add_up(name):
    if STRATEGIES[name].optional:
        pytest.importorskip("optuna")
    ours = statistics.mean(best(run(name, 100, seed)) for seed in range(8))
    random_search = statistics.mean(best(run("random", 100, seed)) for seed in range(8))
    assert ours > random_search


def test_local_search_finds_the_top_of_a_hill():
    """Each of six dimensions has 3 other choices, so 18 neighbours, and a climb has at most 18 steps."""
    assert all(best(run("local", 18 * 19, seed)) == value((3,) * 6) for seed in range(5))


@pytest.mark.parametrize("name", FOUND_BY_ASKING)
def test_the_same_seed_searches_the_same(name):
    if STRATEGIES[name].optional:
        pytest.importorskip("optuna")
    assert run(name, 40, 3, batch=8) == run(name, 40, 3, batch=8)


@pytest.mark.parametrize("name", FOUND_BY_ASKING)
def test_what_fails_is_worse_than_all_else_and_stops_nobody(name):
    if STRATEGIES[name].optional:
        pytest.importorskip("optuna")

    def fails(code, epochs):
        return math.nan if code[0] > 1 else value(code, epochs)

    seen = run(name, 60, 0, fails, batch=4)
    assert len(seen) >= 60
    assert best(seen) > 0


def test_evolution_lets_the_oldest_die_and_mutates_one_dimension():
    problem = Problem(SPACE, random.Random(1), 9.0, (9.0,), 1, 1, lambda: 100.0)
    search = find("evolution").search(problem)
    asked = [request.code for request in next(search)]
    answers = [Outcome(code, (value(code),)) for code in asked]
    assert len(asked) == 20  # a fifth of the budget
    for _ in range(80):
        (request,) = search.send(answers)
        alive = asked[-20:]
        assert 1 in [sum(a != b for a, b in zip(request.code, other, strict=True)) for other in alive]
        asked.append(request.code)
        answers = [Outcome(request.code, (value(request.code),))]


def test_the_controllers_step_is_that_of_autograd_and_adam():
    """∇ log p(code) · advantage, by PyTorch's own."""
    rng = random.Random(4)
    logits = [[rng.gauss(0, 1) for _ in range(4)] for _ in range(3)]
    theirs = [torch.tensor(row, dtype=torch.float64, requires_grad=True) for row in logits]
    state = [[(0.0, 0.0)] * 4 for _ in range(3)]
    adam = torch.optim.Adam(theirs, lr=rl.RATE)
    for step in range(1, 6):
        code, advantage = tuple(rng.randrange(4) for _ in range(3)), rng.gauss(0, 1)
        policy = [rl._softmax(row) for row in logits]
        rl._ascend(logits, state, policy, code, advantage, step)
        adam.zero_grad()
        loss = -advantage * sum(row.log_softmax(0)[i] for row, i in zip(theirs, code, strict=True))
        loss.backward()
        adam.step()
    for ours, row in zip(logits, theirs, strict=True):
        assert ours == pytest.approx(row.tolist(), abs=1e-9)


def test_halving_keeps_a_third_at_each_fidelity():
    seen = [request for request, _ in run("halving", 100, 0)]
    bracket = [27, 9, 3]
    counts = [sum(request.epochs == epochs for request in seen[: sum(bracket)]) for epochs in (1, 3, 9)]
    assert counts == bracket
    assert {r.code for r in seen[27:36]} <= {r.code for r in seen[:27]}


def test_a_proxy_is_used_only_where_it_ranks_as_training_does():
    def search(proxy_says):
        def evaluate(code, epochs):
            return value(code) if epochs == 9 else proxy_says(code)

        return run("proxy:naswot", 60, 2, evaluate, batch=4)

    trusted, distrusted = search(value), search(lambda code: -value(code))
    assert sum(isinstance(request, Score) for request, _ in trusted) > 100
    assert sum(isinstance(request, Score) for request, _ in distrusted) == 16
    assert best(trusted) > best(distrusted)


def test_darts_trains_what_its_supernets_end_in():
    seen = run("darts", 20, 0)
    kinds = [type(request) for request, _ in seen]
    assert kinds[:2] == [Supernet, Train]
    assert seen[1][0].code == (3,) * 6


def test_darts_trains_its_supernets_for_as_long_as_is_asked():
    seen = run("darts:40", 60, 0)
    lengths = [request.epochs for request, _ in seen if isinstance(request, Supernet)]
    assert lengths
    assert set(lengths) == {40}


def test_oneshot_trains_some_that_nobody_selected_and_then_the_best():
    seen = run("oneshot", 100, 0)
    ranked = [request.code for request, _ in seen if isinstance(request, Inherit)]
    trained = [request.code for request, _ in seen if isinstance(request, Train)]
    assert trained[:10] == ranked[:10]
    order = sorted(dict.fromkeys(ranked), key=lambda code: -value(code, 0.5))
    assert trained[10] == next(code for code in order if code not in trained[:10])


def test_a_budget_reads_and_pays_for_shares_of_trainings():
    assert str(parse("64")) == "trainings=64"
    for wrong in ("", "x", "0", "-1", "hours=3", "epochs=", "seconds=inf"):
        with pytest.raises(UsageError):
            parse(wrong)
    ledger = Ledger(parse("epochs=30"), 10.0, reserved=1)
    assert ledger.affords(Cost(20.0, 0.0))
    assert not ledger.affords(Cost(20.1, 0.0))
    ledger.pay(Cost(15.0, 7.0))
    assert ledger.trainings_left() == pytest.approx(0.5)
    clock = Ledger(parse("seconds=10"), 10.0, reserved=2)
    assert clock.affords(Cost(1e9, 1e9))
    clock.clock(4.0, full=True)
    assert clock.free() == pytest.approx(10 - 2 * 4 - 4)
    assert not clock.affords(Cost(1.0, 1.0))
    macs = Ledger(parse("macs=100"), 10.0, reserved=1)
    macs.pay(Cost(10.0, 30.0))
    assert macs.affords(Cost(10.0, 35.0))
    assert not macs.affords(Cost(10.0, 35.1))  # which leaves less than retraining it takes
    assert macs.affords(Cost(5.0, 40.0))
    assert not macs.affords(Cost(5.0, 40.1))
