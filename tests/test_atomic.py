import os
import stat

import pytest

from dnnlab import atomic


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "summary.csv"
    atomic.write(path, b"old")

    def unplugged(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", unplugged)
    with pytest.raises(OSError, match="no space"):
        atomic.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_the_file_has_an_ordinary_mode_and_its_folder_is_made(tmp_path):
    path = tmp_path / "a" / "b.txt"
    atomic.write(path, b"")
    (tmp_path / "plain").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)
