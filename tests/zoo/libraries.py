"""Makes torchvision importable where its compiled operators do not load, such as beside a PyTorch without CUDA.

No network needs these operators, which are of detection; but torchvision registers their shapes when it is imported.
"""

import importlib
import sys

import torch

OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_held = []


def load_torchvision():
    """The module ``torchvision.models``."""
    try:
        return importlib.import_module("torchvision.models")
    except RuntimeError as problem:
        if "operator torchvision::" not in str(problem):
            raise
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    _held.append(library)  # it takes its operators with it
    for schema in OPERATORS:
        library.define(schema)
    return importlib.import_module("torchvision.models")
