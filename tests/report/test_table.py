import csv
import io
import json
import math
import re
import struct
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from dnnlab.report.columns import Column
from dnnlab.report.numbers import Form, number
from dnnlab.report.screen import render, show
from dnnlab.report.table import cells, fold, read_csv, to_csv, to_json
from dnnlab.terminal import one_line

from .sample import COLUMNS, FRAME, TONES

PAIR = [
    Column("text", str, "Any text.", screen="text"),
    Column("number", float, "Any number.", screen="number"),
]
texts = st.text(st.characters(exclude_categories=["Cs"]))


def test_what_all_rows_share_goes_to_the_caption(frame):
    shown, same = fold(frame, [column for column in COLUMNS if column.screen])
    assert [column.name for column in shown] == ["act", "rate", "time", "finite", "verdict", "remedy"]
    assert same == "data digits · width 64"


def test_estimates_verdicts_and_a_single_row_stay_in_the_table(frame):
    frame = frame.iloc[[0, 0]]
    shown, same = fold(frame, [column for column in COLUMNS if column.screen])
    assert [column.name for column in shown] == ["rate", "verdict"]
    assert "time 1.23·10⁻⁵ s" in same
    assert fold(frame.iloc[:1], COLUMNS) == (COLUMNS, "")


def test_what_nobody_has_is_not_shown(frame):
    frame = frame.assign(remedy="", time=float("nan"))
    shown, same = fold(frame, COLUMNS)
    assert not {"remedy", "time"} & {column.name for column in shown}
    assert "remedy" not in same
    assert "time" not in same


def test_a_column_says_how_its_numbers_are_written():
    columns = [
        Column("share", float, "", screen="share", form=Form.SHARE, low="lo", high="hi"),
        Column("size", int, "", unit="B", screen="size", form=Form.BYTES),
        Column("time", float, "", unit="ms", screen="time"),
    ]
    frame = pd.DataFrame(
        {"share": [0.141, 1.0], "lo": [0.14, 1.0], "hi": [0.143, 1.0], "size": [5500, 5500], "time": [2.5, 2.5]}
    )
    assert cells(frame, columns[0]) == ["14.1 % [14.0, 14.3]", "100 %"]
    assert [column.heading for column in columns] == ["share", "size", "time (ms)"]  # bytes have a unit each
    assert fold(frame, columns)[1] == "size 5.5 kB · time 2.5 ms"


def printed(frame, columns, capsys):
    show(frame, columns, "A title", TONES)
    return capsys.readouterr().out


def test_a_piped_table_is_in_full_without_colours(frame, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    out = printed(frame, COLUMNS, capsys)
    assert "\x1b" not in out
    assert "…" not in out
    lines = out.splitlines()
    assert lines[0] == "A title"
    assert lines[-1] == "data digits · width 64"
    assert len(lines) == 3 + 3 + 1  # title, headings and rule; a line a row; what all share
    for row, line in enumerate(lines[3:-1]):
        for column in fold(frame, [column for column in COLUMNS if column.screen])[0]:
            assert cells(frame, column)[row] in line
    assert "0.408 [0.401, 0.415]" in out
    assert "[red]tanh[/red] :smile:" in out
    assert "time (s)" in out


WIDE = pd.DataFrame({"act": ["日本語", "e\u0301", "  a  ", "\t", ""], "rate": [1.0, math.nan, 2.5, 1e9, -0.1]})


@pytest.mark.parametrize("shown", [FRAME, FRAME.head(1), FRAME.head(0), FRAME.iloc[[0, 2]]])
def test_a_piped_table_looks_as_rich_lays_it_out(shown, capsys):
    _looks_as_rich_lays_it_out(shown, COLUMNS, capsys)


def test_wide_and_combining_characters_take_their_places(capsys):
    _looks_as_rich_lays_it_out(
        WIDE, [Column("act", str, "", screen="act"), Column("rate", float, "", screen="r")], capsys
    )


def _looks_as_rich_lays_it_out(shown, columns, capsys):
    console = Console(file=io.StringIO(), width=400, color_system=None)
    console.print(render(shown, columns, "A title", TONES))
    ours, theirs = printed(shown, columns, capsys), console.file.getvalue()
    assert [line.rstrip() for line in ours.splitlines()] == [line.rstrip() for line in theirs.splitlines()]


@given(st.lists(st.tuples(texts, st.floats()), min_size=2, max_size=4))
def test_no_text_breaks_a_piped_table(rows):
    frame = pd.DataFrame(rows, columns=["text", "number"]).astype({"text": object, "number": float})
    sink = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", sink)
        show(frame, PAIR, "A title", {})
    for text, value in rows:  # a column that is blank throughout is not shown, and then there is nothing to find
        assert not text.strip() or one_line(text).rstrip() in sink.getvalue()
        assert math.isnan(value) or number(value) in sink.getvalue()
    assert "\x1b" not in sink.getvalue()


def on_terminal(frame, width, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    sink = Terminal()
    monkeypatch.setattr(sys, "stdout", sink)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    show(frame, COLUMNS, "A title", TONES)
    out = re.sub(r"\x1b\[[\d;]*m", "", sink.getvalue())
    assert max(map(len, out.splitlines())) <= width
    return out


@pytest.mark.parametrize("width", [30, 60])
def test_a_terminal_too_narrow_for_the_table_has_a_line_a_value(frame, width, monkeypatch):
    out = "".join(on_terminal(frame, width, monkeypatch).split())
    for column in fold(frame, [column for column in COLUMNS if column.screen])[0]:
        assert out.count("".join(column.heading.split())) >= len(frame)
        for cell in cells(frame, column):
            assert "".join(cell.split()) in out


@pytest.mark.parametrize("width", [80, 200])
def test_a_terminal_wraps_and_loses_no_character(frame, width, monkeypatch):
    out = on_terminal(frame, width, monkeypatch)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    show(frame, COLUMNS, "A title", TONES)
    whole, wrapped = (Counter("".join(text.replace("─", "").split())) for text in (sys.stdout.getvalue(), out))
    assert wrapped == whole


def test_a_verdict_has_a_colour_and_stays_a_word(frame):
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=250)
    console.print(render(frame, COLUMNS, "A title", TONES))
    assert "\x1b[1;31mvanishes" in console.file.getvalue()
    assert "\x1b[32msteady" in console.file.getvalue()


def test_control_characters_cannot_steer_the_terminal():
    assert one_line("a\x1b[31m\nb\u2028\udc80é–") == r"a\x1b[31m\nb\u2028\udc80é–"


def bits(value):
    return struct.pack("<d", value)


@given(st.lists(st.tuples(texts, st.floats(allow_nan=False)), min_size=1))
def test_csv_round_trip(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    frame = pd.DataFrame(rows, columns=["text", "number"]).astype({"text": object, "number": float})
    to_csv(frame[["number", "text"]], PAIR, path)
    back = read_csv(path, PAIR)
    assert list(back.columns) == ["text", "number"]
    assert back["text"].tolist() == frame["text"].tolist()
    assert [*map(bits, back["number"])] == [*map(bits, frame["number"])]
    with path.open(encoding="utf-8", newline="") as file:
        independent = list(csv.reader(file))[1:]
    assert [(text, bits(float(value))) for text, value in independent] == [(t, bits(v)) for t, v in rows]


def test_csv_as_pandas_and_people_read_it(frame, tmp_path):
    to_csv(frame[frame.columns[::-1]], COLUMNS, tmp_path / "table.csv")
    raw = (tmp_path / "table.csv").read_bytes()
    assert b"\r" not in raw
    assert raw.splitlines()[0] == ",".join(column.name for column in COLUMNS).encode()
    assert raw.splitlines()[1].startswith(b"sigmoid,digits,64,0.408123456789,0.4012,0.4153,1.23e-05,True,vanishes,")
    back = pd.read_csv(tmp_path / "table.csv", dtype={"rate": str, "time": str})  # before pandas 3 floats are off
    back[["rate", "time"]] = back[["rate", "time"]].map(float)
    pd.testing.assert_frame_equal(
        back.drop(columns="remedy"), frame.drop(columns="remedy"), check_exact=True, check_dtype=False
    )


def test_gaps_and_words_that_look_missing_survive(tmp_path):
    columns = [Column("s", str, ""), Column("i", int, ""), Column("b", bool, ""), Column("f", float, "")]
    frame = pd.DataFrame(
        {
            "s": ["NA", "None", ""],
            "i": pd.array([2**62, None, -1], dtype="Int64"),
            "b": pd.array([True, None, False], dtype="boolean"),
            "f": [math.nan, -math.inf, -0.0],
        }
    )
    to_csv(frame, columns, tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text() == (f"s,i,b,f\nNA,{2**62},True,\nNone,,,-inf\n,-1,False,-0.0\n")
    back = read_csv(tmp_path / "table.csv", columns)
    pd.testing.assert_frame_equal(back, frame.astype({"s": object}))
    assert math.copysign(1, back["f"].iloc[2]) == -1


def test_a_single_column_of_empty_text_keeps_its_rows(tmp_path):
    columns = [Column("s", str, "")]
    to_csv(pd.DataFrame({"s": ["", "a", ""]}), columns, tmp_path / "table.csv")
    assert read_csv(tmp_path / "table.csv", columns)["s"].tolist() == ["", "a", ""]


def test_a_file_of_another_schema_is_refused(frame, tmp_path):
    with pytest.raises(ValueError, match="missing act"):
        to_csv(frame.drop(columns="act"), COLUMNS, tmp_path / "table.csv")
    to_csv(frame, COLUMNS, tmp_path / "table.csv")
    with pytest.raises(ValueError, match=r"missing text.*schema: act"):
        read_csv(tmp_path / "table.csv", PAIR)


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


@given(st.lists(st.tuples(st.text(), st.floats()), max_size=5))
def test_json_is_strict_and_exact(rows):
    frame = pd.DataFrame(rows, columns=["text", "number"]).astype({"text": object, "number": float})
    back = json.loads(to_json(frame), parse_constant=refuse)
    assert [row["text"] for row in back] == [text for text, _ in rows]
    for row, (_, value) in zip(back, rows, strict=True):
        assert row["number"] is None if not math.isfinite(value) else bits(row["number"]) == bits(value)


@pytest.mark.parametrize("text", ["f,b\n1.0\n", "f,b\nx,True\n", "f,b\n1.0,yes\n", "", "f,f\n1.0,1.0\n"])
def test_a_damaged_file_is_refused(text, tmp_path):
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(ValueError, match=r"."):
        read_csv(tmp_path / "table.csv", [Column("f", float, ""), Column("b", bool, "")])


def test_no_rows_are_a_table_too(frame, tmp_path, capsys):
    empty = frame.iloc[:0]
    assert printed(empty, COLUMNS, capsys).startswith("A title\nact  data  width")
    to_csv(empty, COLUMNS, tmp_path / "table.csv")
    assert len(read_csv(tmp_path / "table.csv", COLUMNS)) == 0
    assert to_json(empty) == "[]"


def test_json_holds_python_values():
    assert to_json(pd.DataFrame({"o": pd.Series([np.int64(1)], dtype=object)})) == '[\n  {\n    "o": 1\n  }\n]'
    frame = pd.DataFrame({"i": np.array([1], "int32"), "b": [np.True_], "f": np.array([0.5], "float32")})
    assert to_json(frame.assign(n=pd.array([None], dtype="Int64"))) == (
        '[\n  {\n    "i": 1,\n    "b": true,\n    "f": 0.5,\n    "n": null\n  }\n]'
    )
    assert json.loads(to_json(FRAME), parse_constant=refuse)[2]["time"] is None


def test_a_dash_that_somebody_wrote_is_text_and_what_does_not_apply_is_a_dash():
    columns = [Column("a", str, "", screen="a"), Column("width", int, "", screen="width", blank=0)]
    frame = pd.DataFrame({"a": ["", "–"], "width": [0, 64]})
    shown, _ = fold(frame, columns)
    assert [column.name for column in shown] == ["a", "width"]
    assert cells(frame, columns[1]) == ["–", "64"]
    assert fold(frame.assign(width=0), columns)[0] == columns[:1]  # of no network is there a width
