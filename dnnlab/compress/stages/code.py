"""Entropy coding changes the file alone: `compress.container` codes the numbers in it."""

from dnnlab.compress.files import write_container

write = write_container
