"""Which scores to trust, in sentences."""

import pandas as pd

from dnnlab.errors import some
from dnnlab.nas.proxies import columns as c
from dnnlab.nas.spec import Spec


def headline(summary: pd.DataFrame, spec: Spec) -> str:
    """The scores that rank networks better than their size does."""
    better = summary[summary["verdict"] == c.PREDICTS]["score"].unique().tolist()
    if len(better):
        return f"{some(better)} {'rank' if len(better) > 1 else 'ranks'} networks better than their size does"
    return "No cheap score is shown to rank networks better than their size does"


def conclusions(summary: pd.DataFrame, spec: Spec) -> list[str]:
    sentences = []
    for (space, data), rows in summary.groupby(["space", "data"], sort=False):
        count = int(rows["n"].max())
        trusted = rows[rows["verdict"] == c.PREDICTS]
        sizes = rows[rows["verdict"] == c.SIZE]
        size = ", ".join(f"{row['score']} τ {c.SCHEMA.number(row, 'tau')}" for row in sizes.to_dict("records"))
        if rows["verdict"].eq(c.UNDECIDED).all():
            sentences.append(f"{count} architectures of {space} on {data} are too few to say which score ranks them.")
            continue
        if trusted.empty:
            sentences.append(
                f"On {data}, no cheap score ranks {count} architectures of {space} better than size: {size}."
            )
            continue
        told = ", ".join(f"{row['score']} (τ {c.SCHEMA.number(row, 'tau')})" for row in trusted.to_dict("records"))
        sentences.append(f"On {data}, {told} rank {count} architectures of {space} better than size does: {size}.")
    return sentences
