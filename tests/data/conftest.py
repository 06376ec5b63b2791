"""Files in the published formats, written here byte by byte, and the real data where it is."""

import gzip
import hashlib
import http.server
import json
import os
import struct
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dnnlab.data import web
from dnnlab.data.kinds import KINDS, Published

REAL = os.environ.get("DNNLAB_DATA")


def idx(array):
    """The IDX file of an array of bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture(scope="session")
def idx_bytes():
    return idx


@pytest.fixture(scope="session")
def mnist_files():
    """A small MNIST, 5,100 to train on and 20 to test on, as the four published files."""
    draw = np.random.default_rng(0)
    files = {}
    for half, count in (("train", 5100), ("t10k", 20)):
        images = draw.integers(256, size=(count, 4, 3), dtype=np.uint8)
        labels = draw.integers(10, size=count, dtype=np.uint8)
        files[f"{half}-images-idx3-ubyte.gz"] = gzip.compress(idx(images), 1)
        files[f"{half}-labels-idx1-ubyte.gz"] = gzip.compress(idx(labels), 1)
    return files


@pytest.fixture
def real(monkeypatch):
    """A function that gives a real data set, or skips the test where its files are not."""

    def load(name):
        from dnnlab.data import source

        if REAL is None:
            pytest.skip("DNNLAB_DATA names no folder with real data")
        monkeypatch.setenv("DNNLAB_DATA", REAL)
        if not source(name).available():
            pytest.skip(f"{Path(REAL)} has no {name}")
        return source(name).load()

    return load


class Server:
    """Files served from memory on the loopback interface, or whatever a function does with a request instead."""

    def __init__(self):
        self.files = {}
        self.asked: list[str] = []
        self.closing = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                content = outer.files.get(self.path)
                if content is None:
                    self.send_error(404)
                elif callable(content):
                    content(self)
                else:
                    self.head(len(content))
                    self.wfile.write(content)

            def head(self, length=None, code=200, **headers):
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                if length is not None:
                    self.send_header("Content-Length", str(length))
                self.end_headers()

            def handle(self):
                try:
                    super().handle()
                except ConnectionError:
                    self.close_connection = True  # the client has seen enough

            def log_message(self, *arguments):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def drip(self, handler, byte=b"x"):
        """One byte after another, and never enough of them."""
        while not self.closing.wait(0.02):
            handler.wfile.write(byte)

    def hold(self, *_, until=None):
        """Nothing more until the event ``until``, or until the test is over."""
        while not (self.closing.wait(0.02) or (until and until.is_set())):
            pass


@pytest.fixture
def server():
    served = Server()
    thread = threading.Thread(target=served.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.closing.set()
    served.http.shutdown()
    thread.join()
    served.http.server_close()


@pytest.fixture
def publish(server, monkeypatch):
    """Makes files what is published as a data set: by the server, with their sizes and checksums."""

    def serve(name, files, unpacked=None):
        server.files |= {f"/pub/{file}": content for file, content in files.items()}
        sums = {file: Published(len(c), hashlib.sha256(c).hexdigest()) for file, c in files.items()}
        remote = replace(KINDS[name].remote, base=f"{server.url}/pub/", files=sums, unpacked=unpacked or {})
        monkeypatch.setattr(web, "PATIENCE", 3600.0)  # however slow this machine is
        monkeypatch.setitem(KINDS, name, replace(KINDS[name], remote=remote))

    return serve


PROGRAM = """
import json, sys
from dataclasses import replace
from dnnlab.__main__ import main
from dnnlab.data import web
from dnnlab.data.kinds import KINDS, Published
name, base, files, unpacked = json.loads(sys.argv[1])
files = {file: Published(*published) for file, published in files.items()}
KINDS[name] = replace(KINDS[name], remote=replace(KINDS[name].remote, base=base, files=files, unpacked=unpacked))
web.PATIENCE = web.TIMEOUT = 3600.0
sys.argv = ["dnnlab", "data", "get", name]
main()
"""


@pytest.fixture
def get(forked):
    """Starts ``dnnlab data get NAME`` as a process of its own, which knows what `publish` published."""

    def start(name):
        remote = KINDS[name].remote
        return forked(json.dumps([name, remote.base, remote.files, remote.unpacked]), code=PROGRAM)

    return start
