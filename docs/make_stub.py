"""Writes ``dnnlab/__init__.pyi``, which editors and mypy read, from the program: ``python -m docs.make_stub``."""

import inspect
import textwrap
from pathlib import Path

from dnnlab.networks.catalogue import create_model
from dnnlab.registry import EXPERIMENTS
from dnnlab.runner.options import python_help, python_signature
from dnnlab.runner.run_options import RunOptions

FILE = Path(__file__).parents[1] / "dnnlab" / "__init__.pyi"
_HEAD = """\
# Written by `make docs` from the options of the experiments.
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from dnnlab.runner.result import Run

__version__: str
"""


def stub() -> str:
    """The whole file."""
    parts = [_HEAD]
    for experiment in EXPERIMENTS.values():
        spec = experiment.spec
        name = experiment.package.rpartition(".")[2]
        parts.append(
            _function(
                name, python_signature(spec.Spec, RunOptions), "Run", python_help(spec.HELP, spec.Spec, RunOptions)
            )
        )
    parts.append(_function("create_model", inspect.signature(create_model), "nn.Module", create_model.__doc__ or ""))
    return "\n\n".join(parts)


def _function(name: str, signature: inspect.Signature, result: str, text: str) -> str:
    lines, starred = [], False
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not starred:
            lines.append("*,")
            starred = True
        written = inspect.formatannotation(parameter.annotation).replace("collections.abc.", "").replace("pathlib.", "")
        default = "" if parameter.default is inspect.Parameter.empty else " = ..."
        stars = "**" if parameter.kind is inspect.Parameter.VAR_KEYWORD else ""
        lines.append(f"{stars}{parameter.name}: {written.replace('typing.', '')}{default},")
    told = textwrap.indent(f'"""{inspect.cleandoc(text).strip()}\n"""', "    ")
    return f"def {name}(\n{textwrap.indent(chr(10).join(lines), '    ')}\n) -> {result}:\n{told}\n    ...\n"


if __name__ == "__main__":
    FILE.write_text(stub(), encoding="utf-8")
