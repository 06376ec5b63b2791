"""Published results on MNIST: compressed bytes as the authors counted them, relative to 4 bytes per parameter."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """One published result."""

    name: str
    network: str
    error: float
    """Share of the test examples that are classified wrong."""
    ratio: float


RECORDS = (
    Record("Han 2016", "lenet300", 0.0158, 40),
    Record("Molchanov 2017, with indices", "lenet300", 0.0192, 63),
    Record("Oktay 2020", "lenet300", 0.019, 124),
    Record("Han 2016", "lenet5", 0.0074, 39),
    Record("Oktay 2020", "lenet5", 0.010, 606),
    Record("Havasi 2019", "lenet5", 0.0083, 1000),
)


def of(network: str, data: str) -> list[Record]:
    """The published results for this network; there are some on MNIST alone."""
    return [record for record in RECORDS if data == "mnist" and record.network == network]
