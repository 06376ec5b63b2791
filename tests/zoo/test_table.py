"""What the docs say of the zoo is what its published table has."""

from pathlib import Path

import pandas as pd

from tests.zoo.check import CHECKS, RIGHT, UNKNOWN, UNTOLD

HERE = Path(__file__).parent


def test_the_docs_say_what_the_table_has():
    table = pd.read_csv(HERE / "networks.csv")
    docs = " ".join((HERE.parent.parent / "docs/using.md").read_text().split())
    assert table["network"].is_unique
    assert f"on {len(table)} published networks" in docs
    for check in CHECKS[:3]:
        assert (table[check] == RIGHT).all()
    units = table["units"].value_counts()
    assert f"In {units[RIGHT]} the dead units of every activation are right" in docs
    assert f"in two some units are *not known*, and of some activations of the other {units[UNTOLD]}" in docs
    assert units[UNKNOWN] == 2
    assert units.sum() == units[[RIGHT, UNTOLD, UNKNOWN]].sum()  # none is wrong or refused
