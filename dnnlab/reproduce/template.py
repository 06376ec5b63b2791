"""A commented recipe to start from."""

from pathlib import Path

from dnnlab import atomic
from dnnlab.errors import UsageError

TEXT = """\
# A recipe: an experiment, its options, and the claim that they decide.
# dnnlab run FILE measures; dnnlab reproduce FILE measures and gives the verdict.
experiment = "gradient-flow"

# Any option of `dnnlab gradient-flow --help`, without the dashes; a list means that each is tried.
[options]
act = ["sigmoid", "relu"]
init = "he"
depth = 10
seeds = 5

# Options that win over those above, under --profile full.
[full]
seeds = 20

# What is claimed. Leave this table out if nothing is.
[claim]
text = "ReLU keeps the gradient that sigmoid loses through ten layers."
slide = "Where the claim comes from"

# What must be seen for the claim to hold: a column of summary.csv, the rows to look at, and where the whole interval
# must lie: below, above, within = [low, high], or is = "a word". To compare with another row, give that row in place of
# the number: above = { act = "sigmoid" }. With `when`, conditions that differ make the verdict "holds if".
[[claim.holds]]
where = { act = "relu" }
metric = "rate"
within = [0.9, 1.1]

# What must be seen for that to test anything, with the same keys: where sigmoid keeps the gradient too, the claim is
# not decided, whatever ReLU does.
[[claim.control]]
where = { act = "sigmoid" }
metric = "rate"
below = 0.5
"""


def write(path: Path) -> None:
    """Write the recipe to ``path``.

    Raises:
        UsageError: something is there already, or the file cannot be written.
    """
    if path.exists():
        raise UsageError(f"{path} is there already; name another file.")
    try:
        atomic.write(path, TEXT.encode())
    except OSError as problem:
        raise UsageError(f"cannot write {path}: {problem.strerror}.") from None
