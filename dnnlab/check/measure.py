"""The values of both sides of a statement."""

import math
from collections.abc import Callable, Sequence

from dnnlab.check import language
from dnnlab.check.plan import Cell
from dnnlab.check.quantities import QUANTITIES
from dnnlab.check.spec import Spec
from dnnlab.runner.journal import Rows


def measure(cells: Sequence[Cell], spec: Spec, device: str, progress: Callable[[float], None]) -> Rows:
    """One row per statement."""
    rows: Rows = {name: [] for name in ("cell", "left", "right", "true", "derivation")}
    for number, cell in enumerate(cells):
        statement = language.parse(cell.statement, QUANTITIES)
        left, right = (language.value(side, QUANTITIES) for side in (statement.left, statement.right))
        digits = statement.digits(left, right)
        sides = [language.worked_out(side, QUANTITIES, digits) for side in (statement.left, statement.right)]
        true = statement.holds(left, right)
        rows["cell"].append(number)
        rows["left"].append(float(left))
        rows["right"].append(float(right))
        rows["true"].append(math.nan if true is None else float(true))
        rows["derivation"].append("; ".join(filter(None, sides)))
    return rows
