"""Decoded data are found again, and are never other than what decoding would give now."""

import dataclasses
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from dnnlab import tensor_file
from dnnlab.code import digests
from dnnlab.code.reach import Package, Reach
from dnnlab.data import decoded, folder, load, sources, table
from dnnlab.data.files import decoded_folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """An empty cache, into which data of any size go."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(decoded, "LEAST", 1)
    sources._loaded.clear()


@pytest.fixture
def photos(tmp_path):
    draw, place = np.random.default_rng(0), tmp_path / "photos"
    for label in ("cat", "dog"):
        (place / label).mkdir(parents=True)
        for number in range(10):
            pixels = draw.integers(256, size=(8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / label / f"{number}.png")
    return place


@pytest.fixture
def rows(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("a,b,y\n" + "".join(f"{i},{'uv'[i % 3 % 2]},{i % 2}\n" for i in range(40)))
    return file


@pytest.fixture
def decodings(monkeypatch):
    """The names of what is decoded."""
    names, read, frame = [], folder.read, table.read
    monkeypatch.setattr(folder, "read", lambda path: names.append("folder") or read(path))
    monkeypatch.setattr(table, "read", lambda *arguments: names.append("csv") or frame(*arguments))
    return names


def anew(name):
    """The data set as a process that starts now gets it."""
    sources._loaded.clear()
    return load(name)


def same(one, other):
    for field in dataclasses.fields(one):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, torch.Tensor):
            assert left.dtype == right.dtype
            assert left.stride() == right.stride()
            assert torch.equal(left, right), field.name
        else:
            assert left == right
    return True


def only():
    (file,) = decoded.entries()
    return file


@pytest.mark.parametrize("kind", ["folder", "csv"])
def test_what_was_decoded_is_found_again_to_the_bit(kind, photos, rows, decodings):
    name = {"folder": f"folder:{photos}", "csv": f"csv:{rows}:y"}[kind]
    first = anew(name)
    assert same(first, anew(name))
    assert decodings == [kind]


def test_published_data_are_kept_too(root, put, mnist_files):
    put(root / "MNIST/raw", mnist_files)
    first = anew("mnist")
    assert same(first, anew("mnist"))
    assert len(decoded.entries()) == 1


def test_small_data_are_decoded_every_time(photos, decodings, monkeypatch):
    monkeypatch.setattr(decoded, "LEAST", 10**6)
    anew(f"folder:{photos}")
    anew(f"folder:{photos}")
    assert decodings == ["folder"] * 2
    assert not decoded_folder().exists()


def test_content_that_changes_under_the_same_size_and_times_is_decoded_anew(rows):
    before, status = anew(f"csv:{rows}:y"), rows.stat()
    rows.write_text(rows.read_text().replace("39,", "93,"))
    os.utime(rows, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (rows.stat().st_size, rows.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    after = anew(f"csv:{rows}:y")
    last = [float(data.x[39, 0] * data.std[0] + data.mean[0]) for data in (before, after)]
    assert last == pytest.approx([39, 93])


def test_what_read_says_of_a_folder_is_never_that_of_before(photos):
    """Neither a file that is no image nor an empty folder is in the digest of the data."""
    name = f"folder:{photos}"
    assert anew(name).notes == ()
    (photos / "cat" / "notes.txt").write_text("x")
    assert "1 file in" in anew(name).notes[0]
    (photos / "emu").mkdir()
    with pytest.raises(sources.UsageError, match="no images for class 'emu'"):
        anew(name)


def test_another_target_is_other_data(rows):
    assert anew(f"csv:{rows}:y").classes == ("0", "1")
    assert anew(f"csv:{rows}:b").classes == ("u", "v")


def test_other_code_or_libraries_decode_anew(rows, decodings, monkeypatch):
    anew(f"csv:{rows}:y")
    of = digests.of
    monkeypatch.setattr(digests, "of", lambda roots: dataclasses.replace(of(roots), versions={"pandas": "0"}))
    anew(f"csv:{rows}:y")
    monkeypatch.setattr(digests, "of", lambda roots: dataclasses.replace(of(roots), digest="0"))
    anew(f"csv:{rows}:y")
    assert decodings == ["csv"] * 3


def test_all_code_that_decodes_is_in_the_key():
    reach = Reach(Package(digests.PACKAGE), decoded.ROOTS, digests.BEYOND)
    readers = ("cifar", "dataset", "digits", "folder", "idx", "mnist", "scan", "splits", "synthetic", "table")
    assert {f"dnnlab.data.{reader}" for reader in readers} <= reach.modules
    assert {"PIL", "numpy", "pandas", "torch"} <= reach.libraries
    assert not reach.unknown


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c[:-1] + bytes([c[-1] ^ 1]), lambda c: b""])
def test_a_damaged_file_is_said_and_decoded_again(damage, rows, decodings):
    first = anew(f"csv:{rows}:y")
    whole = only().read_bytes()
    only().write_bytes(damage(whole))
    with pytest.warns(UserWarning, match=r"is damaged; csv:.* is decoded again"):
        assert same(first, anew(f"csv:{rows}:y"))
    assert only().read_bytes() == whole
    assert decodings == ["csv"] * 2


def test_what_changed_while_it_was_decoded_is_not_kept(rows, monkeypatch):
    read = table.read

    def changed(file, target):
        file.path.write_text(file.path.read_text().replace("39,", "93,"))
        return read(file, target)

    monkeypatch.setattr(table, "read", changed)
    anew(f"csv:{rows}:y")
    assert decoded.entries() == {}


@pytest.mark.parametrize("change", ["another", "gone", "layout"])
def test_a_folder_that_changed_while_it_was_decoded_is_not_kept(change, photos, monkeypatch):
    read = folder.read

    def changed(path):
        if change == "another":
            shutil.copy(photos / "cat" / "1.png", photos / "cat" / "99.png")
        elif change == "gone":
            (photos / "cat" / "1.png").unlink()
        else:
            (photos / "cat" / "notes.txt").write_text("x")
        return read(path)

    monkeypatch.setattr(folder, "read", changed)
    anew(f"folder:{photos}")
    assert decoded.entries() == {}


def test_a_cache_that_cannot_be_written_is_said(rows, tmp_path, decodings):
    (tmp_path / "cache").write_text("no folder")
    for _ in range(2):
        with pytest.warns(
            UserWarning, match=r"csv:.* is decoded in every command: .* cannot be written to \(Not a dir"
        ):
            anew(f"csv:{rows}:y")
    assert decodings == ["csv"] * 2


def test_what_was_not_used_for_the_longest_time_makes_room(photos, rows, monkeypatch):
    names = [f"csv:{rows}:y", f"csv:{rows}:b"]
    anew(names[0])
    first = only()
    anew(names[1])
    (second,) = decoded.entries().keys() - {first}
    os.utime(first, ns=(10**9, 10**9))
    os.utime(second, ns=(2 * 10**9, 2 * 10**9))
    anew(names[0])  # it is used now
    anew(f"folder:{photos}")
    (third,) = decoded.entries().keys() - {first, second}
    monkeypatch.setattr(decoded, "MOST", sum(decoded.entries().values()) - 1500)
    third.unlink()
    anew(f"folder:{photos}")
    assert first in decoded.entries()
    assert second not in decoded.entries()
    assert sum(decoded.entries().values()) <= decoded.MOST


def test_data_that_are_larger_than_all_may_be_are_said(rows, monkeypatch):
    monkeypatch.setattr(decoded, "MOST", 100)
    with pytest.warns(UserWarning, match="is decoded in every command: decoded it takes .* and 100 bytes are left"):
        anew(f"csv:{rows}:y")
    assert decoded.entries() == {}


LOADING = """
import sys, time
from dnnlab.data import decoded, load, table
decoded.LEAST = 1
read = table.read
def slow(*arguments):
    print("decoding", flush=True)
    time.sleep(float(sys.argv[2]))
    return read(*arguments)
table.read = slow
print(load(sys.argv[1]).x.sum().item(), flush=True)
"""


def test_one_process_decodes_while_another_waits(rows, forked, until):
    processes = [forked(f"csv:{rows}:y", 1, code=LOADING) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0], [process.err for process in processes]
    said = [process.out.split() for process in processes]
    assert sorted(map(len, said)) == [1, 2]
    assert said[0][-1] == said[1][-1]


def test_a_kill_while_it_is_decoded_leaves_nothing_that_stops_the_next(rows, forked, until, decodings):
    process = forked(f"csv:{rows}:y", 3600, code=LOADING)
    until(lambda: "decoding" in process.out, process)
    process.kill()
    process.wait()
    anew(f"csv:{rows}:y")
    assert len(decoded.entries()) == 1


def test_a_kill_while_it_is_written_leaves_a_file_that_is_removed(rows, dnnlab):
    anew(f"csv:{rows}:y")
    left = decoded_folder() / f".{only().name}.1.tmp"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    listed = dnnlab("runs", "--prune")
    assert "decoded again when" in " ".join(listed.out.split())
    assert only().exists()
    assert dnnlab("runs", "--prune", "--yes").code == 0
    assert [*decoded_folder().iterdir()] == []


def test_a_file_that_cannot_be_read_as_one_is_damaged(tmp_path):
    file = tmp_path / "x.safetensors"
    assert tensor_file.read(file, "") is None
    tensor_file.write(file, {"a": torch.arange(3)})
    assert torch.equal(tensor_file.read(file, "")["a"], torch.arange(3))
