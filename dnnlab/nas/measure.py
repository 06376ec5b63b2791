"""What happens on the device: searches that train, searches of a table, or cheap scores beside trainings."""

from collections.abc import Iterator, Sequence
from typing import Any

from dnnlab.nas.spec import Spec
from dnnlab.runner.journal import Rows
from dnnlab.runner.place import Place

SMALL = 16 * 16
"""Numbers in an input up to which a second thread waits longer than it works."""


def steps(cells: Sequence[Any], spec: Spec, device: str, place: Place, past: Sequence[Rows]) -> Iterator[Rows]:
    """The rows of one stack, in parts."""
    if spec.table:
        from dnnlab.nas import tabular

        yield from tabular.steps(cells, spec, place, past)
        return
    import torch

    from dnnlab.data import load
    from dnnlab.nas import correlations, searching

    if load(cells[0].data).features <= SMALL:
        torch.set_num_threads(1)  # whoever called sets it back
    question = correlations.steps if spec.proxies else searching.steps
    yield from question(cells, spec, device, place, past)
