"""Which numbers of a table of seeds are compared, and what is known of them. Importing this imports nothing heavy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """A number that every seed has, by which configurations and runs are compared."""

    name: str
    """Its column in the table of seeds that ``per_cell`` gives, as are the others below."""
    log: bool = False
    """Whether its logarithm is averaged, as of what multiplies from layer to layer."""
    share: bool = False
    """Whether it lies between 0 and 1."""
    right: str = ""
    """For an accuracy, the column that says which examples were classified right (`answers.packed`)."""
    guessing: str = ""
    """For an accuracy, the column of what guessing the most frequent class reaches."""
    less_is_better: bool = False
    """Whether a smaller value is the better one, as of dead units: a seed of the other kind is the worse one."""
    failed: str = ""
    """The column that is true for seeds of another kind than the others, such as those that collapsed."""
    step: str = ""
    """The column of the smallest step in which it can move, such as 1 over the number of units."""


ACCURACY = Quantity("accuracy", share=True, right="right", guessing="guessing")
"""The accuracy of a trained network, of which it is known which examples it got right."""
