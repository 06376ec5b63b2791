import io
import os
import re
import shutil
import socket
import sys
import tarfile
from types import SimpleNamespace

import pytest

from dnnlab.data import load, source, web
from dnnlab.data.download import download
from dnnlab.data.kinds import KINDS
from dnnlab.errors import DnnlabError, UsageError

resource = pytest.importorskip("resource", reason="POSIX alone has it")

BINS = "cifar-10-batches-bin"
ARCHIVE = "cifar-10-binary.tar.gz"
IMAGES = "/pub/train-images-idx3-ubyte.gz"


def archive(files):
    """A tar.gz of ``files``, name to content or to a tarfile.TarInfo."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as tar:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def link(name, target):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


@pytest.fixture
def publish_cifar(publish, cifar_files):
    """Publishes an archive, of the small CIFAR-10 where not otherwise said; what is known of it is always that."""

    def serve(content=None):
        content = archive({f"{BINS}/{n}": c for n, c in cifar_files.items()}) if content is None else content
        publish("cifar10", {ARCHIVE: content}, {name: len(c) for name, c in cifar_files.items()})

    return serve


def everything(root):
    """Whatever lies below ``root``, apart from folders."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() or path.is_symlink())


def test_files_land_where_they_are_read(root, server, publish, mnist_files, capsys):
    publish("mnist", mnist_files)
    assert download("mnist") == root / "MNIST/raw"
    assert len(load("mnist").x) == 5120
    assert everything(root) == sorted(f"MNIST/raw/{file}" for file in mnist_files)
    assert len(server.asked) == 4
    download("mnist")
    assert len(server.asked) == 4, "what is whole is not fetched again"
    assert capsys.readouterr() == ("", ""), "no bar where stderr is no terminal"


def test_the_bar_fills_on_a_terminal(root, publish, mnist_files, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    publish("mnist", mnist_files)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stderr", Terminal())
    download("mnist")
    last = sys.stderr.getvalue().rpartition("train-images-idx3-ubyte.gz")[2]
    assert last.count("100%") == 4


def test_what_is_broken_is_fetched_again_and_the_rest_is_not(root, server, publish, mnist_files):
    publish("fashion-mnist", mnist_files)
    folder = download("fashion-mnist", progress=False)
    whole = folder / "t10k-labels-idx1-ubyte.gz"
    for broken in (whole.read_bytes()[:-9], bytes(len(whole.read_bytes()))):
        server.asked.clear()
        whole.chmod(0o644)
        whole.write_bytes(broken)
        whole.chmod(0o444)
        download("fashion-mnist", progress=False)
        assert server.asked == ["/pub/t10k-labels-idx1-ubyte.gz"]
        assert whole.read_bytes() == mnist_files[whole.name]


def test_a_pipe_in_the_place_of_a_file_is_replaced(root, publish, put, mnist_files):
    publish("mnist", mnist_files)
    os.mkfifo(put(root / "MNIST/raw", {}) / "train-images-idx3-ubyte.gz")
    download("mnist", progress=False)
    assert len(load("mnist").x) == 5120


def test_a_mirror_takes_the_publishers_place(root, server, publish, mnist_files):
    publish("mnist", mnist_files)
    server.files = {path.replace("/pub/", "/copy/mnist/"): content for path, content in server.files.items()}
    download("mnist", progress=False, mirror=f"{server.url}/copy/mnist")
    assert source("mnist").available()
    with pytest.raises(UsageError, match="is no URL: give one such as https://"):
        download("cifar10", mirror="/some/folder")


def test_sizes_and_checksums_of_every_published_file_are_known():
    remotes = [kind.remote for kind in KINDS.values() if kind.remote is not None]
    files = [file for remote in remotes for file in remote.files.values()]
    assert len(files) == len({file.sha256 for file in files}) == 9
    assert all(len(bytes.fromhex(file.sha256)) == 32 for file in files)
    assert all(remote.base.startswith("https://") and remote.base.endswith("/") for remote in remotes)
    assert [remote.megabytes for remote in remotes] == [12, 31, 170]
    assert sum(KINDS["cifar10"].remote.unpacked.values()) == 60_000 * 3073


def test_the_published_checksums_are_in_force(root, server, dnnlab):
    size = KINDS["mnist"].remote.files["train-images-idx3-ubyte.gz"].size
    server.files = {"/train-images-idx3-ubyte.gz": bytes(size)}
    done = dnnlab("data", "get", "mnist", "--mirror", server.url)
    assert done.code == 1
    assert "SHA-256 440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609" in done.err
    assert everything(root) == []


def gone(server):
    return None


def broken(server):
    return lambda handler: handler.send_error(500)


def endless(server):
    def answer(handler):
        handler.head()
        while not server.closing.is_set():
            handler.wfile.write(bytes(1 << 16))

    return answer


def too_long(server):
    return lambda handler: handler.head(10**12)


def too_short(server):
    return lambda handler: handler.head(17)


def cut_short(server):
    def answer(handler):
        handler.head(len(server.right))
        handler.wfile.write(server.right[:-9])

    return answer


def cut_short_and_not_announced(server):
    def answer(handler):
        handler.head()
        handler.wfile.write(server.right[:-9])

    return answer


def other(server):
    return bytes(len(server.right))


def silent(server):
    return server.hold


def silent_after_the_headers(server):
    def answer(handler):
        handler.head(len(server.right))
        server.hold()

    return answer


def dripping(server):
    def answer(handler):
        handler.head(len(server.right))
        server.drip(handler)

    return answer


def dripping_in_chunks(server):
    def answer(handler):
        handler.protocol_version = "HTTP/1.1"
        handler.head(Transfer_Encoding="chunked")
        server.drip(handler, b"1\r\nx\r\n")

    return answer


def dripping_headers(server):
    def answer(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Name: ")
        server.drip(handler)

    return answer


def dripping_status(server):
    return lambda handler: server.drip(handler, b"HTTP/1.1 100 Continue\r\n\r\n")


def no_http(server):
    return lambda handler: handler.wfile.write(b"\xff" * 1000)


def circle(server):
    return lambda handler: handler.head(0, 302, Location=IMAGES)


def circle_with_endless_bodies(server):
    def answer(handler):
        handler.head(None, 302, Location=IMAGES)
        while not server.closing.is_set():
            handler.wfile.write(bytes(1 << 16))

    return answer


def to_nowhere(server):
    return lambda handler: handler.head(0, 302, Location="http://[")


def to_a_file(server):
    return lambda handler: handler.head(0, 302, Location="file:///etc/passwd")


IMPATIENT = "is too slow: after 0 of [0-9,]+ bytes, the next 32 KiB or the rest did not come within 0 seconds"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (gone, "is answered with 404 Not Found"),
        (broken, "is answered with 500 Internal Server Error"),
        (endless, "sends more than the [0-9,]+ bytes of the published file"),
        (too_long, r"announces 1000000000000 bytes where the published file has \d+"),
        (too_short, r"announces 17 bytes where the published file has \d+"),
        (cut_short, "ended after [0-9,]+ of [0-9,]+ bytes and was thrown away"),
        (cut_short_and_not_announced, "ended after [0-9,]+ of [0-9,]+ bytes and was thrown away"),
        (other, r"has not the published checksum \(SHA-256 [0-9a-f]{64}\) and was thrown away"),
        (silent, IMPATIENT),
        (silent_after_the_headers, IMPATIENT),
        (dripping, IMPATIENT),
        (dripping_in_chunks, IMPATIENT),
        (dripping_headers, IMPATIENT),
        (dripping_status, IMPATIENT),
        (no_http, r"no connection for .* \(ConnectionError\)"),
        (circle, "leads from one address to another, more than 10 times"),
        (circle_with_endless_bodies, "leads from one address to another, more than 10 times"),
        (to_nowhere, r"no connection for .* \((ValueError|InvalidURL)\)"),
        (to_a_file, r"no connection for .* \(InvalidSchema\)"),
    ],
)
def test_a_bad_server_is_one_sentence_and_leaves_nothing(
    fault, says, root, server, publish, mnist_files, dnnlab, monkeypatch
):
    publish("mnist", mnist_files)
    server.right = server.files[IMAGES]
    server.files[IMAGES] = fault(server)
    if says is IMPATIENT:
        monkeypatch.setattr(web, "PATIENCE", 0.2)
    done = dnnlab("data", "get", "mnist")
    assert done.code == 1
    sentence = rf"dnnlab: .*{server.url}{IMAGES}.*; try again, or another server with --mirror URL\.\n"
    assert done.out == ""
    assert re.fullmatch(sentence, done.err)
    assert re.search(says, done.err)
    assert everything(root) == []


def test_no_server(root, publish, mnist_files):
    publish("mnist", mnist_files)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(DnnlabError, match=r"no connection for http://127\.0\.0\.1:\d+/train.* \(ConnectionError"):
        download("mnist", progress=False, mirror=f"http://127.0.0.1:{port}")
    with pytest.raises(DnnlabError, match="no connection for"):
        download("mnist", progress=False, mirror="http://")
    assert everything(root) == []


def moved(server, content):
    server.files["/elsewhere"] = content
    return lambda handler: handler.head(0, 301, Location="../elsewhere")


def in_chunks(server, content):
    def answer(handler):
        handler.protocol_version = "HTTP/1.1"
        handler.head(Transfer_Encoding="chunked")
        for start in range(0, len(content), 1000):
            piece = content[start : start + 1000]
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    return answer


def called_encoded(server, content):
    def answer(handler):
        handler.head(len(content), Content_Encoding="gzip")
        handler.wfile.write(content)

    return answer


@pytest.mark.parametrize("way", [moved, in_chunks, called_encoded])
def test_what_servers_may_do_is_understood(way, root, server, publish, mnist_files):
    publish("mnist", mnist_files)
    server.files[IMAGES] = way(server, server.files[IMAGES])
    folder = download("mnist", progress=False)
    assert (folder / "train-images-idx3-ubyte.gz").read_bytes() == mnist_files["train-images-idx3-ubyte.gz"]


def test_what_cannot_be_downloaded():
    for name in ("digits", "folder:photos", "csv:a.csv:b", "parity:4", "mnist:3"):
        with pytest.raises(UsageError, match=r"needs no download; .* mnist, fashion-mnist and cifar10\."):
            download(name)
    with pytest.raises(UsageError, match="did you mean cifar10"):
        download("cifar")


def test_a_place_that_cannot_be_written(tmp_path, monkeypatch, publish, publish_cifar, mnist_files):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DNNLAB_DATA", str(tmp_path / "file"))
    publish("mnist", mnist_files)
    publish_cifar()
    for name in ("mnist", "cifar10"):
        with pytest.raises(DnnlabError, match=r"cannot write .*; set DNNLAB_DATA to another folder"):
            download(name, progress=False)


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_a_disk_that_is_too_small_is_said_before_anything_is_asked(
    name, root, server, publish, publish_cifar, mnist_files, cifar_files, dnnlab, monkeypatch
):
    publish("mnist", mnist_files)
    publish_cifar()
    remote = KINDS[name].remote
    needed = sum(file.size for file in remote.files.values()) + sum(remote.unpacked.values())
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=needed - 1))
    done = dnnlab("data", "get", name)
    assert done.code == 1
    assert f"{needed:,} bytes are needed in " in done.err
    assert f" and {needed - 1:,} are free; make room, or set DNNLAB_DATA to another folder.\n" in done.err
    assert done.err.count("\n") == 1
    assert server.asked == []
    assert everything(root) == []


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_a_disk_that_fills_up_in_the_middle(name, root, publish, publish_cifar, mnist_files, dnnlab):
    publish("mnist", mnist_files)
    publish_cifar()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (web.PIECE + 1, hard))
    try:
        done = dnnlab("data", "get", name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert done.code == 1
    assert done.err == f"dnnlab: cannot write {name} to {root} (File too large); set DNNLAB_DATA to another folder.\n"
    assert everything(root) == []


def test_an_archive_is_unpacked_and_thrown_away(root, server, publish_cifar, cifar_files):
    publish_cifar()
    assert download("cifar10", progress=False) == root / BINS
    assert len(load("cifar10").x) == 5080
    assert everything(root) == sorted(f"{BINS}/{name}" for name in cifar_files)
    download("cifar10", progress=False)
    assert len(server.asked) == 1


def test_what_is_broken_in_a_folder_is_replaced_and_the_rest_stays(root, publish_cifar, put, cifar_files):
    put(root / BINS, {"data_batch_1.bin": b"half", "mine": b""})
    publish_cifar()
    download("cifar10", progress=False)
    assert everything(root) == sorted(f"{BINS}/{name}" for name in ["mine", *cifar_files])
    assert (root / BINS / "data_batch_1.bin").read_bytes() == cifar_files["data_batch_1.bin"]


@pytest.mark.parametrize(
    "evil",
    [
        {"../evil": b"x"},
        {"/tmp/../evil": b"x"},
        {f"{BINS}/evil": b"x"},
        {f"{BINS}/../evil": b"x"},
        {f"{BINS}/link": link(f"{BINS}/link", "/etc")},
        {BINS: link(BINS, "..")},
        {f"{BINS}/test_batch.bin": link(f"{BINS}/test_batch.bin", "/etc/passwd")},
        {f"../{BINS}/test_batch.bin": b"x"},
        {f"{BINS}/test_batch.bin": bytes(1 << 24)},
        {"test_batch.bin": bytes(30 * 3073)},
        {f"other/{BINS}/test_batch.bin": bytes(30 * 3073)},
    ],
)
def test_of_an_archive_only_the_known_files_are_unpacked(root, publish_cifar, cifar_files, evil):
    good = {f"{BINS}/{name}": content for name, content in cifar_files.items() if f"{BINS}/{name}" not in evil}
    publish_cifar(archive(evil | good))
    if len(good) == len(cifar_files):
        download("cifar10", progress=False)
    else:
        with pytest.raises(DnnlabError, match=r"lacks test_batch\.bin, or"):
            download("cifar10", progress=False)
    assert everything(root.parent) == sorted(f"{root.name}/{name}" for name in good)
    assert {name: (root / name).read_bytes() for name in good} == good


def test_an_archive_that_is_none_or_lacks_files(root, publish_cifar, cifar_files):
    whole = archive({f"{BINS}/{name}": content for name, content in cifar_files.items()})
    for content, says in (
        (b"no archive", "does not unpack"),
        (whole[:-5000], "does not unpack"),
        (
            archive({f"{BINS}/{n}": c for n, c in cifar_files.items() if n != "test_batch.bin"}),
            r"lacks test_batch\.bin",
        ),
    ):
        publish_cifar(content)
        with pytest.raises(DnnlabError, match=says):
            download("cifar10", progress=False)
        assert {file.rpartition("/")[2] for file in everything(root)} < set(cifar_files)
        assert not source("cifar10").available()


def test_an_archive_with_another_checksum_is_not_unpacked(root, server, publish_cifar, monkeypatch, dnnlab):
    publish_cifar()
    path = f"/pub/{ARCHIVE}"
    server.files[path] = server.files[path][:-1] + b"?"
    opened = []
    monkeypatch.setattr(tarfile, "open", lambda *arguments: opened.append(arguments))
    done = dnnlab("data", "get", "cifar10")
    assert done.code == 1
    assert "has not the published checksum" in done.err
    assert opened == []
    assert everything(root) == []


def test_an_interrupted_extraction_leaves_only_whole_files(root, publish_cifar, cifar_files, monkeypatch):
    publish_cifar()
    copies = []

    def interrupted(content, file, *rest):
        copies.append(file.name)
        file.write(content.read() if len(copies) < 3 else b"half")
        if len(copies) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copyfileobj", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download("cifar10", progress=False)
    assert everything(root) == sorted(f"{BINS}/{name}" for name in list(cifar_files)[:2])
    assert not source("cifar10").available()
