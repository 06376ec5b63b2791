"""The columns of the files of networks born dead."""

from dnnlab.report.columns import Column, Schema

WITHIN, OUTSIDE, NO_BOUND = "within bounds", "outside bounds", "no bound"
TONES = {WITHIN: "good", OUTSIDE: "bad", NO_BOUND: "muted"}

CELLS = (
    Column("width", int, "units a hidden layer"),
    Column("depth", int, "hidden layers"),
    Column("init", str, "initialiser"),
    Column("nets", int, "networks of this point"),
    Column("block", int, "part of them"),
    Column("drawn", float, "networks in this part"),
    Column("dead", float, "of those, constant from birth"),
    Column("error", str, "why nothing was measured"),
)
SUMMARY = (
    Column("width", int, "units a hidden layer", screen="width"),
    Column("depth", int, "hidden layers", screen="depth"),
    Column("init", str, "initialiser", screen="init"),
    Column("n", int, "networks drawn", screen="n"),
    Column(
        "probability",
        float,
        "share of networks that are constant from birth",
        screen="born dead",
        low="probability_lo",
        high="probability_hi",
    ),
    Column("probability_lo", float, "lower end of its exact 95 % interval"),
    Column("probability_hi", float, "upper end"),
    Column("lower_bound", float, "proven lower bound (Lu 2019); empty where none holds", screen="at least"),
    Column("upper_bound", float, "proven upper bound (Rister & Rubin 2020, Lu 2019)", screen="at most"),
    Column("verdict", str, "within bounds, outside bounds, or no bound", screen="verdict"),
    Column("failed", int, "cells that failed; cells.csv says why"),
)

SCHEMA = Schema(CELLS, SUMMARY, TONES, ("width", "depth", "init"), compared=("probability",), count="n")
