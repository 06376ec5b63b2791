"""Recipes: read as they are meant, and refused with the line that is wrong."""

import pytest

from dnnlab.errors import UsageError
from dnnlab.registry import find
from dnnlab.runner import recipe
from dnnlab.runner.options import build
from dnnlab.runner.recipe import Condition


@pytest.mark.parametrize(
    ("content", "message"),
    [("= x", "is not TOML"), ("", "needs experiment ="), ("experiment = 3", "needs experiment ="),
     ('experiment = "x"\noptions = 3', "needs experiment ="), ('experiment = "x"\noption = 3', "did you mean options"),
     ('experiment = "x"\nx = 3', "unknown key in the recipe"), (b"\xff", "is not TOML")],
)  # fmt: skip
def test_a_recipe_that_is_none_says_so(tmp_path, content, message):
    file = tmp_path / "r.toml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UsageError, match=message):
        recipe.read(file)


def test_a_recipe_that_cannot_be_read_says_why(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        recipe.read(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="directory"):
        recipe.read(tmp_path)


CLAIM = """
experiment = "gradient-flow"

[options]
depth = 3
seeds = 3

[full]
seeds = 20

[claim]
text = "t"
slide = "s"
published = "p"

[[claim.holds]]
where = { act = "relu" }
metric = "rate"
above = { act = "tanh" }
times = 2
when = "w"

[[claim.holds]]
metric = "rate"
within = [0, 1.5]
"""


def written(tmp_path, text):
    file = tmp_path / "r.toml"
    file.write_text(text)
    return file


def test_a_claim_and_its_profiles_come_back(tmp_path):
    found = recipe.read(written(tmp_path, CLAIM))
    assert found.options_for("quick") == {"depth": 3, "seeds": 3}
    assert found.options_for("full") == {"depth": 3, "seeds": 20}
    assert (found.claim.text, found.claim.slide, found.claim.published, found.claim.note) == ("t", "s", "p", "")
    assert found.claim.holds == (
        Condition("rate", "above", {"act": "tanh"}, {"act": "relu"}, 2.0, "w"),
        Condition("rate", "within", [0, 1.5]),
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('text = "t"', "text = 3", r"r\.toml:12: text must be text"),
        ('text = "t"', "", "text must be text"),
        ('slide = "s"', 'slid = "s"', r"r\.toml:13, 'slid': did you mean slide"),
        ("above = { act", "abov = { act", r"r\.toml:19, 'abov': did you mean above"),
        ('above = { act = "tanh" }', "above = true", r"r\.toml:19: above must be a number, or a row"),
        ('above = { act = "tanh" }', "above = 1\nbelow = 2", "has one of below, above, within and is"),
        ("within = [0, 1.5]", "within = [0]", r"r\.toml:25: within must be two numbers"),
        ("within = [0, 1.5]", "is = 3", r"r\.toml:25: is must be a word"),
        ("times = 2", 'times = "2"', r"r\.toml:20: times must be a number"),
        ("[[claim.holds]]", "[claim.holds]", "is not TOML|holds must be one or more tables"),
        ("[options]\ndepth = 3\nseeds = 3", "options = 3", "needs experiment"),
    ],
)
def test_an_error_points_to_the_line_and_says_what_would_be_right(tmp_path, old, new, message):
    assert old in CLAIM
    with pytest.raises(UsageError, match=message):
        recipe.read(written(tmp_path, CLAIM.replace(old, new)))


CONTROL = '[[claim.control]]\nwhere = { act = "relu" }\nmetric = "rate"\nabove = 0.9\n'


def test_a_control_has_the_keys_of_a_condition(tmp_path):
    found = recipe.read(written(tmp_path, CLAIM + CONTROL))
    assert found.claim.control == (Condition("rate", "above", 0.9, {"act": "relu"}),)
    assert recipe.read(written(tmp_path, CLAIM)).claim.control == ()
    with pytest.raises(UsageError, match=r"each \[\[claim.control\]\] has one of below, above, within and is"):
        recipe.read(written(tmp_path, CLAIM + CONTROL + "below = 2\n"))
    with pytest.raises(UsageError, match=r"control must be one or more tables: \[\[claim.control\]\]"):
        recipe.read(written(tmp_path, CLAIM.replace('published = "p"', "control = 3")))


@pytest.mark.parametrize(
    ("options", "message"),
    [("depth = 0", r"r\.toml:5: --depth must be"), ("deph = 3", r"r\.toml:5: unknown option 'deph'")],
)
def test_an_option_that_is_wrong_is_told_with_its_line(tmp_path, options, message):
    found = recipe.read(written(tmp_path, CLAIM.replace("depth = 3", options)))
    with pytest.raises(UsageError, match=message), recipe.located(found):
        build(find(found.experiment).spec.Spec, found.options)
