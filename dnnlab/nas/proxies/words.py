"""Which scores to trust, in sentences."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dnnlab.errors import counted, listing, some
from dnnlab.nas.proxies import columns as c
from dnnlab.nas.spec import Spec
from dnnlab.runner.summary import names_with_data


def headline(summary: pd.DataFrame, spec: Spec) -> str:
    """The scores that rank networks better than their size does, and on which data where they do not on all."""
    better = summary[summary["verdict"] == c.PREDICTS]
    names = names_with_data(better, "score", summary)
    if not names:
        return "No cheap score is shown to rank networks better than their size does"
    return f"{some(names)} {_rank(names)} networks better than their size does"


def _rank(scores: Sequence[Any]) -> str:
    return "ranks" if len(scores) == 1 else "rank"


def conclusions(summary: pd.DataFrame, spec: Spec) -> list[str]:
    """The scores that are shown to rank better than size does, with their τ and that of size."""
    sentences = []
    for (space, data), rows in summary.groupby(["space", "data"], sort=False):
        count = int(rows["n"].max())
        drawn = f"{counted(count, 'architecture')} of {space}"
        trusted = rows[rows["verdict"] == c.PREDICTS].to_dict("records")
        sizes = rows[rows["verdict"] == c.SIZE].to_dict("records")
        size = f": {', '.join(map(_tau, sizes))}" if sizes else ""
        if count < c.FEW:
            sentences.append(f"On {data}, {drawn} are too few to say which score ranks them.")
        elif rows["verdict"].isin((c.UNDECIDED, c.SIZE)).all():
            sentences.append(f"On {data}, it is not decided whether a cheap score ranks {drawn} better than size does.")
        elif not trusted:
            sentences.append(f"On {data}, no cheap score is shown to rank {drawn} better than size does{size}.")
        else:
            told = listing(map(_tau, trusted))
            sentences.append(f"On {data}, {told} {_rank(trusted)} {drawn} better than size does{size}.")
    return sentences


def _tau(row: dict[Any, Any]) -> str:
    return f"{row['score']} (τ {c.SCHEMA.number(row, 'tau')})"
