"""Locks as POSIX has them, and as Windows has them. The latter are tested with a stand-in for ``msvcrt``: on Windows
itself nothing of this has run."""

import contextlib
import ctypes
import errno
import os
import struct
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from dnnlab import atomic, locks, memory
from dnnlab.runner import executors
from dnnlab.runner.journal import BusyError, Journal

fcntl = pytest.importorskip("fcntl", reason="Windows has its own locks; both kinds are tested where POSIX's are")


class Msvcrt:
    """``msvcrt.locking`` as its documentation has it: from the position of the file on, for this open file alone,
    refused with EACCES, and gone when the file is closed or the process ends. Linux has the same for ranges of an open
    file."""

    LK_UNLCK, LK_LOCK, LK_NBLCK = 0, 1, 2

    def locking(self, descriptor, how, count):
        reads_only = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        kind = fcntl.F_UNLCK if how == self.LK_UNLCK else fcntl.F_RDLCK if reads_only else fcntl.F_WRLCK
        start = os.lseek(descriptor, 0, os.SEEK_CUR)
        assert start >= os.fstat(descriptor).st_size, "Windows would keep others from reading what is locked"
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", kind, os.SEEK_SET, start, count, 0))
        except BlockingIOError:
            raise PermissionError(errno.EACCES, "Permission denied") from None


no_stand_in = pytest.mark.skipif(not hasattr(fcntl, "F_OFD_SETLK"), reason="the stand-in takes what Linux alone has")


@pytest.fixture(
    params=[
        pytest.param(locks.Posix(fcntl), id="posix"),
        pytest.param(locks.Windows(Msvcrt()), id="windows", marks=no_stand_in),
    ]
)
def system(request, monkeypatch):
    monkeypatch.setattr(locks, "SYSTEM", request.param)
    if not request.param.removes_open_files:
        # To open a file and to remove one are each one step of the system, which removes it or does not.
        monkeypatch.setattr(os, "open", open_in_one_step)
        monkeypatch.setattr(Path, "unlink", unlink_closed)
    return request.param


unlink, open_file = Path.unlink, os.open
one_step = threading.RLock()


def open_in_one_step(*given, **more):
    with one_step:
        return open_file(*given, **more)


def is_open(path):
    """Whether this process has the file open."""
    for opened in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile, or is not there
            if opened.samefile(path):
                return True
    return False


def unlink_closed(path, missing_ok=False):
    """Removes a file as Windows does, which refuses to where somebody has it open."""
    with one_step:
        if is_open(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        unlink(path, missing_ok=missing_ok)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    return path


def test_one_holds_it_at_a_time(system, file):
    with file.open("r+b") as one, file.open("r+b") as other:
        assert system.take(one.fileno())
        assert not system.take(other.fileno())
        one.close()
        assert system.take(other.fileno())


def test_who_looks_sees_whether_it_is_held_and_takes_nothing(system, file):
    with file.open("r+b") as one:
        for _ in range(2):
            with file.open("rb") as looking:
                assert not system.is_held(looking.fileno())
        assert system.take(one.fileno())
        with file.open("rb") as looking:
            assert system.is_held(looking.fileno())
    with file.open("rb") as looking:
        assert not system.is_held(looking.fileno())


def test_the_position_and_the_content_are_as_they_were(system, file):
    with file.open("r+b", buffering=0) as one, file.open("rb") as reader:
        one.seek(4)
        assert system.take(one.fileno())
        assert one.read(2) == b"45"
        assert reader.read() == b"0123456789"
        one.truncate(3)
    assert file.read_bytes() == b"012"


def test_who_waits_gets_it_once_it_is_free(system, file):
    with file.open("r+b") as one, file.open("r+b") as other:
        assert system.take(one.fileno())
        got = threading.Event()
        waiting = threading.Thread(target=lambda: (system.wait(other.fileno()), got.set()))
        waiting.start()
        assert not got.wait(0.2)
        one.close()
        waiting.join(600)
        assert got.is_set()


def test_of_a_killed_process_it_is_free(system, file, forked, until):
    code = (
        "import sys, time\nfrom dnnlab import locks\nfrom tests.test_locks import Msvcrt\n"
        "system = locks.Windows(Msvcrt()) if sys.argv[2] == 'Windows' else locks.SYSTEM\n"
        "file = open(sys.argv[1], 'r+b')\nassert system.take(file.fileno())\n"
        "open(sys.argv[1] + '.held', 'w').close()\ntime.sleep(3600)"
    )
    holder = forked(file, type(system).__name__, code=code)
    until(Path(f"{file}.held").exists, holder)
    with file.open("r+b") as opened:
        assert not system.take(opened.fileno())
        holder.kill()
        holder.wait()
        system.wait(opened.fileno())


def test_a_lock_file_is_for_one_and_gone_in_the_end(system, tmp_path, until):
    """Three threads, which have to wait first, change a file a hundred times each; without the lock some changes would
    be lost."""
    lock, counter = tmp_path / ".lock", tmp_path / "counter"
    counter.write_text("0")
    waited = []

    def count():
        for _ in range(100):
            with atomic.locked(lock, lambda: waited.append(True)):
                assert atomic.is_held(lock)
                counter.write_text(str(int(counter.read_text()) + 1))

    threads = [threading.Thread(target=count) for _ in range(3)]
    with atomic.locked(lock):
        for thread in threads:
            thread.start()
        until(lambda: len(waited) == 3)
    for thread in threads:
        thread.join(600)
    assert counter.read_text() == "300"
    assert not lock.exists()
    assert not atomic.is_held(lock)


def test_a_journal_has_one_writer(system, tmp_path, monkeypatch):
    monkeypatch.setattr("dnnlab.runner.journal._PATIENCE", 0.0)
    journal = Journal(tmp_path / "journal.jsonl")
    with journal.writing() as writer:
        assert Journal(journal.path).is_locked
        with pytest.raises(BusyError), Journal(journal.path).writing():
            pass
        os.write(writer.descriptor, b"a line\n")
    assert not Journal(journal.path).is_locked
    assert journal.path.read_bytes() == b"a line\n"


def test_a_journal_is_removed_while_nobody_else_can_write_it_or_once_the_system_lets_it_go(system, tmp_path):
    journal, seen = Journal(tmp_path / "journal.jsonl"), []

    def remove():
        seen.append(is_open(journal.path))
        journal.path.unlink()

    def measure():
        with journal.writing() as writer:
            writer.remove(remove)
            assert bool(seen) == system.removes_open_files
            raise KeyError("what was asked does not go")

    with pytest.raises(KeyError):
        measure()
    assert seen == [system.removes_open_files]
    assert not journal.path.exists()


def test_what_windows_opens_no_folder_for_is_left_out(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(atomic.os, "open", lambda *given: opened.append(given))
    monkeypatch.setattr(atomic.os, "name", "nt")
    try:
        atomic.sync_folder(tmp_path)
    finally:
        monkeypatch.undo()  # pytest itself asks for the name
    assert not opened


def test_the_memory_that_windows_has_left():
    """The stand-in fills in the structure of 64 bytes that Windows documents: its own length at byte 0, what is
    available at byte 16."""

    class Kernel32:
        answer = 1

        def GlobalMemoryStatusEx(self, status):  # noqa: N802 - Windows' name
            content = memoryview(status._obj).cast("B")
            assert len(content) == struct.unpack_from("<I", content)[0] == 64
            struct.pack_into("<I", content, 4, 37)
            struct.pack_into("<QQ", content, 8, 16 * 10**9, 5 * 10**9)
            return self.answer

    assert memory.left_on_windows(Kernel32()) == 5 * 10**9
    silent = Kernel32()
    silent.answer = 0
    with pytest.raises(OSError, match="Windows does not say"):
        memory.left_on_windows(silent)


def test_a_worker_on_windows_waits_for_its_parent():
    """The stand-in follows the documentation: OpenProcess gives a handle, or 0 where there is no such process; what is
    waited for is that handle, without a limit."""

    class Call:
        def __init__(self, answer):
            self.answer, self.given = answer, []

        def __call__(self, *given):
            self.given.append(tuple(getattr(value, "value", value) for value in given))
            return self.answer

    for handle, waits in ((2**40 + 8, [(2**40 + 8, 2**32 - 1)]), (0, [])):
        kernel32 = SimpleNamespace(OpenProcess=Call(handle), WaitForSingleObject=Call(0))
        executors.wait_on_windows(kernel32, 1234)
        assert kernel32.OpenProcess.given == [(0x100000, False, 1234)]
        assert kernel32.OpenProcess.restype is ctypes.c_void_p
        assert kernel32.WaitForSingleObject.given == waits
