"""Architectures as they stand in files: of each dimension the number of its choice."""

from dnnlab.networks.spaces.space import Code


def write_code(code: Code) -> str:
    """``3-0-1``."""
    return "-".join(map(str, code))


def read_code(text: str) -> Code:
    """The code that `write_code` wrote; empty for nothing."""
    return tuple(map(int, text.split("-"))) if text else ()
