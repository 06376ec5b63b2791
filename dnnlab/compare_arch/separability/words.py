"""The result in sentences."""

from collections.abc import Sequence

import pandas as pd

from dnnlab.compare_arch.separability import columns as c
from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import CONFIGURATION, name
from dnnlab.errors import are, counted
from dnnlab.runner.summary import unseen


def headline(summary: pd.DataFrame, spec: Spec) -> str:
    """How many layers are more separable than the inputs."""
    layers = summary[(summary["layer"] > 0) & summary["trained"].notna()]
    more = int((layers["verdict"] == c.MORE).sum())
    return f"{more} of {counted(len(layers), 'layer')} {are(more)} more separable than the inputs"


def conclusions(summary: pd.DataFrame, spec: Spec) -> Sequence[str]:
    """How separable the inputs are, the best layer, and what training did."""
    sentences = []
    for _, rows in summary.groupby(list(CONFIGURATION), sort=False, dropna=False):
        layers = rows[(rows["layer"] > 0) & rows["trained"].notna()]
        if layers.empty:
            continue
        inputs, best = rows.iloc[0], layers.iloc[int(layers["trained"].to_numpy().argmax())]
        more = int((layers["verdict"] == c.MORE).sum())
        sentences.append(
            f"{name(rows.iloc[0], summary)}: a linear classifier gets {c.SCHEMA.number(inputs, 'trained')} of the "
            f"inputs right, and {c.SCHEMA.number(best, 'trained')} on layer {best['layer']} "
            f"({c.SCHEMA.estimate(best, 'gain')}); {more} of {counted(len(layers), 'layer')} {are(more)} more "
            f"separable than the inputs. Before training the same layer gave {c.SCHEMA.number(best, 'untrained')}."
        )
        sentences += unseen(rows, c.SAME)
    return sentences or ["Nothing was measured."]
