"""The questions of compare-arch. Each is a package with rooms of its own, as an experiment has them, and ``plan.py``
with its cells in place of ``spec.py``."""

import importlib
from typing import Any

MAIN, BLOCKS = "", "--block"

PACKAGES = {
    MAIN: "equal_budget",
    BLOCKS: "blocks",
    "--preset shallow-deep": "shallow_deep",
    "--preset separability": "separability",
    "--preset transfer": "transfer",
}
QUESTIONS = tuple(PACKAGES)


def room(question: str, name: str) -> Any:
    """The room called ``name`` of the question, which is one of `QUESTIONS`."""
    return importlib.import_module(f"dnnlab.compare_arch.{PACKAGES[question]}.{name}")
