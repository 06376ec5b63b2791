"""What the literature reached on MNIST: compressed bytes by their authors' own count, over 4 bytes a parameter."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """One published result."""

    name: str
    network: str
    error: float
    """Share of the test examples."""
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
    """Those of this network; on MNIST alone."""
    return [record for record in RECORDS if data == "mnist" and record.network == network]
