"""How files write architectures: for each dimension the number of its choice."""

from dnnlab.networks.spaces.space import Code


def write_code(code: Code) -> str:
    """The text of a code, such as ``3-0-1``."""
    return "-".join(map(str, code))


def read_code(text: str) -> Code:
    """The code of a text that `write_code` made; empty for the empty text."""
    return tuple(map(int, text.split("-"))) if text else ()
