"""The search for the narrowest layers, and the trainings in it."""

import math

import pytest

from dnnlab.compare_arch.shallow_deep.measure import Attempt, measure, next_width
from dnnlab.compare_arch.shallow_deep.plan import UnitsCell
from dnnlab.compare_arch.spec import Spec


def searched(needed, inputs=4, most=4096):
    """The widths that are tried where ``needed`` units are enough."""
    tried = {}
    while width := next_width(tried, inputs, most):
        tried[width] = Attempt(solved=width >= needed)
    return list(tried)


@pytest.mark.parametrize(
    ("needed", "inputs", "widths"),
    [
        (1, 4, [4, 2, 1]),
        (2, 4, [4, 2, 1]),
        (3, 4, [4, 2, 3]),
        (4, 4, [4, 2, 3]),
        (5, 4, [4, 8, 6]),
        (3, 2, [2, 4, 3]),
        (4, 12, [8, 4, 2, 3]),
        (40, 12, [8, 16, 32, 64, 48]),
        (50, 12, [8, 16, 32, 64, 48]),
    ],
)
def test_the_search_ends_between_what_fails_and_what_solves(needed, inputs, widths):
    assert searched(needed, inputs) == widths


def test_the_search_ends_at_the_widest():
    assert searched(math.inf) == [2**i for i in range(2, 13)]
    assert searched(math.inf, inputs=12, most=256) == [8, 16, 32, 64, 128, 256]


def test_a_training_ends_when_it_has_solved_the_task_or_come_to_rest():
    attempt = Attempt()
    for step, loss, share in [(50, 0.7, 0.5), (100, 0.6, 0.9), (150, 0.596, 0.8), (2050, 0.595, 0.8)]:
        attempt.see(step, loss, share, enough=1.0)
    assert not attempt.ended  # a fall of less than a hundredth is none, but it has not been at rest for long enough
    attempt.see(2100, 0.595, 0.8, enough=1.0)
    assert (attempt.ended, attempt.solved, attempt.steps, attempt.accuracy) == (True, False, 2100.0, 0.9)
    attempt.see(2150, 0.1, 1.0, enough=1.0)
    assert not attempt.solved  # what comes after the end does not count: the others decide how long the stack goes on


def cells(seeds, steps=600):
    return [UnitsCell("parity", 2, "shallow", 1, steps, seed) for seed in seeds]


def test_a_seed_needs_the_same_whoever_is_beside_it():
    spec = Spec(preset="shallow-deep", seed=900_001)
    together = measure(cells([0, 1, 2]), spec, "cpu", lambda share: None)
    alone = measure(cells([2]), spec, "cpu", lambda share: None)
    rows = [i for i, cell in enumerate(together["cell"]) if cell == 2]
    for column in ("width", "solved", "steps", "ended"):
        mine = [together[column][i] for i in rows]
        assert mine == pytest.approx(alone[column], nan_ok=True)
    # Exclusive or takes two units in one layer, and one is never enough: it is monotonic along one line.
    assert not any(solved for width, solved in zip(together["width"], together["solved"], strict=True) if width == 1)
    assert any(together["solved"])


def test_half_of_the_steps_are_the_beginning_of_all():
    spec = Spec(preset="shallow-deep", seed=900_001)
    whole = measure(cells([0], steps=600), spec, "cpu", lambda share: None)
    half = measure(cells([0], steps=300), spec, "cpu", lambda share: None)
    early = {width: steps for width, steps in zip(whole["width"], whole["steps"], strict=True) if steps <= 300}
    found = {width: steps for width, steps in zip(half["width"], half["steps"], strict=True) if steps <= 300}
    assert early
    assert all(found[width] == steps for width, steps in early.items() if width in found)


def test_every_seed_has_a_row_for_each_width_and_says_where_steps_were_spent():
    shares = []
    rows = measure(cells([0, 1], steps=2), Spec(preset="shallow-deep", seed=900_001), "cpu", shares.append)
    assert len(rows["cell"]) == len(rows["ended"])
    assert set(rows["cell"]) == {0, 1}
    unsolved = [end for end, solved in zip(rows["ended"], rows["solved"], strict=True) if not solved]
    assert not any(unsolved)  # two steps are too few to come to rest
    assert shares == sorted(shares)
    assert shares[-1] <= 1
