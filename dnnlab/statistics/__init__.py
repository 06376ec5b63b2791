"""Statistics: intervals and comparisons over seeds and examples, agreement of two rankings, and random streams.

Intervals are of 95 %. A value that is not finite, as of a network that diverged, is left out of a mean.
"""

from typing import TYPE_CHECKING

from dnnlab.lazy import offers

if TYPE_CHECKING:
    from dnnlab.statistics.comparisons import false_discovery, holm, paired, unpaired
    from dnnlab.statistics.crossed import crossed_difference, crossed_interval
    from dnnlab.statistics.intervals import mean_interval, share_interval
    from dnnlab.statistics.rank import tau as kendall_tau
    from dnnlab.statistics.streams import stream

__all__ = [
    "crossed_difference",
    "crossed_interval",
    "false_discovery",
    "holm",
    "kendall_tau",
    "mean_interval",
    "paired",
    "share_interval",
    "stream",
    "unpaired",
]

__getattr__, __dir__ = offers(
    __name__,
    {
        "crossed_difference": ("dnnlab.statistics.crossed", "crossed_difference"),
        "crossed_interval": ("dnnlab.statistics.crossed", "crossed_interval"),
        "false_discovery": ("dnnlab.statistics.comparisons", "false_discovery"),
        "holm": ("dnnlab.statistics.comparisons", "holm"),
        "kendall_tau": ("dnnlab.statistics.rank", "tau"),
        "mean_interval": ("dnnlab.statistics.intervals", "mean_interval"),
        "paired": ("dnnlab.statistics.comparisons", "paired"),
        "share_interval": ("dnnlab.statistics.intervals", "share_interval"),
        "stream": ("dnnlab.statistics.streams", "stream"),
        "unpaired": ("dnnlab.statistics.comparisons", "unpaired"),
    },
)
