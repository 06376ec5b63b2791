import dataclasses
import gzip
import hashlib
import pickle
import subprocess
import sys

import pytest

from dnnlab.data import catalogue, data_root, load, read_once, source
from dnnlab.data.files import DataFile
from dnnlab.data.kinds import KINDS
from dnnlab.errors import DnnlabError, UsageError


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("digits", "digits"),
        ("mnist", "mnist"),
        ("fashion-mnist", "fashion-mnist"),
        ("cifar10", "cifar10"),
        ("folder:photos//birds/", "folder:photos/birds"),
        ("csv:a:b.csv:kind", "csv:a:b.csv:kind"),
        ("gaussian", "gaussian:400"),
        ("gaussian:12", "gaussian:12"),
        ("gaussian:3x32x32", "gaussian:3x32x32"),
        ("gaussian:3x032x32:examples=1000:classes=100", "gaussian:3x32x32:classes=100,examples=1000"),
        ("gaussian:64:classes=10,examples=8192", "gaussian:64"),
        ("gaussian:3x224x224:examples=512", "gaussian:3x224x224"),
        ("gaussian:3x224x224:examples=8192", "gaussian:3x224x224:examples=8192"),
        ("tokens:30522x128", "tokens:30522x128"),
        ("tokens:50x12:classes=2", "tokens:50x12:classes=2"),
        ("parity:08", "parity:8"),
        ("compositional:16", "compositional:16"),
        ("compositional:016:examples=8192", "compositional:16"),
        ("compositional:16:examples=00100", "compositional:16:examples=100"),
    ],
)
def test_every_form_has_one_canonical_name(text, name):
    assert source(text).name == name
    assert source(name) == source(text)
    assert pickle.loads(pickle.dumps(source(text))) == source(text)


def test_the_last_colon_splits_off_the_target():
    path, target = source("csv:a:b.csv:kind").arguments
    assert (str(path), target) == ("a:b.csv", "kind")


@pytest.mark.parametrize(
    "text",
    [
        "digits:3", "mnist:x", "folder", "folder:", "folder:a\0b", "csv", "csv:a.csv", "csv:a.csv:",
        "csv::kind", "gaussian:0", "gaussian:many", "gaussian:99999999999", "gaussian:-4", "gaussian:1_0",
        "gaussian:3x", "gaussian:x3", "gaussian:0x3", "gaussian:3x1000000x1000000", "gaussian:3×3",
        "gaussian:1x2x3x4x5", "gaussian:3x3:", "gaussian:3x3:classes", "gaussian:3x3:classes=1",
        "gaussian:3x3:klasses=2", "gaussian:3:size=9", "gaussian:3:examples=19", "gaussian:3:classes=3,classes=3",
        "gaussian:3:classes=2.5", "tokens", "tokens:10", "tokens:10x", "tokens:1x10", "tokens:10x10x10", "tokens:10x0",
        "tokens:axb",
        "parity", "parity:1", "parity:21", "parity:²", "compositional", "compositional:12", "compositional:1",
        "compositional:128", "compositional:8:", "compositional:8:examples", "compositional:8:examples=19",
        "compositional:8:classes=3", "compositional:8:examples=100:examples=100",
    ],
)  # fmt: skip
def test_wrong_arguments_are_told_what_would_be_right(text):
    with pytest.raises(UsageError, match=r"such as \w+:|write \w+") as error:
        source(text)
    assert str(error.value).count("\n") == 0


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UsageError, match="did you mean mnist"):
        source("mnits")
    with pytest.raises(UsageError, match=r"known are digits, mnist.* and compositional"):
        source("")


def test_a_bare_path_is_told_how_to_write_it(tmp_path):
    with pytest.raises(UsageError, match="is written folder:"):
        source(str(tmp_path))
    (tmp_path / "t.csv").write_text("a,b\n")
    with pytest.raises(UsageError, match=r"is written csv:.*t\.csv:TARGET"):
        source(str(tmp_path / "t.csv"))


def test_the_package_is_light_and_digests_need_nothing_heavy(tmp_path):
    code = (
        "import sys, dnnlab.data as d; d.catalogue();"
        "[d.source(name).digest() for name in ('digits', 'gaussian', 'folder:photos', 'csv:t.csv:b')];"
        "print([m for m in ('torch', 'numpy', 'pandas', 'sklearn', 'PIL', 'requests', 'rich', 'tqdm')"
        " if m in sys.modules])"
    )
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    (tmp_path / "photos" / "cat" / "1.jpg").write_bytes(b"never decoded")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_root_is_the_variable_or_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("DNNLAB_DATA", str(tmp_path))
    assert data_root() == tmp_path
    monkeypatch.setenv("DNNLAB_DATA", "~/data")
    assert data_root() == tmp_path.home() / "data"
    for unset in ("", None):
        monkeypatch.delenv("DNNLAB_DATA") if unset is None else monkeypatch.setenv("DNNLAB_DATA", unset)
        assert data_root().name == "dnnlab"


def test_digests_are_of_content_not_of_place(root, put, mnist_files, tmp_path, monkeypatch):
    put(root / "MNIST/raw", mnist_files)
    here = source("mnist").digest()
    monkeypatch.setenv("DNNLAB_DATA", str(tmp_path / "other"))
    unpacked = {name.removesuffix(".gz"): gzip.decompress(content) for name, content in mnist_files.items()}
    put(tmp_path / "other/MNIST/raw", unpacked)
    assert source("mnist").digest() == here
    labels = bytearray(unpacked["t10k-labels-idx1-ubyte"])
    labels[-1] = (labels[-1] + 1) % 10
    put(tmp_path / "other/MNIST/raw", {"t10k-labels-idx1-ubyte": labels})
    assert source("mnist").digest() != here


def test_digests_of_computed_data_differ_by_name():
    digests = {
        source(text).digest()
        for text in (
            "gaussian",
            "gaussian:12",
            "gaussian:3x4",
            "gaussian:12:classes=2",
            "tokens:12x3",
            "parity:12",
            "compositional:16",
        )
    }
    assert len(digests) == 7
    assert source("gaussian:400").digest() == source("gaussian").digest()


def test_a_digest_of_computed_data_is_another_when_the_way_of_computing_has_another_version(monkeypatch):
    before = source("gaussian:12").digest()
    assert before == hashlib.sha256(b"gaussian\ngaussian:12\n1").hexdigest()
    monkeypatch.setitem(KINDS, "gaussian", dataclasses.replace(KINDS["gaussian"], version=2))
    assert source("gaussian:12").digest() != before


def test_a_table_is_its_content_and_its_target(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "b.csv").write_text("a,b\n1,2\n")
    first = source(f"csv:{tmp_path}/a.csv:a").digest()
    assert source(f"csv:{tmp_path}/b.csv:a").digest() == first
    assert source(f"csv:{tmp_path}/a.csv:b").digest() != first


def test_the_same_content_is_read_once(root, put, mnist_files):
    put(root / "MNIST/raw", mnist_files)
    assert load("mnist") is load("mnist")
    assert load("gaussian") is load("gaussian:400")


def test_files_are_read_once_for_what_must_be_of_one_content(tmp_path, monkeypatch):
    table, sha256, read = tmp_path / "t.csv", DataFile.sha256, []
    monkeypatch.setattr(DataFile, "sha256", lambda file: read.append(file.path) or sha256(file))
    table.write_text("a,b\n" + "".join(f"{i},{i % 2}\n" for i in range(40)))
    name = f"csv:{table}:b"
    with read_once():
        first = source(name).digest()
        with read_once():
            assert load(name).digest == first
        table.write_text("a,b\n" + "".join(f"{i},{(i + 1) % 2}\n" for i in range(40)))
        assert source(name).digest() == first
        assert read == [table]
    assert load(name).digest == source(name).digest() != first


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10"])
def test_missing_data_says_which_command_gets_it(root, name, monkeypatch):
    assert not source(name).available()
    assert f"`dnnlab data get {name}`" in source(name).where()
    with pytest.raises(DnnlabError, match=f"is missing; `dnnlab data get {name}` downloads it") as error:
        source(name).load()
    assert not isinstance(error.value, UsageError)


def test_available_data_says_where_it_is(root, put, cifar_files):
    put(root / "cifar-10-batches-bin", cifar_files)
    assert source("cifar10").available()
    assert source("cifar10").where() == f"in {root / 'cifar-10-batches-bin'}"
    assert source("digits").available()
    assert source("parity:3").available()
    assert source("parity:3").where() == "computed when asked for"
    for own in ("folder:nowhere", "csv:nowhere.csv:x", f"folder:{'x' * 5000}", f"csv:{'x' * 5000}:x"):
        assert not source(own).available()
        assert "nothing that can be read" in source(own).where()
        with pytest.raises(UsageError):
            source(own).load()


def test_the_catalogue_lists_every_kind(root):
    entries = catalogue()
    assert [entry.form for entry in entries] == [kind.form for kind in KINDS.values()]
    where = {entry.form: entry.where for entry in entries}
    assert where["folder:PATH"] == where["csv:PATH:TARGET"] == "your own files"
    assert where["gaussian[:SHAPE]"] == "computed when asked for"
    assert "dnnlab data get mnist" in where["mnist"]


def test_a_file_that_may_not_be_read(root, put, mnist_files, monkeypatch):
    put(root / "MNIST/raw", mnist_files)

    def forbidden(path):  # permissions do not stop root, as whom tests may run
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(gzip, "open", forbidden)
    with pytest.raises(DnnlabError, match="may not be read by this user; `dnnlab data get mnist`"):
        source("mnist").load()


def test_the_home_of_nobody_is_a_path_like_others():
    for own in ("folder:~nobody-of-that-name/x", "csv:~nobody-of-that-name/x.csv:y"):
        with pytest.raises(UsageError, match="~nobody-of-that-name"):
            source(own).load()
