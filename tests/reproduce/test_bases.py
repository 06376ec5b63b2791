"""Seeds come of what a recipe asks and when its claim holds: whoever changes that gets others."""

import hashlib
import json

import pytest

from dnnlab.errors import UsageError
from dnnlab.reproduce import ledger
from dnnlab.reproduce.bases import Bases
from dnnlab.runner import recipe

TEXT = """\
experiment = "gradient-flow"
[claim]
text = "A claim."
slide = "A slide"
[[claim.holds]]
where = { act = "tanh" }
metric = "rate"
below = 0.5
[options]
act = ["tanh", "relu"]
depth = 4
seeds = 3
[full]
seeds = 5
"""


@pytest.fixture
def base(tmp_path):
    """The base of the seeds of a recipe with a text."""

    def of(text, name="one.toml", profile="quick", seed=None):
        (tmp_path / name).write_text(text)
        return Bases(profile, seed).base(recipe.read(tmp_path / name))

    return of


def test_the_same_recipe_has_the_same_seeds_wherever_it_lies_and_whatever_it_is_called(base):
    assert base(TEXT) == base(TEXT)
    assert 0 <= base(TEXT) < 2**31


def test_text_and_note_make_no_other_seeds(base):
    assert base(TEXT.replace("A claim.", "Another text.")) == base(TEXT)
    assert base(TEXT.replace('slide = "A slide"', 'slide = "Another"\nnote = "A note."')) == base(TEXT)


@pytest.mark.parametrize(
    "change",
    [("below = 0.5", "below = 0.49"), ("below", "above"), ('where = { act = "tanh" }', 'where = { act = "relu" }'),
     ("depth = 4", "depth = 5"), ("seeds = 3", "seeds = 4"), ('metric = "rate"', 'metric = "zero_fraction"'),
     ("below = 0.5", 'below = 0.5\nwhen = "for tanh"'),
     ("below = 0.5", 'below = 0.5\n[[claim.control]]\nmetric = "rate"\nabove = 0.1')],
)  # fmt: skip
def test_whoever_changes_what_is_asked_or_when_it_holds_gets_other_seeds(base, change):
    assert base(TEXT.replace(*change)) != base(TEXT)


def test_profiles_and_other_seeds_have_others(base):
    assert len({base(TEXT), base(TEXT, profile="full"), base(TEXT, seed=0), base(TEXT, seed=1)}) == 4


def test_recipes_that_ask_the_same_share_a_run_and_its_seeds(base, tmp_path):
    alone = base(TEXT)
    other = TEXT.replace("below = 0.5", "above = 0.9")
    (tmp_path / "two.toml").write_text(other)
    assert base(TEXT) == base(other, name="two.toml") != alone
    (tmp_path / "two.toml").write_text(other.replace("depth = 4", "depth = 5"))
    (tmp_path / "broken.toml").write_text("experiment =")
    assert base(TEXT) == alone


def test_the_digest_is_that_of_its_parts_written_out(tmp_path):
    (tmp_path / "one.toml").write_text(TEXT)
    asked = json.dumps(["gradient-flow", {"act": ["tanh", "relu"], "depth": 4, "seeds": 3}], sort_keys=True)
    condition = {
        "metric": "rate",
        "relation": "below",
        "level": 0.5,
        "where": {"act": "tanh"},
        "times": 1.0,
        "when": "",
    }
    content = {"asked": asked, "holds": [json.dumps(condition, sort_keys=True)], "seed": None}
    expected = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    read = recipe.read(tmp_path / "one.toml")
    assert Bases("quick", None).digest(read) == expected
    (task,) = ledger.tasks([tmp_path / "one.toml"], "quick", None)
    assert (task.digest, task.spec.seed) == (expected, int(expected[:8], 16) % 2**31)


def test_a_recipe_with_a_claim_chooses_no_seeds(tmp_path):
    (tmp_path / "one.toml").write_text(TEXT.replace("seeds = 3", "seeds = 3\nseed = 7"))
    with pytest.raises(UsageError, match=r"one\.toml:\d+: --seed is not an option of a recipe with a claim"):
        ledger.tasks([tmp_path / "one.toml"], "quick", None)
