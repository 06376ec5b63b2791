"""The result in sentences."""

from collections.abc import Sequence

import pandas as pd

from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import CONFIGURATION, name
from dnnlab.compare_arch.transfer import columns as c
from dnnlab.report.table import estimate
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
        frozen, scratch = by[c.FROZEN], by[c.SCRATCH]
        difference = estimate(frozen["difference"], frozen["difference_lo"], frozen["difference_hi"])
        sentences.append(
            f"{name(rows.iloc[0], summary)}: from scratch {scratch['accuracy']:.1%} on the new classes; with frozen "
            f"layers of the old ones and {frozen['trained_parameters']} trained parameters "
            f"{frozen['accuracy']:.1%} ({difference}: {frozen['verdict']}). Random frozen layers give "
            f"{by[c.RANDOM]['accuracy']:.1%}, fine-tuning {by[c.TUNED]['accuracy']:.1%}."
        )
        sentences += unseen(rows, c.SAME)
    sentences += not_learned(summary, lambda row: f"{name(row, summary)}, {row['treatment']}")
    return sentences or ["Nothing was measured."]
