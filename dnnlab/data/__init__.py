"""The data: digits, MNIST, Fashion-MNIST, CIFAR-10, folders of images, tables, and synthetic sets.

All of them give the same two tensors, a fixed split and a digest of their content. Importing this package
imports neither torch nor numpy, so that the command line can list the names.
"""

from dnnlab.data.files import data_root
from dnnlab.data.sources import PREFIX, Source, catalogue, digests, forms, load, notes, read_once, source

__all__ = ["PREFIX", "Source", "catalogue", "data_root", "digests", "forms", "load", "notes", "read_once", "source"]
