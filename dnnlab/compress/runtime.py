"""How ONNX Runtime is asked to run a model here. Importing this module does not import torch."""

from typing import Any

INPUT, OUTPUT = "x", "logits"
"""The names of what a model reads and gives."""
PROVIDERS = ["CPUExecutionProvider"]


def session_options() -> Any:
    """The options of a session on one thread, which prints nothing."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return options
