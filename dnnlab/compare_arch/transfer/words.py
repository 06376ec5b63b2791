"""The result in sentences."""

from collections.abc import Sequence

import pandas as pd

from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import CONFIGURATION, name
from dnnlab.compare_arch.transfer import columns as c
from dnnlab.runner.summary import not_learned, unseen


def headline(summary: pd.DataFrame, spec: Spec) -> str:
    """The verdict on frozen layers, of the first network."""
    frozen = summary[summary["treatment"] == c.FROZEN]
    return f"Frozen layers that learned other classes, against training from scratch: {frozen['verdict'].iloc[0]}"


def conclusions(summary: pd.DataFrame, spec: Spec) -> Sequence[str]:
    """Whether what was learned on one half of the classes helps on the other."""
    sentences = []
    for _, rows in summary.groupby(list(CONFIGURATION), sort=False, dropna=False):
        by = {row["treatment"]: row for row in rows.to_dict("records")}
        if c.FROZEN not in by:
            continue
        frozen = by[c.FROZEN]
        accuracy = {treatment: c.SCHEMA.number(row, "accuracy") for treatment, row in by.items()}
        sentences.append(
            f"{name(rows.iloc[0], summary)}: from scratch {accuracy[c.SCRATCH]} on the new classes; with frozen "
            f"layers of the old ones and {c.SCHEMA.number(frozen, 'trained_parameters')} trained parameters "
            f"{accuracy[c.FROZEN]} ({c.SCHEMA.estimate(frozen, 'difference')}: {frozen['verdict']}). Random frozen "
            f"layers give {accuracy[c.RANDOM]}, fine-tuning {accuracy[c.TUNED]}."
        )
        sentences += unseen(rows, c.SAME)
    sentences += not_learned(summary, lambda row: f"{name(row, summary)}, {row['treatment']}")
    return sentences or ["Nothing was measured."]
