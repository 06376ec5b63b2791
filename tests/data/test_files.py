import gzip
import hashlib
import os

import pytest

from dnnlab.data.files import CHUNK, DataFile
from dnnlab.errors import DnnlabError, UsageError


def content(file, end=None):
    return b"".join(file.chunks(end))


def test_a_packed_file_is_read_and_hashed_unpacked(tmp_path):
    data = os.urandom(CHUNK + 5)
    (tmp_path / "a").write_bytes(data)
    (tmp_path / "a.gz").write_bytes(gzip.compress(data, 1))
    for name in ("a", "a.gz"):
        file = DataFile(tmp_path / name, "mend it")
        assert content(file) == data
        assert content(file, 10) == data[:10]
        assert file.sha256() == hashlib.sha256(data).hexdigest()


def test_nothing_is_unpacked_past_the_limit(tmp_path):
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(50 * CHUNK)))
    with pytest.raises(DnnlabError, match=r"more than 2\.1 MB, which it never should; mend it"):
        DataFile(tmp_path / "bomb.gz", "mend it", limit=2 * CHUNK).sha256()


@pytest.mark.parametrize("error", [DnnlabError, UsageError])
def test_every_problem_names_the_file_and_the_remedy(tmp_path, error):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.gz").write_text("no gzip")
    (tmp_path / "short.gz").write_bytes(gzip.compress(os.urandom(1000))[:-20])
    (tmp_path / "crc.gz").write_bytes(gzip.compress(b"abc")[:-8] + bytes(8))
    os.mkfifo(tmp_path / "pipe")
    problems = {
        "gone": "is missing",
        "folder": "is no regular file",
        "pipe": "is no regular file",
        "text.gz": "does not unpack",
        "short.gz": "does not unpack",
        "crc.gz": "does not unpack",
        "text.gz/below": "cannot be read",
        "x" * 5000: "cannot be read",
    }
    for name, what in problems.items():
        with pytest.raises(error, match=what) as caught:
            content(DataFile(tmp_path / name, "mend it", error))
        assert type(caught.value) is error
        assert str(caught.value).startswith(str(tmp_path / name))
        assert str(caught.value).endswith("; mend it.")
