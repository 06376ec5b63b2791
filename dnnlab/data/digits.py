"""The handwritten digits that come with scikit-learn (UCI, Alpaydin & Kaynak 1998)."""

from collections.abc import Mapping

import numpy as np

from dnnlab.data.dataset import Content
from dnnlab.data.files import DataFile
from dnnlab.data.splits import Split, fixed_stream, stratified

CLASSES = tuple("0123456789")


def read(files: Mapping[str, DataFile]) -> Content:
    """The digits: ``x`` ``[1797, 1, 8, 8]`` with pixels from 0 to 16; 70 % train, 15 % validate, 15 % test.

    The file is read directly: importing scikit-learn for it would take seconds.

    Raises:
        DnnlabError: the installed scikit-learn lacks the file, or it is broken.
    """
    (file,) = files.values()
    with file.open() as stream:
        try:
            rows = np.loadtxt(stream, delimiter=",", dtype=np.int64, ndmin=2)
        except ValueError as error:
            raise file.problem(f"is no table of numbers ({error})") from None
    if rows.shape != (1797, 65) or rows.min() < 0 or rows[:, :64].max() > 16 or rows[:, 64].max() > 9:
        raise file.problem("does not hold the 1,797 digits")
    y = rows[:, 64].copy()
    split = Split(*stratified(y, [0.15, 0.15], CLASSES, fixed_stream("digits")))
    return Content(rows[:, :64].astype(np.uint8).reshape(-1, 1, 8, 8), y, split, CLASSES)
