"""How this copy of dnnlab came to be here, and the command that installs what it lacks.

The name ``dnnlab`` on the Python package index belongs to another project, so that no command may say
``pip install dnnlab``. PEP 610 says how a distribution was installed, in the file ``direct_url.json``.
"""

import importlib.metadata
import importlib.util
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dnnlab

DISTRIBUTION = "dnnlab-experiments"
"""The name under which dnnlab is installed; command and import are ``dnnlab``."""
_PACKAGE = Path(dnnlab.__file__).parent


def command(*libraries: str) -> str:
    """The command that installs ``libraries`` for the Python that runs."""
    return " ".join(map(_quoted, [*_installer(), *libraries]))


def command_for(extra: str) -> str:
    """The command that adds ``extra``, such as ``compress``, to this copy of dnnlab for the Python that runs."""
    return command(*_with(extra))


def _installer() -> list[str]:
    """``pip install`` of the Python that runs, or uv's where it has no pip."""
    if importlib.util.find_spec("pip") is None:  # as in environments that uv makes
        return ["uv", "pip", "install", "--python", sys.executable]
    # Outside of a virtual environment there may be several Pythons beside one pip.
    found = shutil.which("pip") if sys.prefix != sys.base_prefix else None
    if found and os.path.samefile(Path(found).parent, Path(sys.executable).parent):
        return ["pip", "install"]
    return [sys.executable, "-m", "pip", "install"]


def _with(extra: str) -> Sequence[str]:
    """What an installer takes to install this copy with ``extra``."""
    distribution = _distribution()
    if distribution is None:  # it runs from a folder that was never installed
        checkout = _PACKAGE.parent
        return _editable(checkout, extra) if (checkout / "pyproject.toml").is_file() else [f"{DISTRIBUTION}[{extra}]"]
    origin = _origin(distribution)
    if not origin:
        return [f"{DISTRIBUTION}[{extra}]"]
    place = _path(origin["url"])
    if origin.get("dir_info", {}).get("editable"):
        return _editable(place, extra)
    if origin["url"].startswith("file:") and not place.exists():  # such as a wheel that was removed afterwards
        return _libraries(distribution, extra)
    url = origin["url"]
    if "vcs_info" in origin:
        url = f"{origin['vcs_info']['vcs']}+{url}@{origin['vcs_info']['commit_id']}"
    return [f"{DISTRIBUTION}[{extra}] @ {url}"]


def _editable(checkout: Path, extra: str) -> list[str]:
    return ["--editable", f"{checkout}[{extra}]"]


def _libraries(distribution: importlib.metadata.Distribution, extra: str) -> list[str]:
    """The libraries that ``extra`` consists of, with their lower bounds."""
    marked = re.compile(rf"""(.*?)\s*;\s*extra\s*==\s*["']{extra}["']""")
    return [found[1] for text in distribution.requires or () if (found := marked.fullmatch(text))]


def _distribution() -> importlib.metadata.Distribution | None:
    """What was installed as this copy; another copy may be installed beside one that runs from a checkout."""
    for found in importlib.metadata.distributions(name=DISTRIBUTION):
        origin = _origin(found)
        editable = origin.get("dir_info", {}).get("editable")
        place = _path(origin["url"]) if editable else Path(str(found.locate_file("")))
        if (place / "dnnlab").resolve() == _PACKAGE.resolve():
            return found
    return None


def _origin(distribution: importlib.metadata.Distribution) -> dict[str, Any]:
    """The content of its ``direct_url.json``; empty where it came from an index."""
    origin: dict[str, Any] = json.loads(distribution.read_text("direct_url.json") or "{}")
    return origin


def _path(url: str) -> Path:
    from urllib.request import url2pathname  # slow to import

    return Path(url2pathname(urlsplit(url).path))


def _quoted(word: str) -> str:
    """``word`` as the shell of this system takes it; both of Windows' know double quotes."""
    if os.name == "nt":
        return word if re.fullmatch(r"[\w\\/:.=-]+", word) else f'"{word}"'
    return shlex.quote(word)
