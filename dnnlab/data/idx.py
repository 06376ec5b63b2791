"""The IDX format of MNIST (LeCun, http://yann.lecun.com/exdb/mnist)."""

import math
import struct

import numpy as np
from numpy.typing import NDArray

from dnnlab.data.files import DataFile

_UBYTE = 8  # the format's code for unsigned bytes
_DEFLATE_RATIO = 1032  # no deflate stream unpacks to more than this many times its size


def read_idx(file: DataFile, dimensions: int) -> NDArray[np.uint8]:
    """The array of unsigned bytes in ``file``, packed or not.

    The header is checked against the size of the file before anything of the promised size is allocated, and
    nothing is unpacked past that size.

    Returns:
        uint8 ``[n]`` for one dimension, ``[n, height, width]`` for three.

    Raises:
        DnnlabError: missing, unreadable, not IDX, or not of the promised size.
    """
    start = 4 + 4 * dimensions
    header = b"".join(file.chunks(start))
    if len(header) < start:
        raise file.problem("is cut short within its header")
    magic, *shape = struct.unpack(f">{1 + dimensions}I", header)
    if magic != _UBYTE << 8 | dimensions:
        raise file.problem(
            f"is no IDX file of bytes in {dimensions} dimension{'s'[: dimensions > 1]} (it starts with 0x{magic:08x})"
        )
    if 0 in shape:
        raise file.problem("promises no data at all")
    size = start + math.prod(shape)
    on_disk = file.path.stat().st_size
    packed = file.path.suffix == ".gz"
    if size > on_disk * (_DEFLATE_RATIO if packed else 1):
        raise file.problem(f"promises {size:,} bytes but is too short for that ({on_disk:,} bytes)")
    content = bytearray()
    for piece in file.chunks(size + 1):
        content += piece
    if len(content) != size:
        raise file.problem(f"is {'longer' if len(content) > size else 'shorter'} than the {size:,} bytes it promises")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
