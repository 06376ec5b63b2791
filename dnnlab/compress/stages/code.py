"""Entropy coding changes the file alone: `compress.container` codes what the file holds."""

from dnnlab.compress.files import write_container

write = write_container
