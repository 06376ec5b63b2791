import hashlib
import http.server
import io
import socket
import sys
import tarfile
import threading
from dataclasses import replace

import pytest

from dnnlab.data import load, source
from dnnlab.data.download import download
from dnnlab.data.kinds import KINDS
from dnnlab.errors import DnnlabError, UsageError

BINS = "cifar-10-batches-bin"


class Server:
    """Files served from memory on the loopback interface."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                content = outer.files.get(self.path)
                if content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server():
    served = Server()
    thread = threading.Thread(target=served.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.http.shutdown()
    thread.join()
    served.http.server_close()


@pytest.fixture
def publish(server, monkeypatch):
    """Makes files what is published as a data set: by the server, with their checksums."""

    def serve(name, files):
        server.files = {f"/pub/{file}": content for file, content in files.items()}
        sums = {file: hashlib.md5(content).hexdigest() for file, content in files.items()}
        remote = replace(KINDS[name].remote, base=f"{server.url}/pub/", files=sums)
        monkeypatch.setitem(KINDS, name, replace(KINDS[name], remote=remote))

    return serve


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


def packed(cifar_files, **more):
    return {"cifar-10-binary.tar.gz": archive({f"{BINS}/{n}": c for n, c in cifar_files.items()} | more)}


def everything(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*")) if root.exists() else []


def test_files_land_where_they_are_read(root, server, publish, mnist_files, capsys):
    publish("mnist", mnist_files)
    assert download("mnist") == root / "MNIST/raw"
    assert len(load("mnist").x) == 5120
    assert len(server.asked) == 4
    download("mnist")
    assert len(server.asked) == 4, "what is whole is not fetched again"
    assert capsys.readouterr() == ("", ""), "no bar where stderr is no terminal"


def test_the_bar_fills_on_a_terminal(root, publish, mnist_files, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    publish("mnist", mnist_files)
    monkeypatch.setattr("sys.stderr", Terminal())
    download("mnist")
    shown = sys.stderr.getvalue()
    assert "train-images-idx3-ubyte.gz: 100%" in shown
    assert "t10k-labels-idx1-ubyte.gz: 100%" in shown


def test_what_is_broken_is_fetched_again_and_the_rest_is_not(root, server, publish, mnist_files):
    publish("fashion-mnist", mnist_files)
    folder = download("fashion-mnist", progress=False)
    whole = folder / "t10k-labels-idx1-ubyte.gz"
    whole.write_bytes(whole.read_bytes()[:-9])
    whole.chmod(0o444)
    download("fashion-mnist", progress=False)
    assert server.asked[4:] == ["/pub/t10k-labels-idx1-ubyte.gz"]
    assert whole.read_bytes() == mnist_files[whole.name]


def test_a_mirror_takes_the_publishers_place(root, server, publish, mnist_files):
    publish("mnist", mnist_files)
    server.files = {path.replace("/pub/", "/copy/mnist/"): content for path, content in server.files.items()}
    download("mnist", progress=False, mirror=f"{server.url}/copy/mnist")
    assert source("mnist").available()
    with pytest.raises(UsageError, match="is no URL: give one such as https://"):
        download("cifar10", mirror="/some/folder")


def test_a_wrong_checksum_leaves_nothing(root, server, publish, mnist_files):
    publish("mnist", mnist_files)
    server.files["/pub/train-images-idx3-ubyte.gz"] += b"!"
    with pytest.raises(DnnlabError, match=r"train-images.* has not the published checksum \(MD5 ") as error:
        download("mnist", progress=False)
    assert not isinstance(error.value, UsageError)
    assert everything(root / "MNIST/raw") == []


def test_the_published_checksums_are_in_force(root, server, mnist_files):
    server.files = {f"/{file}": content for file, content in mnist_files.items()}
    with pytest.raises(DnnlabError, match="f68b3c2dcbeaaa9fbdd348bbdeb94873"):
        download("mnist", progress=False, mirror=server.url)


def test_no_server_and_no_file(root, publish, server, mnist_files):
    publish("mnist", mnist_files)
    server.files.clear()
    with pytest.raises(DnnlabError, match=r"404 Client Error.*/pub/train.*gz; try another with --mirror URL"):
        download("mnist", progress=False)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(DnnlabError, match=r"no connection for http://127\.0\.0\.1:\d+/train.* \(ConnectionError"):
        download("mnist", progress=False, mirror=f"http://127.0.0.1:{port}")
    with pytest.raises(DnnlabError, match="no connection for"):
        download("mnist", progress=False, mirror="http://")


def test_what_cannot_be_downloaded():
    for name in ("digits", "folder:photos", "csv:a.csv:b", "parity:4", "mnist:3"):
        with pytest.raises(UsageError, match=r"needs no download; .* mnist, fashion-mnist and cifar10\."):
            download(name)
    with pytest.raises(UsageError, match="did you mean cifar10"):
        download("cifar")


def test_a_place_that_cannot_be_written(tmp_path, monkeypatch, publish, mnist_files, cifar_files):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DNNLAB_DATA", str(tmp_path / "file"))
    publish("mnist", mnist_files)
    publish("cifar10", packed(cifar_files))
    for name in ("mnist", "cifar10"):
        with pytest.raises(DnnlabError, match=r"cannot write .*; set DNNLAB_DATA to another folder"):
            download(name, progress=False)


def test_an_archive_is_unpacked_and_thrown_away(root, server, publish, cifar_files):
    publish("cifar10", packed(cifar_files))
    assert download("cifar10", progress=False) == root / BINS
    assert len(load("cifar10").x) == 5080
    assert everything(root) == sorted([BINS, *(f"{BINS}/{name}" for name in cifar_files)])
    download("cifar10", progress=False)
    assert len(server.asked) == 1


def test_a_broken_folder_is_replaced_whole(root, publish, put, cifar_files):
    put(root / BINS, {"data_batch_1.bin": b"half", "left over": b""})
    publish("cifar10", packed(cifar_files))
    download("cifar10", progress=False)
    assert everything(root) == sorted([BINS, *(f"{BINS}/{name}" for name in cifar_files)])


@pytest.mark.parametrize(
    "evil",
    [
        {"../evil": b"x"},
        {"link": link("link", "/etc")},
        {"link": link("link", "../..")},
        {"link": link("link", "../.."), "link/evil": b"x"},
    ],
)
def test_an_archive_that_reaches_outside_is_refused(root, publish, cifar_files, evil):
    publish("cifar10", packed(cifar_files, **evil))
    with pytest.raises(DnnlabError, match="no archive that can be unpacked safely"):
        download("cifar10", progress=False)
    assert everything(root) == []
    assert not (root.parent / "evil").exists()


def test_an_absolute_path_lands_in_the_temporary_folder(root, publish, cifar_files, tmp_path):
    publish("cifar10", packed(cifar_files, **{f"{tmp_path}/evil": b"x"}))
    download("cifar10", progress=False)
    assert not (tmp_path / "evil").exists()


def test_an_archive_that_is_none_or_lacks_files(root, publish, cifar_files):
    publish("cifar10", {"cifar-10-binary.tar.gz": b"no archive"})
    with pytest.raises(DnnlabError, match="no archive"):
        download("cifar10", progress=False)
    publish("cifar10", {"cifar-10-binary.tar.gz": packed(cifar_files)["cifar-10-binary.tar.gz"][:-5000]})
    with pytest.raises(DnnlabError, match="no archive"):
        download("cifar10", progress=False)
    publish("cifar10", packed({name: c for name, c in cifar_files.items() if name != "test_batch.bin"}))
    with pytest.raises(DnnlabError, match=r"lacks test_batch\.bin"):
        download("cifar10", progress=False)
    assert everything(root) == []


def test_an_interrupted_extraction_leaves_nothing(root, publish, cifar_files, monkeypatch):
    publish("cifar10", packed(cifar_files))

    def interrupted(self, path, **options):
        (path / BINS).mkdir(parents=True)
        (path / BINS / "data_batch_1.bin").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(tarfile.TarFile, "extractall", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download("cifar10", progress=False)
    assert everything(root) == []
    assert not source("cifar10").available()
