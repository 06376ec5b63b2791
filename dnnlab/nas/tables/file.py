"""A published table of trained cells: ``cell,val_accuracy_12,val_accuracy_200,test_accuracy_200``, with one row per
cell.

Importing this module imports neither torch nor pandas.
"""

import csv
import functools
import hashlib
import io
import math
import re
from dataclasses import dataclass
from pathlib import Path

from dnnlab.data.files import DataFile
from dnnlab.errors import UsageError, listing
from dnnlab.networks.spaces import cell
from dnnlab.networks.spaces.space import Code

_LIMIT = 1 << 28
"""The most bytes of a table, unpacked; the published ones have a few millions."""
_REMEDY = "give the path of a CSV file, gzipped or not, or its name in the folder DNNLAB_DATA"
_COLUMN = re.compile(r"(val|test)_accuracy_(\d+)")


@dataclass(frozen=True, eq=False)
class Table:
    """Accuracies as shares of one, for every cell of the space."""

    name: str
    digest: str
    validation: dict[int, dict[Code, float]]
    """Validation accuracy of each cell, by the epochs after which it was measured."""
    test: dict[Code, float]
    """Test accuracy of each cell after the most epochs."""

    @property
    def epochs(self) -> int:
        """Epochs of a full training."""
        return max(self.validation)

    @property
    def average(self) -> float:
        """Mean test accuracy of all cells, which is what a random cell has on average."""
        return math.fsum(self.test.values()) / len(self.test)


@functools.lru_cache(maxsize=2)
def read(file: str) -> Table:
    """The table in ``file``, gzipped or not. Percentages become shares.

    Raises:
        UsageError: it cannot be read, lacks columns or cells, or holds something else than accuracies.
    """
    source = DataFile(Path(file), _REMEDY, UsageError, _LIMIT)
    content = b"".join(source.chunks())
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise source.problem("is no text") from None
    try:
        header, *rows = csv.reader(io.StringIO(text, newline="")) if text else [[]]
    except csv.Error as error:  # for instance a field of a megabyte
        raise source.problem(f"is no CSV ({error})") from None
    columns = {(kind, int(epochs)): i for i, (kind, epochs) in enumerate(map(_named, header)) if kind}
    validation = sorted(epochs for kind, epochs in columns if kind == "val")
    if header[:1] != ["cell"] or not validation or ("test", validation[-1]) not in columns:
        raise UsageError(
            f"--table {file} needs the columns cell, val_accuracy_EPOCHS and, of the most epochs, test_accuracy_EPOCHS."
        )
    accuracies: dict[tuple[str, int], dict[Code, float]] = {key: {} for key in columns}
    for row in rows:
        code = cell.SPACE.code(cell.parse(row[0])) if row else ()
        for key, place in columns.items():
            accuracies[key][code] = _accuracy(row[place] if place < len(row) else "", file, row[:1])
    test = accuracies["test", validation[-1]]
    if len(test) < len(cell.SPACE):
        raise UsageError(
            f"--table {file} holds {len(test)} of the {len(cell.SPACE)} cells; a search needs all of them."
        )
    scale = 100.0 if max(test.values()) > 1 else 1.0
    scaled = {key: {code: value / scale for code, value in values.items()} for key, values in accuracies.items()}
    digest = hashlib.sha256(content).hexdigest()
    name = Path(file).name.removesuffix(".gz").removesuffix(".csv")
    return Table(name, digest, {e: scaled["val", e] for e in validation}, scaled["test", validation[-1]])


def _named(column: str) -> tuple[str, int]:
    match = _COLUMN.fullmatch(column)
    return (match[1], int(match[2])) if match else ("", 0)


def _accuracy(text: str, file: str, row: list[str]) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 100:
        raise UsageError(f"--table {file}: {text!r} is no accuracy ({listing(row) if row else 'an empty row'}).")
    return value
