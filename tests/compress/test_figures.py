"""Figures of tables that were made up: whatever was measured, they can be read."""

import numpy as np
import pandas as pd
import pytest

from dnnlab.compress.figures import draw
from dnnlab.report.figures import faults

STAGES = ("prune:0.95@2", "structured:1.5x@1", "lowrank:1.3x", "share:5bit@1", "int8:weights", "code")


def summary(stages, milliseconds=0.1, ratio=3.0):
    """The rows of one chain: each stage takes a tenth longer, and makes the file ``ratio`` times smaller."""
    methods = ("baseline", *stages)
    place = np.arange(len(methods))
    return pd.DataFrame(
        {
            "arch": "mlp1", "data": "digits", "seeds": 3, "method": methods, "recipe": " > ".join(stages),
            "role": ["baseline"] + ["chain"] * len(stages),
            "chain": [" > ".join(stages[:count]) for count in place],
            "bytes": 1e6 / ratio**place, "ratio": ratio**place,
            "accuracy": 0.97 - 0.01 * place, "accuracy_lo": 0.96 - 0.01 * place, "accuracy_hi": 0.98 - 0.01 * place,
            "latency_ms": milliseconds * (1 + 0.1 * place), "base_latency_ms": milliseconds,
            "latency32_ms": 17 * milliseconds * (1 + 0.1 * place), "base_latency32_ms": 17 * milliseconds,
        }
    )  # fmt: skip


def test_what_is_not_drawn_is_said():
    stages = [f"prune:0.{number}" for number in range(70, 83)]
    sizes, front, latencies = draw(pd.DataFrame(), summary(stages), None)
    for picture in (sizes, front, latencies):
        assert "Of 14 files 12 are drawn." in picture.see
    assert latencies.alt.endswith("with a row for each of 12 files.")
    assert "over seeds and examples" in front.see
    for picture in draw(pd.DataFrame(), summary(stages[:3]), None):
        assert "are drawn" not in picture.see


def drawn(pictures):
    return [figure for picture in pictures for figure in (picture.figure, picture.narrow) if figure is not None]


@pytest.mark.parametrize("milliseconds", [1e-7, 3.4e-5, 2.5e-4, 0.0034, 0.1, 1.7, 420, 1e6])
def test_latencies_of_any_size_can_be_read(milliseconds):
    pictures = draw(pd.DataFrame(), summary(STAGES[:3], milliseconds), None)
    assert [fault for figure in drawn(pictures) for fault in faults(figure)] == []


@pytest.mark.parametrize("ratio", [1.001, 1.5, 30])
@pytest.mark.parametrize("count", [1, 3, 6])
def test_chains_of_any_length_can_be_read(count, ratio):
    pictures = draw(pd.DataFrame(), summary(STAGES[:count], ratio=ratio), None)
    assert [fault for figure in drawn(pictures) for fault in faults(figure)] == []
