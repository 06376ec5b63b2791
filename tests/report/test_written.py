"""Tables for other documents: what is written reads back."""

import io
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlab.report.columns import Column
from dnnlab.report.numbers import Form
from dnnlab.report.table import cells, fold
from dnnlab.report.written import WRITTEN
from dnnlab.runner.run_options import FORMS

from .sample import COLUMNS, FRAME


def test_each_form_is_written():
    assert tuple(WRITTEN) == FORMS


def _columns():
    return [column for column in COLUMNS if column.name not in ("rate_lo", "rate_hi")]


def rows_of_markdown(text):
    """The cells of a table in GitHub's Markdown, by the rules of its specification."""
    lines = text.split("\n\n")[0].split("\n")
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    return [[re.sub(r"\\(.)", r"\1", cell.strip()) for cell in row] for row in rows]


def test_markdown_reads_back():
    text = WRITTEN["markdown"](FRAME, COLUMNS)
    shown, same = fold(FRAME, _columns())
    heading, sides, *rows = rows_of_markdown(text)
    assert heading == [column.heading for column in shown]
    assert sides == ["---" if column.dtype is str else "---:" for column in shown]
    assert rows == [list(row) for row in zip(*(cells(FRAME, column) for column in shown), strict=True)]
    assert text.endswith(same)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])), min_size=2, max_size=4))
def test_no_text_breaks_a_markdown_table(texts):
    frame = pd.DataFrame({"text": pd.Series(texts, dtype=object), "n": range(len(texts))})
    columns = [Column("text", str, "", screen="text"), Column("n", int, "", screen="n")]
    rows = rows_of_markdown(WRITTEN["markdown"](frame, columns))[2:]
    assert len(rows) == len(texts)
    assert [row[-1] for row in rows] == [str(n) for n in range(len(texts))]


def test_latex_has_a_line_a_row_and_no_mark_of_its_own_in_a_text():
    text = WRITTEN["latex"](FRAME.assign(remedy="50 % of a_b & c$"), COLUMNS)
    lines = text.splitlines()
    assert lines[0].startswith(r"\begin{tabular}{")
    body = lines[lines.index(r"\midrule") + 1 : lines.index(r"\bottomrule")]
    assert len(body) == len(FRAME)
    shown = fold(FRAME.assign(remedy="x"), _columns())[0]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in body} == {len(shown) - 1}
    assert lines[-1] == r"% data digits · width 64 · remedy 50 % of a_b & c$"


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        (Column("x", float, "", screen="x", form=Form.SHARE), 0.141, r"14.1 \%"),
        (Column("x", float, "", screen="x", form=Form.FACTOR), 36.66, r"36.7$\times$"),
        (Column("x", float, "", screen="x"), 6.6e-17, r"6.6$\cdot 10^{-17}$"),
        (Column("x", float, "", screen="x"), -1e-16, r"-$10^{-16}$"),
        (Column("x", str, "", screen="x"), "$$ 10⁴", r"\$\$ $10^{4}$"),
    ],
)
def test_latex_sets_numbers_as_formulas(column, value, text):
    lines = WRITTEN["latex"](pd.DataFrame({"x": [value]}), [column]).splitlines()
    assert lines[lines.index(r"\midrule") + 1] == rf"{text} \\"


def test_comma_separated_is_the_summary_itself():
    text = WRITTEN["csv"](FRAME, COLUMNS)
    read = pd.read_csv(io.StringIO(text), keep_default_na=False)
    assert list(read) == [column.name for column in COLUMNS]
    assert float(read["rate"][0]) == pytest.approx(0.408123456789, abs=0)


@pytest.mark.parametrize("form", ["markdown", "latex"])
def test_the_options_of_a_single_row_stand_below_it(form):
    columns = [*(Column(f"option{i}", int, "", screen=f"option{i}") for i in range(9)), *COLUMNS]
    one = FRAME.head(1).assign(**{f"option{i}": 700 + i for i in range(9)})
    names = [f"option{i}" for i in range(9)]
    end = "\n\n" if form == "markdown" else "\\end{tabular}\n"
    table, _, below = WRITTEN[form](one, columns, names).partition(end)
    assert not any(name in table for name in names)
    assert all(f"{name} {700 + i}" in below for i, name in enumerate(names))
    several, _, _ = WRITTEN[form](pd.concat([one, one + one]), columns, names).partition(end)
    assert all(name in several for name in names)  # other values of all options tell the two rows apart
