"""The container ``*.dnnz``: a state dict in few bytes, checksummed, read without running anything from it."""

from dnnlab.compress.container.reader import Contents, decode
from dnnlab.compress.container.tensors import RAW, SHARED, SPARSE, Layer
from dnnlab.compress.container.writer import encode

__all__ = ["RAW", "SHARED", "SPARSE", "Contents", "Layer", "decode", "encode"]
