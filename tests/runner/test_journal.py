"""The journal: what goes in comes out bit for bit, what was torn is dropped, what was damaged is named."""

import json
import math
import os
import struct
import subprocess
import sys
import threading
import zlib
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dnnlab.runner.journal import Entry, Journal, Writer

fcntl = pytest.importorskip("fcntl", reason="POSIX alone has it")

values = st.one_of(st.floats(), st.integers(-(2**70), 2**70), st.text(), st.none())
lengths = st.integers(0, 5)
rows = lengths.flatmap(lambda n: st.dictionaries(st.text(), st.lists(values, min_size=n, max_size=n), max_size=5))
entries = st.builds(Entry, st.text(), rows, st.floats(0, 1e6), st.text())
any_place = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

A = Entry("a", {"cell": [0, 1], "x": [0.1, math.inf]}, 1.0)
B = Entry("b", {"cell": [0, 1], "x": [math.nan, -0.0]}, 2.0)


def bits(value):
    """Equal for two floats only when all 64 bits are; one NaN is like another."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack(">d", value)
    return [*map(bits, value)] if isinstance(value, list) else value


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal.jsonl")


def write(journal, *written):
    with journal.writing() as writer:
        for entry in written:
            writer.append(entry)


@any_place
@given(st.lists(entries, max_size=4, unique_by=lambda entry: entry.stack))
def test_entries_come_back_bit_for_bit(tmp_path_factory, written):
    journal = Journal(tmp_path_factory.mktemp("journal") / "journal.jsonl")
    write(journal, *written)
    read = journal.read()
    assert list(read) == [entry.stack for entry in written]
    for entry in written:
        back = read[entry.stack]
        assert (back.seconds, back.error, list(back.rows)) == (entry.seconds, entry.error, list(entry.rows))
        for name in entry.rows:
            assert bits(back.rows[name]) == bits(entry.rows[name])


def test_where_there_is_no_journal_nothing_is_read(journal):
    assert journal.read() == {}
    assert not journal.path.exists()


def test_the_last_entry_of_a_stack_counts(journal):
    write(journal, replace(A, rows={}, error="RuntimeError: out of memory"), B)
    write(journal, A)
    assert journal.read()["a"].error == ""
    assert len(journal.read()) == 2


def test_an_entry_is_one_write_and_one_line(journal, monkeypatch):
    written = []

    def spy(descriptor, data, real=os.write):
        written.append(data)
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", spy)
    write(journal, A, B)
    assert journal.path.read_bytes() == b"".join(written)
    assert [data.count(b"\n") for data in written] == [1, 1]


def test_a_split_write_is_completed(journal, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:7]))
    write(journal, A, B)
    assert list(journal.read()) == ["a", "b"]


@pytest.mark.parametrize("kept", [1, 10, -2, -1])
def test_a_torn_last_line_is_dropped_with_a_warning_and_cut_off(journal, kept):
    write(journal, A)
    whole = journal.path.read_bytes()
    write(journal, B)
    second = journal.path.read_bytes()[len(whole) :]
    journal.path.write_bytes(whole + second[:kept])
    with pytest.warns(UserWarning, match="cut short"):
        assert list(journal.read()) == ["a"]
    assert journal.path.read_bytes() == whole + second[:kept]  # reading changes nothing
    with pytest.warns(UserWarning, match="cut short"):
        write(journal, B)
    assert journal.path.read_bytes() == whole + second
    assert list(journal.read()) == ["a", "b"]


@any_place
@given(st.data())
def test_one_changed_byte_is_noticed_wherever_it_is(tmp_path_factory, data):
    journal = Journal(tmp_path_factory.mktemp("journal") / "journal.jsonl")
    write(journal, A, B)
    content = bytearray(journal.path.read_bytes())
    first = content.index(b"\n")
    place = data.draw(st.integers(0, first - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != content[place] and b != ord("\n")))
    content[place] = byte
    journal.path.write_bytes(content)
    read = journal.read()
    assert json.dumps(read["b"].rows) == json.dumps(B.rows)  # the other line counts
    if "a" not in read:
        assert [damage.line for damage in journal.damage()] == [1]
        return
    assert json.dumps(read["a"].rows) == json.dumps(A.rows)  # another spelling of the same, such as 1.0 and 1e0


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b"[]", b"3", b"null", b'"text"', b"\xff", b"[" * 100_000, b'{"format":1,"stack":"a"}',
     b'{"format":1,"crc":0,"stack":[],"seconds":1,"error":"","rows":{}}'],
)  # fmt: skip
def test_a_malformed_line_is_named_by_its_number_and_all_others_count(journal, line):
    write(journal, A)
    journal.path.write_bytes(journal.path.read_bytes() + line + b"\n" + B.line())
    assert list(journal.read()) == ["a", "b"]
    assert [damage.line for damage in journal.damage()] == [2]


@pytest.mark.parametrize(
    "entry",
    [{"stack": ["a"]}, {"rows": [1]}, {"rows": {"cell": 3}}, {"rows": {"cell": "xy"}}, {"seconds": "1"},
     {"error": None}, {"parts": "2"}, {"more": 1}, {"rows": None}],
)  # fmt: skip
def test_fields_of_other_types_are_damage_whatever_their_checksum(journal, entry):
    write(journal, B)
    fields = {"stack": "a", "rows": {}, "seconds": 1.0, "error": "", "parts": 0}
    text = json.dumps(fields | entry).encode()
    with journal.path.open("ab") as file:
        file.write(b'{"format":2,"crc":%d,"entry":%s}\n' % (zlib.crc32(text), text))
    assert list(journal.read()) == ["b"]
    assert [damage.line for damage in journal.damage()] == [2]


def test_a_line_of_another_format_is_damage(journal):
    write(journal, A)
    journal.path.write_bytes(journal.path.read_bytes().replace(b'"format":2', b'"format":3'))
    assert journal.read() == {}
    assert [damage.line for damage in journal.damage()] == [1]


def test_who_looks_does_not_keep_a_writer_from_starting(journal):
    """Somebody who looks at the moment when a run starts shares its lock; the run waits that moment, and starts."""
    write(journal, A)
    with journal.path.open("rb") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.2, fcntl.flock, (looking, fcntl.LOCK_UN)).start()
        write(journal, B)
    assert list(journal.read()) == ["a", "b"]


def test_a_second_writer_is_refused_while_there_is_a_first(journal):
    code = (
        "import sys\nfrom pathlib import Path\nfrom dnnlab.runner.journal import Journal\n"
        "with Journal(Path(sys.argv[1])).writing(): pass"
    )
    command = [sys.executable, "-c", code, str(journal.path)]
    with journal.writing() as writer:
        writer.append(A)
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        writer.append(B)
    assert "another process is measuring" in second.stderr
    assert list(journal.read()) == ["a", "b"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_writer_holds_no_more_than_a_descriptor(journal):
    with journal.writing() as writer:
        assert isinstance(writer, Writer)
        descriptor = writer.descriptor
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
