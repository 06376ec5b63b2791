"""TOML files of a user, of any content: what they hold, or an error in one sentence. Importing this is light."""

import tomllib
from pathlib import Path
from typing import Any

from dnnlab.errors import UsageError

_LONGEST = 1_000_000
"""The most bytes of a file; files that people write by hand are shorter."""


def text(path: Path, what: str) -> str:
    """The text of ``path``; ``what`` names it in errors. Editors of some systems begin a file with a byte-order mark.

    Raises:
        UsageError: it cannot be read, is no text, or is too long.
    """
    try:
        if path.exists() and not path.is_file():
            kind = "directory" if path.is_dir() else "device"
            raise UsageError(f"{what} is a {kind}; give a file that ends in .toml.")
        if path.exists() and path.stat().st_size > _LONGEST:
            raise UsageError(f"{what} has more than {_LONGEST:,} bytes, too many for such a file.")
        return path.read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise UsageError(f"cannot read {what}: {problem.strerror or problem}.") from None
    except UnicodeDecodeError as problem:
        raise UsageError(f"{what} is not TOML: {problem}.") from None


def parse(content: str, what: str) -> dict[str, Any]:
    """The content of a TOML text; errors call the file ``what``.

    Raises:
        UsageError: it is not TOML, or is nested so deeply or has a number so long that Python does not read it.
    """
    try:
        return tomllib.loads(content)
    except RecursionError:
        raise UsageError(f"{what} is nested too deeply; it needs tables in tables at most.") from None
    except tomllib.TOMLDecodeError as problem:
        raise UsageError(f"{what} is not TOML: {problem}.") from None
    except ValueError:
        raise UsageError(f"{what} has a number of thousands of digits; write a shorter one.") from None


def read(path: Path, what: str) -> dict[str, Any]:
    """The content of the TOML file ``path``; errors call it ``what``."""
    return parse(text(path, what), what)
