"""Every kind of data set dnnlab knows. A new one is one new entry in `KINDS`.

The readers are imported when data is loaded, not before: they need numpy, pandas or Pillow.
"""

import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnnlab.data.files import DataFile, at_home, data_root
from dnnlab.data.scan import scan
from dnnlab.errors import DnnlabError, UsageError

if TYPE_CHECKING:
    from dnnlab.data.dataset import Content

LARGEST_FILE = 1 << 28  # bytes; the largest file of any set below, unpacked, is 47 MB


@dataclass(frozen=True)
class Remote:
    """Where a published data set comes from, and its place under `data_root`: the one torchvision uses."""

    base: str
    folder: str
    files: Mapping[str, str]
    """What is downloaded: file name to its published MD5."""
    megabytes: int
    """The size of the download."""
    archived: tuple[str, ...] = ()
    """The files the download unpacks to, when it is an archive."""


def _no_argument(text: str) -> tuple[()]:
    if text:
        raise ValueError
    return ()


def _number(text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
        raise ValueError
    return int(text)


def _inputs(text: str) -> tuple[int]:
    number = _number(text, 2, 64)
    if number & (number - 1):
        raise ValueError
    return (number,)


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError
    return Path(text)


def _path_and_target(text: str) -> tuple[Path, str]:
    path, _, target = text.rpartition(":")
    if not target:
        raise ValueError
    return _path(path), target


@dataclass(frozen=True)
class Kind:
    """One kind of data set: how its name is written, what it is made of and what reads it."""

    form: str
    about: str
    wants: str
    """What its arguments must be, with an example: the end of a sentence."""
    read: Callable[..., "Content"]
    """Given the arguments, reads or computes the data. The imports inside it keep this module light."""
    parse: Callable[[str], tuple[Any, ...]] = _no_argument
    """The text after the first colon to arguments; ValueError where it is not as ``wants`` says."""
    files: Callable[..., dict[str, DataFile]] = lambda *arguments: {}
    """Given the arguments, the files whose content is the data, by a name that does not depend on the place.
    None for what is computed."""
    remote: Remote | None = None
    own: bool = False
    """The user's own files: the first argument is their path."""


def remote_folder(remote: Remote) -> Path:
    """Where the files of ``remote`` are, or will be."""
    return data_root() / remote.folder


def remote_files(name: str) -> dict[str, DataFile]:
    """The files of a published data set; a packed one may also lie there unpacked."""
    remote = KINDS[name].remote
    assert remote is not None
    folder = remote_folder(remote)
    remedy = f"`dnnlab data get {name}` downloads it, or set DNNLAB_DATA to the folder that has {remote.folder}"
    files = {}
    for packed in remote.archived or remote.files:
        unpacked = packed.removesuffix(".gz")
        # The packed file goes first: it is the one a download mends.
        either = [path for path in (folder / packed, folder / unpacked) if os.path.exists(path)]
        files[unpacked] = DataFile(either[0] if either else folder / packed, remedy, limit=LARGEST_FILE)
    return files


def _digits_files() -> dict[str, DataFile]:
    """The file inside scikit-learn, found without importing scikit-learn, which takes seconds."""
    package = importlib.util.find_spec("sklearn")
    remedy = "reinstall it with `pip install --force-reinstall scikit-learn`"
    if package is None or not package.submodule_search_locations:
        raise DnnlabError(f"scikit-learn, which brings the digits, is not installed; {remedy}.")
    path = Path(package.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
    return {"digits.csv": DataFile(path, remedy, limit=LARGEST_FILE)}


def _own_table(path: Path, target: str) -> dict[str, DataFile]:
    remedy = "csv: wants a file of comma-separated values, such as csv:flowers.csv:species"
    return {f"table with target {target}": DataFile(at_home(path), remedy, UsageError)}


def _module(name: str) -> Any:
    return importlib.import_module(f"dnnlab.data.{name}")


_IDX = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz")  # fmt: skip

_MNIST = Remote(
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "MNIST/raw",
    dict(zip(_IDX, ("f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432",
                    "9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c"), strict=True)),
    megabytes=12,
)  # fmt: skip

_FASHION = Remote(
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "FashionMNIST/raw",
    dict(zip(_IDX, ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe",
                    "bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310"), strict=True)),
    megabytes=31,
)  # fmt: skip

_CIFAR10 = Remote(
    "https://www.cs.toronto.edu/~kriz/",
    "cifar-10-batches-bin",
    {"cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"},
    megabytes=170,
    archived=(*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"),
)

KINDS: dict[str, Kind] = {
    "digits": Kind(
        form="digits",
        about="1,797 handwritten digits, 8×8 grey, 10 classes (UCI; comes with scikit-learn)",
        wants="digits takes no argument: write digits",
        read=lambda: _module("digits").read(_digits_files()),
        files=_digits_files,
    ),
    "mnist": Kind(
        form="mnist",
        about="70,000 handwritten digits, 28×28 grey, 10 classes (LeCun 1998)",
        wants="mnist takes no argument: write mnist",
        read=lambda: _module("mnist").read(remote_files("mnist"), _module("mnist").DIGITS),
        files=lambda: remote_files("mnist"),
        remote=_MNIST,
    ),
    "fashion-mnist": Kind(
        form="fashion-mnist",
        about="70,000 pieces of clothing, 28×28 grey, 10 classes (Xiao 2017)",
        wants="fashion-mnist takes no argument: write fashion-mnist",
        read=lambda: _module("mnist").read(remote_files("fashion-mnist"), _module("mnist").CLOTHES),
        files=lambda: remote_files("fashion-mnist"),
        remote=_FASHION,
    ),
    "cifar10": Kind(
        form="cifar10",
        about="60,000 photographs, 32×32 colour, 10 classes (Krizhevsky 2009)",
        wants="cifar10 takes no argument: write cifar10",
        read=lambda: _module("cifar").read(remote_files("cifar10")),
        files=lambda: remote_files("cifar10"),
        remote=_CIFAR10,
    ),
    "folder": Kind(
        form="folder:PATH",
        about="a folder of images, a class a sub-folder, with or without train/ and test/ above them",
        wants="folder takes a path, such as folder:photos",
        read=lambda path: _module("folder").read(at_home(path)),
        parse=lambda text: (_path(text),),
        files=lambda path: scan(at_home(path)).files,
        own=True,
    ),
    "csv": Kind(
        form="csv:PATH:TARGET",
        about="a table of comma-separated values, of which the column TARGET is the class",
        wants="csv takes a path and the column to predict, such as csv:flowers.csv:species",
        read=lambda path, target: _module("table").read(*_own_table(path, target).values(), target),
        parse=_path_and_target,
        files=_own_table,
        own=True,
    ),
    "gaussian": Kind(
        form="gaussian[:FEATURES]",
        about="8,192 standard normal inputs with labels by chance: the input of signal-propagation theory",
        wants="gaussian takes a number of features from 1 to 16384, such as gaussian:400",
        read=lambda features: _module("synthetic").gaussian(features),
        parse=lambda text: (_number(text or "400", 1, 16384),),
    ),
    "parity": Kind(
        form="parity:BITS",
        about="patterns of -1 and +1; the class is whether the number of +1 is odd",
        wants="parity takes a number of bits from 2 to 20, such as parity:8",
        read=lambda bits: _module("synthetic").parity(bits),
        parse=lambda text: (_number(text, 2, 20),),
    ),
    "compositional": Kind(
        form="compositional:INPUTS",
        about="8,192 normal inputs classified by a tree of two-input functions (Mhaskar & Poggio 2016)",
        wants="compositional takes a power of two from 2 to 64, such as compositional:8",
        read=lambda inputs: _module("synthetic").compositional(inputs),
        parse=_inputs,
    ),
}
