"""What happens on the device: searches that train, searches of a table, or cheap scores beside trainings."""

from collections.abc import Iterator, Sequence
from typing import Any

from dnnlab.nas.spec import Spec
from dnnlab.runner.journal import Rows
from dnnlab.runner.place import Place


def steps(cells: Sequence[Any], spec: Spec, device: str, place: Place, past: Sequence[Rows]) -> Iterator[Rows]:
    """The rows of one stack, in parts."""
    if spec.table:
        from dnnlab.nas import tabular

        yield from tabular.steps(cells, spec, place, past)
    elif spec.proxies:
        from dnnlab.nas import correlations

        yield from correlations.steps(cells, spec, device, place, past)
    else:
        from dnnlab.nas import searching

        yield from searching.steps(cells, spec, device, place, past)
