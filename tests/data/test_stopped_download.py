"""Stopped at any moment or beside another, `dnnlab data get` leaves whole files, and the next one mends the rest."""

import signal
import threading

import pytest

from dnnlab.data import web
from dnnlab.data.download import download

fcntl = pytest.importorskip("fcntl", reason="POSIX alone has it")

IMAGES = "train-images-idx3-ubyte.gz"
WAITING = "another process is downloading mnist; waiting for it.\n"


@pytest.fixture
def half(server):
    """Makes the server send a file up to its last bytes, and those when the event that it returns is set."""

    def hold_back(file):
        content, more = server.files[f"/pub/{file}"], threading.Event()

        def answer(handler):
            handler.head(len(content))
            handler.wfile.write(content[:-9])
            server.hold(until=more)
            handler.wfile.write(content[-9:])

        assert len(content) > web.PIECE + 9
        server.files[f"/pub/{file}"] = answer
        return more

    return hold_back


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def arriving(server, until):
    """Waits until a process has asked for something, and a piece of the file IMAGES is on the disk."""

    def wait(process, folder):
        part = folder / f".{IMAGES}.part"
        until(lambda: server.asked, process)  # what an earlier one left is gone by then
        until(lambda: part.exists() and part.stat().st_size, process)

    return wait


@pytest.fixture
def waits(until):
    """Waits until a process has said that it waits for another."""

    def wait(process, name="mnist"):
        until(lambda: process.err.endswith("\n"), process)
        assert process.err == WAITING.replace("mnist", name)

    return wait


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_leaves_nothing_temporary(number, code, root, publish, half, get, arriving, mnist_files):
    publish("mnist", mnist_files)
    half(IMAGES)
    process = get("mnist")
    arriving(process, root / "MNIST/raw")
    process.send_signal(number)
    assert process.wait() == code
    assert process.err.startswith("stopped;")
    assert process.err.count("\n") == 1
    assert names(root / "MNIST/raw") == []


def test_what_kill_9_leaves_does_not_grow_and_the_next_removes_it(
    root, server, publish, half, get, arriving, mnist_files, dnnlab
):
    folder = root / "MNIST/raw"
    for _ in range(2):
        publish("mnist", mnist_files)
        half(IMAGES)
        server.asked.clear()
        process = get("mnist")
        arriving(process, folder)
        process.kill()
        process.wait()
        assert names(folder) == [".download.lock", f".{IMAGES}.part"]
    publish("mnist", mnist_files)
    done = dnnlab("data", "get", "mnist")
    assert (done.code, done.out, done.err) == (0, f"{folder}\n", "")
    assert names(folder) == sorted(mnist_files)


def test_what_kill_9_leaves_beside_whole_data_goes_too(root, server, publish, put, mnist_files):
    publish("mnist", mnist_files)
    folder = put(root / "MNIST/raw", {**mnist_files, f".{IMAGES}.part": b"half", ".download.lock": b""})
    download("mnist", progress=False)
    assert names(folder) == sorted(mnist_files)
    assert server.asked == []


def test_two_at_once_download_once(root, server, publish, half, get, waits, arriving, mnist_files):
    publish("mnist", mnist_files)
    more = half(IMAGES)
    first = get("mnist")
    arriving(first, root / "MNIST/raw")
    second = get("mnist")
    waits(second)
    assert len(server.asked) == 1
    more.set()
    for process, said in ((first, ""), (second, WAITING)):
        assert (process.wait(), process.out, process.err) == (0, f"{root / 'MNIST/raw'}\n", said)
    assert len(server.asked) == 4
    assert names(root / "MNIST/raw") == sorted(mnist_files)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_who_waits_goes_on_where_the_first_is_stopped(
    number, root, server, publish, half, get, waits, arriving, mnist_files
):
    publish("mnist", mnist_files)
    half(IMAGES)
    first = get("mnist")
    arriving(first, root / "MNIST/raw")
    second = get("mnist")
    waits(second)
    publish("mnist", mnist_files)
    more = half(IMAGES)
    server.asked.clear()
    first.send_signal(number)
    first.wait()
    arriving(second, root / "MNIST/raw")
    third = get("mnist")
    waits(third)
    more.set()
    for process in (second, third):
        assert (process.wait(), process.out, process.err) == (0, f"{root / 'MNIST/raw'}\n", WAITING)
    assert names(root / "MNIST/raw") == sorted(mnist_files)


def test_who_waited_does_not_download_an_archive_that_is_unpacked_by_then(
    root, server, publish, put, get, waits, cifar_files
):
    publish(
        "cifar10", {"cifar-10-binary.tar.gz": b"never asked for"}, {name: len(c) for name, c in cifar_files.items()}
    )
    lock = put(root / "cifar-10-batches-bin", {".download.lock": b""}) / ".download.lock"
    with lock.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        process = get("cifar10")
        waits(process, "cifar10")
        put(lock.parent, cifar_files)
        lock.unlink()
    assert (process.wait(), process.out) == (0, f"{lock.parent}\n")
    assert server.asked == []
    assert names(lock.parent) == sorted(cifar_files)


def test_who_waits_can_be_stopped_and_harms_nobody(root, publish, half, get, waits, arriving, mnist_files):
    publish("mnist", mnist_files)
    more = half(IMAGES)
    first = get("mnist")
    arriving(first, root / "MNIST/raw")
    second = get("mnist")
    waits(second)
    second.send_signal(signal.SIGTERM)
    assert second.wait() == 143
    assert second.err.startswith(f"{WAITING}stopped;")
    more.set()
    assert (first.wait(), first.out, first.err) == (0, f"{root / 'MNIST/raw'}\n", "")
    assert names(root / "MNIST/raw") == sorted(mnist_files)
