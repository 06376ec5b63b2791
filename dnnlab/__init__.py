"""dnnlab: a lecture on deep networks, made executable.

Each experiment is a function: ``dnnlab.gradient_flow(act="sigmoid", depth=20)`` gives a `Run` with ``.summary``
and ``.cells``, ``.figures`` and a page. ``dnnlab.create_model("resnet50", num_classes=10)`` is a named architecture.
Nothing heavy is imported before one is called.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_EXPERIMENTS = ("gradient_flow", "dead_relu", "compare_arch", "compress", "nas", "check")

__all__ = ["__version__", "create_model", *_EXPERIMENTS]


def __dir__() -> list[str]:
    return [*_EXPERIMENTS, "create_model"]


def __getattr__(name: str) -> Any:
    if name in _EXPERIMENTS:
        return importlib.import_module(f"dnnlab.{name}")
    if name == "create_model":
        from dnnlab.networks.catalogue import create_model

        return create_model
    raise AttributeError(f"module 'dnnlab' has no attribute {name!r}")
