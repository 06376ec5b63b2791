"""Statistics: intervals and comparisons over seeds, agreement of two rankings, and random streams.

Intervals are of 95 %. A value that is not finite, as of a network that diverged, is left out of a mean.
"""

from typing import TYPE_CHECKING

from dnnlab.lazy import offers

if TYPE_CHECKING:
    from dnnlab.statistics.intervals import holm, mean_interval, paired, share_interval, unpaired
    from dnnlab.statistics.rank import tau as kendall_tau
    from dnnlab.statistics.streams import stream

__all__ = ["holm", "kendall_tau", "mean_interval", "paired", "share_interval", "stream", "unpaired"]

__getattr__, __dir__ = offers(
    __name__,
    {
        "holm": ("dnnlab.statistics.intervals", "holm"),
        "kendall_tau": ("dnnlab.statistics.rank", "tau"),
        "mean_interval": ("dnnlab.statistics.intervals", "mean_interval"),
        "paired": ("dnnlab.statistics.intervals", "paired"),
        "share_interval": ("dnnlab.statistics.intervals", "share_interval"),
        "stream": ("dnnlab.statistics.streams", "stream"),
        "unpaired": ("dnnlab.statistics.intervals", "unpaired"),
    },
)
