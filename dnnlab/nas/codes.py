"""How files write architectures: for each dimension the number of its choice; and each of them once."""

from typing import TYPE_CHECKING

from dnnlab.networks.spaces.space import Code

if TYPE_CHECKING:
    import pandas as pd


def write_code(code: Code) -> str:
    """The text of a code, such as ``3-0-1``."""
    return "-".join(map(str, code))


def read_code(text: str) -> Code:
    """The code of a text that `write_code` made; empty for the empty text."""
    return tuple(map(int, text.split("-"))) if text else ()


def each_once(rows: "pd.DataFrame") -> "pd.Series":
    """The mean over seeds of ``validation`` of each architecture, by its ``id`` in the order of first rows. A network
    that several seeds drew, or one seed twice, is one; counted as often as it was drawn, its luck would look like an
    effect of its choices."""
    return rows.drop_duplicates(["seed", "id"]).groupby("id", sort=False)["validation"].mean()
