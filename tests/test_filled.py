"""No column of a summary is forgotten: of cells that hold something everywhere, each is filled in some row.

`fit` makes what a summary leaves out empty, since a configuration that failed has no numbers; a column that no
configuration fills would be empty for ever. The cells are those of a small plan, with made-up numbers.
"""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from dnnlab.nas.codes import write_code
from dnnlab.networks import spaces
from dnnlab.registry import EXPERIMENTS
from dnnlab.report.columns import Column
from dnnlab.report.table import fit, values
from dnnlab.runner.options import build
from dnnlab.statistics.answers import packed

LAYERS = [
    {
        "step": step,
        "layer": layer,
        "name": f"layer {layer}",
        "input_features": 64.0,
        "classes": 10.0,
        "units": 8.0,
    }
    for step in (0, 4)
    for layer in range(5)
]
"""Of a network whose first layers were looked at, before and after four steps."""


def looks(cell, rng):
    yield from LAYERS


def ill_and_healed(cell, rng):
    """Of a network whose gradient vanishes, and of a remedy under which it does not."""
    for remedy, rate in (("", 1e-3), ("norm layer", 0.9)):
        for row in LAYERS:
            if not remedy or row["step"] == 0:
                yield row | {"remedy": remedy, "delta_norm": rate ** (4 - row["layer"]) * (1 + rng.random() / 100)}


def passes(cell, rng):
    """Of a network of one's own, at whose first layer no gradient arrived."""
    for row in LAYERS:
        yield (
            row
            | {"remedy": "", "place": "hidden" if row["layer"] else ""}
            | ({"delta_norm": np.nan} if row["layer"] == 1 else {})
        )


def not_found(cell, rng):
    """Of a network of one's own, the units of whose first layer are not known."""
    for row in LAYERS:
        if row["step"] == 0:
            yield row | ({"units": np.nan, "dead": np.nan} if row["layer"] == 1 else {})


def points(cell, rng):
    yield from ({"block": block, "drawn": 100.0, "dead": 50.0} for block in range(3))


def costs_and_trainings(cell, rng):
    yield {"part": cell.part, "outcome": "", "noisy": 0.0, "macs": 1e6, "params": 1e4}


def rounds(cell, rng):
    yield from ({"round": number, "params": 8.0, "weights": 4.0, "macs": 16.0} for number in range(3))


def widths(cell, rng):
    for width in (1, 2, 4, 8, 16):
        yield {"width": width, "solved": float(width > cell.inputs), "steps": 50.0, "ended": 1.0}


def layers(cell, rng):
    yield from ({"layer": layer, "features": 4} for layer in range(3))


def treatments(cell, rng):
    from dnnlab.compare_arch.transfer.columns import TREATMENTS

    yield from ({"treatment": treatment, "trained_parameters": 8.0} for treatment in TREATMENTS)


def stages(cell, rng):
    for role in ("chain", "control") if cell.recipe else ("baseline",):
        yield {"role": role, "stage": 1.0, "tested": 100.0, "errors": rng.integers(9), "base_errors": rng.integers(9),
               "lost": rng.integers(1, 9), "gained": rng.integers(1, 9)}  # fmt: skip


def searches(cell, rng):
    """One search: trainings, each with a cheap score, a supernet, and what is found, retrained and tested."""
    space = spaces.find(cell.space)
    codes = [tuple(int(rng.integers(size)) for size in space.sizes) for _ in range(30)]
    codes += [tuple(min(number, size - 1) for size in space.sizes) for number in (1, 2)]  # of one activation
    number = 0
    for phase, several in {"inherit": codes, "search": codes, "supernet": [()], "retrain": codes[:1],
                           "final": codes[:1]}.items():  # fmt: skip
        for code in several:
            number += 1
            made = {"code": write_code(code), "id": space.identity(code)} if code else {"code": "", "id": ""}
            if code:  # the first dimension matters
                made["validation"] = 0.2 * code[0] + rng.random() / 10
            yield {"phase": phase, "evaluation": number, "epochs": 1.0, "problem": "", **made}


def scores(cell, rng):
    from dnnlab.nas.proxies.columns import SCORES

    for network in range(20):
        same = {"id": str(network), "validation": rng.random()}
        yield from (same | {"score": score} for score in SCORES)


def statements(cell, rng):
    yield {"true": 1.0}


SMALL = {"seeds": 3}
FULL = {
    "dnnlab.gradient_flow": ({"act": ["relu"], "depth": [20], "steps": 4, "batch_size": [8], **SMALL}, ill_and_healed),
    "dnnlab.dead_relu.census": ({"depth": [3], "steps": 4, **SMALL}, looks),
    "dnnlab.dead_relu.remedies": ({"depth": [3], "steps": 4, "remedies": True, **SMALL}, looks),
    "dnnlab.dead_relu.born": ({"born": True, "width": [2], "depth": [2]}, points),
    "dnnlab.compare_arch.equal_budget": (
        {"arch": ["resnet20", "plain20"], **SMALL},
        costs_and_trainings,
    ),
    "dnnlab.compare_arch.blocks": ({"block": True}, rounds),
    "dnnlab.compare_arch.shallow_deep": ({"preset": "shallow-deep", **SMALL}, widths),
    "dnnlab.compare_arch.separability": ({"preset": "separability", **SMALL}, layers),
    "dnnlab.compare_arch.transfer": ({"preset": "transfer", **SMALL}, treatments),
    "dnnlab.compress": ({"arch": ["mlp1"], "method": ["prune:0.5"], **SMALL}, stages),
    "dnnlab.nas.search": ({"strategy": ["oneshot"], **SMALL}, searches),
    "dnnlab.nas.objectives": (
        {"strategy": ["evolution"], "objectives": ["accuracy", "parameters"], **SMALL},
        searches,
    ),
    "dnnlab.nas.proxies": ({"proxies": True, **SMALL}, scores),
    "dnnlab.check": ({"statement": ["1 + 1 = 2"]}, statements),
}
"""Of each question the options of a small plan, and the rows of one of its cells: what a summary groups by, and numbers
that must not be any. ``--table`` has the summary and the columns of a search."""
OWN = {
    "dnnlab.gradient_flow": ({"model": "mine:net", **SMALL}, passes),
    "dnnlab.dead_relu.census": ({"model": "mine:net", **SMALL}, not_found),
}
"""The same of a network of one's own, where that fills other columns."""


def anything(column, rng):
    """A number between 0 and 1, a one, or a text, which of answers must be answers; nobody is worse than guessing."""
    if column.name == "guessing":
        return 0.0
    if column.dtype is not str:
        return rng.random() if column.dtype is float else 1
    return packed(rng.random(40) < 0.7) if column.name.endswith("right") else "any"


def made_up(spec, rows):
    """Cells without a gap: any number between 0 and 1, and any text, where ``rows`` says nothing."""
    rng = np.random.default_rng(0)
    columns = spec.question.schema.cells
    table = []
    for cell in spec.plan():
        asked = {field.name: getattr(cell, field.name) for field in dataclasses.fields(cell)}
        table += [{c.name: anything(c, rng) for c in columns} | {"error": ""} | row | asked for row in rows(cell, rng)]
    return fit(pd.DataFrame(table), columns)


def never_filled(table, schema):
    """The columns that hold nothing in any row, in words; those of the configuration hold what was asked for."""
    columns = [column.name for column in schema.summary if column.name not in schema.configuration]
    empty = [name for name in columns if all(value in (None, "") for value in values(table[name]))]
    return f"no row of summary.csv fills {', '.join(empty)}; columns.py has it, so summary.py must" if empty else ""


@pytest.mark.parametrize("package", FULL)
def test_every_column_of_a_summary_is_filled(package):
    (experiment,) = (each for each in EXPERIMENTS.values() if f"{package}.".startswith(f"{each.package}."))
    tables = []
    for options, rows in [FULL[package], *([OWN[package]] if package in OWN else [])]:
        spec = build(experiment.spec.Spec, options)
        assert spec.question.package == package
        tables.append(spec.question.summary.summarise(made_up(spec, rows), spec))
    table = pd.concat(tables)
    told = never_filled(table, spec.question.schema)
    assert not told, told


def test_every_summary_is_looked_at():
    questions = [question for experiment in EXPERIMENTS.values() for question in experiment.spec.QUESTIONS]
    seen = [(q.summary, q.schema) for q in questions if q.package in FULL]
    left = [q.package for q in questions if (q.summary, q.schema) not in seen]
    assert not left, f"FULL of tests/test_filled.py lacks {', '.join(left)}"


def test_a_forgotten_column_is_named():
    spec = build(EXPERIMENTS["check"].spec.Spec, {"statement": ["1 + 1 = 2"]})
    schema = spec.question.schema
    table = spec.question.summary.summarise(made_up(spec, statements), spec)
    longer = dataclasses.replace(schema, summary=(*schema.summary, Column("forgotten", float, "Anything.")))
    assert never_filled(fit(table, longer.summary), longer).startswith("no row of summary.csv fills forgotten;")
