"""The columns of ``cells.csv`` and ``summary.csv``, which each question has its own of."""

from typing import Any

from dnnlab.compare_arch.questions import QUESTIONS, room
from dnnlab.report.columns import Schema

SCHEMAS: dict[str, Schema] = {question: room(question, "columns").SCHEMA for question in QUESTIONS}


def schema(spec: Any) -> Schema:
    """That of the question."""
    return SCHEMAS[spec.question]
