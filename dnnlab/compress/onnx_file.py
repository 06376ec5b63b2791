"""ONNX files: exported, without what no runtime needs, and run by ONNX Runtime."""

import contextlib
import itertools
import logging
import string
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dnnlab.errors import DnnlabError

INPUT, OUTPUT = "x", "logits"
_INT8 = {
    *("QLinearConv", "QGemm", "QLinearMatMul", "MatMulInteger", "MatMulIntegerToFloat", "ConvInteger"),
    *("DynamicQuantizeMatMul", "DynamicQuantizeGemm"),
}
_FLOAT = {"Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul", "ConvTranspose"}
_TOLERANCE = 1e-4
"""Largest difference to PyTorch's outputs, relative to the largest of them."""


class _Logits(nn.Module):
    """A network that gives the logits alone, whatever else the network inside gives."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.model(x)
        logits: torch.Tensor = getattr(out, "logits", out)
        return logits


def export(model: nn.Module, example: torch.Tensor) -> Any:
    """The ONNX model of ``model`` for inputs such as ``example [batch, …]``, stripped and checked.

    Raises:
        DnnlabError: the network cannot be exported, or gives other outputs in ONNX Runtime.
    """
    model = model.cpu().eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    example = example.cpu().contiguous()
    try:
        with quiet():
            program = torch.onnx.export(
                _Logits(model).eval(),
                (example,),
                dynamo=True,
                external_data=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                verbose=False,
            )
    except Exception as problem:
        reason = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
        raise DnnlabError(f"the network cannot be exported to ONNX: {reason}") from problem
    assert program is not None
    proto = slim(program.model_proto)
    with torch.no_grad():
        out = model(example)
        wanted = getattr(out, "logits", out).numpy()
    given = Session(proto.SerializeToString())(example.numpy())
    if not np.isfinite(wanted).all():  # the outputs of a network that diverged cannot be compared
        return proto
    change = float(np.abs(given - wanted).max())
    if not change <= _TOLERANCE * max(1.0, float(np.abs(wanted).max())):
        raise DnnlabError(f"in ONNX Runtime the network's outputs differ from PyTorch's by {change:g}.")
    return proto


def slim(proto: Any) -> Any:
    """``proto`` without names, notes and shapes that no runtime needs; input and output keep their names.

    Exporters write where every node came from: more than half as much again as the weights of a small network.
    """
    graph = proto.graph
    del proto.metadata_props[:], graph.metadata_props[:], graph.value_info[:]
    proto.doc_string = graph.doc_string = ""
    short = _names()
    names: dict[str, str] = {"": ""}
    for value in (*graph.input, *graph.output):
        names[value.name] = value.name
        value.doc_string = ""
        del value.metadata_props[:]
    for tensor in graph.initializer:
        tensor.doc_string = ""
        del tensor.metadata_props[:]
        if tensor.name not in names:
            names[tensor.name] = next(short)
        tensor.name = names[tensor.name]
    for node in graph.node:
        node.name = node.doc_string = ""
        del node.metadata_props[:]
        for ends in (node.input, node.output):
            for i, name in enumerate(ends):
                if name not in names:
                    names[name] = next(short)
                ends[i] = names[name]
    return proto


def _names() -> Iterator[str]:
    letters = string.ascii_lowercase[:23]  # not x, so that no name meets the input's
    for length in itertools.count(1):
        yield from ("".join(each) for each in itertools.product(letters, repeat=length))


class Session:
    """An ONNX file in ONNX Runtime on one thread."""

    def __init__(self, content: bytes, optimised: str = "") -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        if optimised:
            options.optimized_model_filepath = optimised
        self.inner = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits ``[batch, class]``."""
        out: NDArray[np.float32] = self.inner.run([OUTPUT], {INPUT: x})[0]
        return out


def int8_share(content: bytes) -> float:
    """The share of convolutions and matrix products that ONNX Runtime runs in eight bits after its fusions."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "optimised.onnx")
        Session(content, file)
        kinds = [node.op_type for node in onnx.load(file).graph.node]
    int8, floats = (sum(kind in names for kind in kinds) for names in (_INT8, _FLOAT))
    return int8 / (int8 + floats) if int8 + floats else 0.0


def static(proto: Any, batches: Sequence[NDArray[np.float32]], signed: bool) -> Any:
    """The model with INT8 weights per channel and INT8 activations, written as QDQ, calibrated on ``batches``.
    ``signed`` activations are S8S8, else U8S8.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """Gives batches of training examples in the way that ONNX Runtime asks for them."""

        def __init__(self) -> None:
            self.batches = iter(batches)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            batch = next(self.batches, None)
            return None if batch is None else {INPUT: batch}

    def quantise(source: str, target: str) -> None:
        prepared = source + ".prepared.onnx"
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8 if signed else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
        )

    return _through_files(proto, quantise)


def dynamic(proto: Any) -> Any:
    """The model with INT8 weights, and activations quantised while it runs; linear layers alone, since convolutions get
    slower by it."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    def quantise(source: str, target: str) -> None:
        quantize_dynamic(
            source, target, op_types_to_quantize=["MatMul", "Gemm"], weight_type=QuantType.QInt8, per_channel=True
        )

    return _through_files(proto, quantise)


def weights_only(proto: Any) -> Any:
    """The model with INT8 weights, symmetric per channel, which the runtime turns into floats when it loads the
    file."""
    import onnx
    from onnx import numpy_helper

    changed = onnx.ModelProto()
    changed.CopyFrom(proto)
    graph = changed.graph
    axes = {node.input[1]: _channel_axis(node) for node in graph.node if node.op_type in ("Conv", "Gemm", "MatMul")}
    for tensor in list(graph.initializer):
        if tensor.name not in axes or len(tensor.dims) < 2:
            continue
        name, axis = tensor.name, axes[tensor.name]
        values = numpy_helper.to_array(tensor)
        others = tuple(i for i in range(values.ndim) if i != axis)
        scale = np.maximum(np.abs(values).max(others), 1e-12).astype(np.float32) / 127
        shape = [-1 if i == axis else 1 for i in range(values.ndim)]
        numbers = np.round(values / scale.reshape(shape)).astype(np.int8)
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(numbers, f"{name}_int8"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
        node = onnx.helper.make_node("DequantizeLinear", [f"{name}_int8", f"{name}_scale"], [name], axis=axis)
        graph.node.insert(0, node)
    return slim(changed)


def _channel_axis(node: Any) -> int:
    """The axis of a weight's output channels."""
    if node.op_type == "Conv":
        return 0
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    return 0 if transposed else 1


def _through_files(proto: Any, quantise: Callable[[str, str], None]) -> Any:
    """Apply one of ONNX Runtime's tools, which read and write files, to a model in memory."""
    import onnx

    with tempfile.TemporaryDirectory() as folder, quiet():
        source, target = str(Path(folder) / "source.onnx"), str(Path(folder) / "target.onnx")
        onnx.save(proto, source)
        quantise(source, target)
        return slim(onnx.load(target))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress the messages of the exporter and the quantiser; errors are raised all the same."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # The exporter copies trees of its own in a way of which PyTorch itself warns.
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            yield
    finally:
        logging.disable(before)
