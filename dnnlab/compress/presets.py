"""Chains by name, and their strength where it was tuned. Importing this module imports nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """A chain; ``tuned`` has stronger or weaker ones for some networks on some data, see docs/compress.md."""

    help: str
    chain: str
    tuned: Mapping[str, str]

    def on(self, network: str, data: str) -> str:
        """The chain for the network of this name on this data."""
        return self.tuned.get(f"{network} on {data}", self.chain)


PRESETS = {
    "deep-compression": Preset(
        "prune, share, entropy-code (Han 2016)",
        "prune:0.9 > share:5bit > code",
        {
            "lenet300 on mnist": "prune:0.92@15 > share:5bit@3 > code",
            "lenet5 on mnist": "prune:0.92@5 > share:5bit@1 > code",
        },
    ),
    "mobile": Preset("fewer channels, then INT8", "structured:2x > int8", {}),
    "smallest": Preset(
        "the fewest bytes: most weights at zero, few levels, entropy-coded",
        "prune:0.95 > share:3bit > code",
        {
            "lenet300 on mnist": "prune:0.976@30 > share:3bit@5 > code",
            "lenet5 on mnist": "prune:0.9952@35 > share:3bit@5 > code",
        },
    ),
}
