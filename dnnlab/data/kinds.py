"""Every kind of data set dnnlab knows. A new one is one new entry in `KINDS`.

The readers are imported when data is loaded, not before: they need numpy, pandas or Pillow.
"""

import importlib.util
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dnnlab import memory
from dnnlab.data import drawn
from dnnlab.data.drawn import number
from dnnlab.data.files import DataFile, Files, at_home, data_root
from dnnlab.data.scan import scan
from dnnlab.errors import DnnlabError, UsageError

if TYPE_CHECKING:
    from dnnlab.data.dataset import Content

_SHARE = 8
"""The share of the memory that is left which a user's table may take, since it takes more while it is read."""
LARGEST_FILE = 1 << 28  # bytes; the largest file of any set below, unpacked, is 47 MB


class Published(NamedTuple):
    """The exact size and checksum of a file of a published data set."""

    size: int
    """Its size in bytes."""
    sha256: str


@dataclass(frozen=True)
class Remote:
    """The address of a published data set, and its place under `data_root`, which is the one that torchvision uses."""

    base: str
    folder: str
    files: Mapping[str, Published]
    """The files that are downloaded, by name."""
    unpacked: Mapping[str, int] = field(default_factory=dict)
    """Where the download is an archive, the bytes of each file in it that holds data, by name."""

    @property
    def megabytes(self) -> int:
        """The size of the download in MB."""
        return round(sum(file.size for file in self.files.values()) / 1e6)


def _no_argument(text: str) -> tuple[()]:
    if text:
        raise ValueError
    return ()


def _composed(text: str) -> tuple[Any, ...]:
    """The arguments of `synthetic.compositional`: the inputs, and where they are not as many as usual the examples."""
    inputs, colon, option = text.partition(":")
    count = number(inputs, 2, 64)
    name, _, value = option.partition("=")
    if count & (count - 1) or (colon and name != "examples"):
        raise ValueError
    examples = number(value, *drawn.LIMITS["examples"]) if colon else drawn.EXAMPLES
    return (count,) if examples == drawn.EXAMPLES else (count, f"examples={examples}")


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError
    return Path(text)


def _path_and_target(text: str) -> tuple[Path, str]:
    # A path that ends as tables do leaves the rest to the column, whose name may have colons.
    if match := re.fullmatch(r"(.*\.csv(?:\.gz)?):(.+)", text, re.IGNORECASE | re.DOTALL):
        return _path(match[1]), match[2]
    path, _, target = text.rpartition(":")
    if not target:
        raise ValueError
    return _path(path), target


@dataclass(frozen=True)
class Kind:
    """One kind of data set: how its name is written, what its files are, and the function that reads it."""

    form: str
    about: str
    wants: str
    """What its arguments must be, with an example: the end of a sentence."""
    read: Callable[..., "Content"]
    """Reads or computes the data, given the arguments. The imports inside it keep this module light."""
    parse: Callable[[str], tuple[Any, ...]] = _no_argument
    """Turns the text after the first colon into arguments; raises ValueError where it is not as ``wants`` says."""
    files: Callable[..., Files] = lambda *arguments: Files({})
    """The files with the data, given the arguments, by a name that does not depend on the folder. There are none for
    computed data."""
    remote: Remote | None = None
    user_files: str = ""
    """What the user's own files are, such as ``a table``; empty for other kinds. The first argument is their path."""
    endings: tuple[str, ...] = ()
    """The endings of the names of such files; empty where the path is a folder."""
    random_labels: bool = False
    """Whether labels have nothing to do with inputs, so that only the fit to the training examples means something."""
    tokens: bool = False
    """Whether inputs are tokens: whole numbers that say which of a vocabulary, and are not computed with."""
    version: int = 1
    """Of the way in which data is computed. It is raised when the same name comes to mean other numbers."""

    def __post_init__(self) -> None:
        if (self.user_files or self.remote) and self.files is Kind.files:
            raise ValueError(
                f"{self.form} is read from files, and says nothing of them: runs would not see them change."
            )


def remote_folder(remote: Remote) -> Path:
    """Where the files of ``remote`` are, or will be."""
    return data_root() / remote.folder


def remote_files(name: str) -> Files:
    """The files of a published data set; a packed one may also lie there unpacked."""
    remote = KINDS[name].remote
    assert remote is not None
    folder = remote_folder(remote)
    remedy = f"`dnnlab data get {name}` downloads it, or set DNNLAB_DATA to the folder that has {remote.folder}"
    files = {}
    for packed in remote.unpacked or remote.files:
        unpacked = packed.removesuffix(".gz")
        # The packed file goes first: it is the one a download mends.
        either = [path for path in (folder / packed, folder / unpacked) if os.path.exists(path)]
        files[unpacked] = DataFile(either[0] if either else folder / packed, remedy, limit=LARGEST_FILE)
    return Files(files)


def _digits_files() -> Files:
    """The file inside scikit-learn, found without importing scikit-learn, which takes seconds."""
    package = importlib.util.find_spec("sklearn")
    remedy = "reinstall it with `pip install --force-reinstall scikit-learn`"
    if package is None or not package.submodule_search_locations:
        raise DnnlabError(f"scikit-learn, which brings the digits, is not installed; {remedy}.")
    path = Path(package.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
    return Files({"digits.csv": DataFile(path, remedy, limit=LARGEST_FILE)})


def _read_mnist(name: str, classes: str) -> "Content":
    mnist = import_module("dnnlab.data.mnist")
    content: Content = mnist.read(remote_files(name), getattr(mnist, classes))
    return content


def _table_files(path: Path, target: str) -> Files:
    remedy = "csv: wants a file of comma-separated values, such as csv:flowers.csv:species"
    most = memory.available() // _SHARE
    because = "which is too much for the memory that is left"
    return Files({f"table with target {target}": DataFile(at_home(path), remedy, UsageError, most, because)})


_MNIST = Remote(
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "MNIST/raw",
    {
        "train-images-idx3-ubyte.gz":
            Published(9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        "train-labels-idx1-ubyte.gz":
            Published(28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        "t10k-images-idx3-ubyte.gz":
            Published(1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        "t10k-labels-idx1-ubyte.gz":
            Published(4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    },
)  # fmt: skip

_FASHION = Remote(
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "FashionMNIST/raw",
    {
        "train-images-idx3-ubyte.gz":
            Published(26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        "train-labels-idx1-ubyte.gz":
            Published(29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        "t10k-images-idx3-ubyte.gz":
            Published(4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        "t10k-labels-idx1-ubyte.gz":
            Published(5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    },
)  # fmt: skip

_CIFAR10 = Remote(
    "https://www.cs.toronto.edu/~kriz/",
    "cifar-10-batches-bin",
    {
        "cifar-10-binary.tar.gz":
            Published(170_052_171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
    },
    unpacked=dict.fromkeys((*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"), 30_730_000),
)  # fmt: skip

KINDS: dict[str, Kind] = {
    "digits": Kind(
        form="digits",
        about="1,797 handwritten digits, 8×8 grey, 10 classes (UCI; comes with scikit-learn)",
        wants="digits takes no argument: write digits",
        read=lambda: import_module("dnnlab.data.digits").read(_digits_files()),
        files=_digits_files,
    ),
    "mnist": Kind(
        form="mnist",
        about="70,000 handwritten digits, 28×28 grey, 10 classes (LeCun 1998)",
        wants="mnist takes no argument: write mnist",
        read=lambda: _read_mnist("mnist", "DIGITS"),
        files=lambda: remote_files("mnist"),
        remote=_MNIST,
    ),
    "fashion-mnist": Kind(
        form="fashion-mnist",
        about="70,000 pieces of clothing, 28×28 grey, 10 classes (Xiao 2017)",
        wants="fashion-mnist takes no argument: write fashion-mnist",
        read=lambda: _read_mnist("fashion-mnist", "CLOTHES"),
        files=lambda: remote_files("fashion-mnist"),
        remote=_FASHION,
    ),
    "cifar10": Kind(
        form="cifar10",
        about="60,000 photographs, 32×32 colour, 10 classes (Krizhevsky 2009)",
        wants="cifar10 takes no argument: write cifar10",
        read=lambda: import_module("dnnlab.data.cifar").read(remote_files("cifar10")),
        files=lambda: remote_files("cifar10"),
        remote=_CIFAR10,
    ),
    "folder": Kind(
        form="folder:PATH",
        about="a folder of images, a class a sub-folder, with or without train/ and test/ above them",
        wants="folder takes a path, such as folder:photos",
        read=lambda path: import_module("dnnlab.data.folder").read(at_home(path)),
        parse=lambda text: (_path(text),),
        files=lambda path: scan(at_home(path)).files,
        user_files="a folder of images",
    ),
    "csv": Kind(
        form="csv:PATH:TARGET",
        about="a table of comma-separated values, of which the column TARGET is the class",
        wants="csv takes a path and the column to predict, such as csv:flowers.csv:species",
        read=lambda path, target: import_module("dnnlab.data.table").read(*_table_files(path, target).values(), target),
        parse=_path_and_target,
        files=_table_files,
        user_files="a table",
        endings=(".csv", ".csv.gz"),
    ),
    "gaussian": Kind(
        form="gaussian[:SHAPE]",
        about="standard normal inputs of any shape with labels by chance, as in signal-propagation theory",
        wants=f"gaussian takes the shape of one input, of at most {drawn.LARGEST:,} numbers, such as gaussian:400 or "
        f"gaussian:3x224x224, and after another colon {drawn.OPTIONS}, such as gaussian:3x32x32:classes=100",
        read=lambda what: import_module("dnnlab.data.synthetic").gaussian(what),
        parse=lambda text: (drawn.shaped(text),),
        random_labels=True,
    ),
    "tokens": Kind(
        form="tokens:VOCABULARYxLENGTH",
        about="sequences of tokens by chance with labels by chance, for networks that begin with an embedding",
        wants="tokens takes how many different ones there are and how many an input has, such as tokens:30522x128, and "
        f"after another colon {drawn.OPTIONS}, such as tokens:30522x128:classes=2",
        read=lambda what: import_module("dnnlab.data.synthetic").tokens(what),
        parse=lambda text: (drawn.tokens(text),),
        random_labels=True,
        tokens=True,
    ),
    "parity": Kind(
        form="parity:BITS",
        about="patterns of -1 and +1; the class is whether the number of +1 is odd",
        wants="parity takes a number of bits from 2 to 20, such as parity:8",
        read=lambda bits: import_module("dnnlab.data.synthetic").parity(bits),
        parse=lambda text: (number(text, 2, 20),),
    ),
    "compositional": Kind(
        form="compositional:INPUTS",
        about="8,192 normal inputs classified by a tree of two-input functions (Mhaskar & Poggio 2016)",
        wants="compositional takes a power of two from 2 to 64, such as compositional:8, and after another colon "
        f"examples={drawn.LIMITS['examples'][0]:,} to {drawn.LIMITS['examples'][1]:,}, such as "
        "compositional:8:examples=100000",
        read=lambda *arguments: import_module("dnnlab.data.synthetic").compositional(*arguments),
        parse=_composed,
    ),
}
