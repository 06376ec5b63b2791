"""ONNX files: exported, without what no runtime needs, and run by ONNX Runtime."""

import contextlib
import hashlib
import io
import itertools
import logging
import math
import re
import string
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dnnlab.compress.runtime import INPUT, OUTPUT, PROVIDERS, session_options
from dnnlab.errors import DnnlabError, first_line, of_users_code, users_line
from dnnlab.networks import outputs

_TOLERANCE = 1e-4
"""Largest difference to PyTorch's outputs, relative to the largest of them."""
_ONLY_FLOATS = {"ConvTranspose", "LayerNormalization", "InstanceNormalization", "BatchNormalization"}
"""Operators that the quantiser can write and that no kernel executes in eight bits: their weights would be turned into
floats at every call, which takes time and memory."""


class _Logits(nn.Module):
    """A network that gives the logits alone, whatever else the network inside gives."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = outputs.logits(self.model(x))
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
        raise DnnlabError(f"the network cannot be exported to ONNX: {_why(problem)}.") from problem
    assert program is not None
    proto = slim(program.model_proto)
    try:
        session = Session(proto.SerializeToString())
    except Exception as problem:
        reason = first_line(problem).rstrip(".")
        raise DnnlabError(f"ONNX Runtime refuses the exported network: {reason}.") from problem
    # Other inputs, and another number of them: what depended on the example is a constant now.
    for x in (example, example[[*range(1, len(example)), 0, 0]]):
        with torch.no_grad():
            wanted = outputs.logits(model(x)).numpy()
        if not np.isfinite(wanted).all():  # the outputs of a network that diverged cannot be compared
            return proto
        try:
            given = session(x.numpy())
        except Exception as problem:
            raise DnnlabError(
                f"the exported network takes no other number of inputs than {len(example)}. {_FIXED}"
            ) from problem
        change = float(np.abs(given - wanted).max()) if given.shape == wanted.shape else math.inf
        if not change <= _TOLERANCE * max(1.0, float(np.abs(wanted).max())):
            also = "" if x is example else f", for other inputs than those of the export alone. {_FIXED}"
            raise DnnlabError(f"in ONNX Runtime the network's outputs differ from PyTorch's by {change:g}{also or '.'}")
    return proto


_FIXED = (
    "Mostly what Python computes from the input is a constant in the file, as with len(x), .item() or numpy; take "
    "x.shape[0] and operations of torch."
)
_REMEDIES = {
    "GuardOnDataDependentSymNode": "the forward pass branches on values that it computes, which a file cannot; write "
    "it with torch.where",
    "ConstraintViolationError": "the number of inputs became a constant; take x.shape[0] where it is needed",
}


def _why(problem: BaseException) -> str:
    """What made an export fail, with the line of the user's code where it is known, and what would be right."""
    causes = [problem]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    inner = next((cause for cause in reversed(causes) if users_line(cause)), causes[-1])
    for cause in causes:
        if remedy := _REMEDIES.get(type(cause).__name__):
            return remedy + users_line(inner)
    return _COLOURS.sub("", of_users_code(inner)).removesuffix(".")


_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def each_once(proto: Any) -> Any:
    """``proto`` with each constant once: one that is equal to another, or to another with its axes in another order, is
    made of that by a ``Transpose``, which the runtime computes once, when it loads the file. The exporter computes the
    transpose of a weight, so that one that layers share would be there twice. The quantisers need both: these have
    scales of their own."""
    import onnx
    from onnx import numpy_helper

    changed = onnx.ModelProto()
    changed.CopyFrom(proto)
    graph = changed.graph
    kept: dict[tuple[Any, ...], list[tuple[str, NDArray[Any]]]] = {}
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.nbytes < _WORTH_A_NODE:
            continue
        # Only what has the same numbers in some order can be the same in another order of its axes.
        numbers = hashlib.sha256(np.sort(values, axis=None).tobytes()).hexdigest()
        alike = kept.setdefault((values.dtype, numbers, *sorted(values.shape)), [])
        for name, other in alike:
            if (order := _order_of(other, values)) is not None:
                graph.initializer.remove(tensor)
                graph.node.insert(0, onnx.helper.make_node("Transpose", [name], [tensor.name], perm=order))
                break
        else:
            alike.append((tensor.name, values))
    return changed


_WORTH_A_NODE = 64
"""Bytes of a constant from which on a node that makes it of another one is smaller."""


def _order_of(other: NDArray[Any], values: NDArray[Any]) -> tuple[int, ...] | None:
    """The order of the axes of ``other`` in which it is ``values``; ``None`` where it is in none."""
    nan = np.issubdtype(values.dtype, np.floating)
    for order in itertools.permutations(range(values.ndim)):
        turned = other.transpose(order)
        if turned.shape == values.shape and np.array_equal(turned, values, equal_nan=nan):
            return order
    return None


def slim(proto: Any) -> Any:
    """``proto`` without names, notes and shapes that no runtime needs; input and output keep their names.

    Exporters write where every node came from: more than half as much again as the weights of a small network.
    """
    del proto.metadata_props[:]
    proto.doc_string = ""
    ends = {value.name: value.name for value in (*proto.graph.input, *proto.graph.output)}
    _shorten(proto.graph, {"": "", **ends}, _names())
    return proto


def _shorten(graph: Any, names: dict[str, str], short: Iterator[str]) -> None:
    """Leave out of ``graph`` what no runtime needs, and give its values the ``names`` that are known, or else ``short``
    ones. The graphs in its nodes, which loops and branches have, read its values too."""

    def rename(name: str) -> str:
        if name not in names:
            names[name] = next(short)
        return names[name]

    graph.doc_string = ""
    del graph.metadata_props[:], graph.value_info[:]
    for value in (*graph.input, *graph.initializer):
        value.doc_string, value.name = "", rename(value.name)
        del value.metadata_props[:]
    for node in graph.node:
        node.name = node.doc_string = ""
        del node.metadata_props[:]
        node.input[:] = map(rename, node.input)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _shorten(attribute.g, names, short)
        node.output[:] = map(rename, node.output)
    for value in graph.output:
        value.doc_string, value.name = "", rename(value.name)
        del value.metadata_props[:]


def _names() -> Iterator[str]:
    letters = string.ascii_lowercase[:23]  # not x, so that no name meets the input's
    for length in itertools.count(1):
        yield from ("".join(each) for each in itertools.product(letters, repeat=length))


class Session:
    """An ONNX file in ONNX Runtime on one thread."""

    def __init__(self, content: bytes) -> None:
        import onnxruntime as ort

        self.inner = ort.InferenceSession(content, session_options(), providers=PROVIDERS)

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits ``[batch, class]``."""
        out: NDArray[np.float32] = self.inner.run([OUTPUT], {INPUT: x})[0]
        return out


def static(proto: Any, batches: Sequence[NDArray[np.float32]], signed: bool) -> Any:
    """The model with INT8 weights per channel and INT8 activations, written as QDQ, calibrated on ``batches``.
    ``signed`` activations are S8S8, else U8S8.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry
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
            op_types_to_quantize=sorted({*QDQRegistry, *QLinearOpsRegistry} - _ONLY_FLOATS),
            activation_type=QuantType.QInt8 if signed else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
        )

    return _through_files(_gathered_alone(proto), quantise)


def _gathered_alone(proto: Any) -> Any:
    """``proto`` where each matrix that both ``Gather`` and other nodes read, such as an embedding that is the matrix of
    the output layer too, is there twice. ONNX Runtime's quantiser gives what is gathered the scales of the matrix, of
    which a product wants one for each channel."""
    import onnx

    changed = onnx.ModelProto()
    changed.CopyFrom(proto)
    graph = changed.graph
    gathers = [node for node in graph.node if node.op_type == "Gather"]
    others = {name for node in graph.node for name in node.input[node.op_type == "Gather" :]}
    gathered = {node.input[0] for node in gathers}
    for tensor in [tensor for tensor in graph.initializer if tensor.name in others & gathered]:
        copy = graph.initializer.add()
        copy.CopyFrom(tensor)
        copy.name = f"{tensor.name}_gathered"
        for node in gathers:
            if node.input[0] == tensor.name:
                node.input[0] = copy.name
    return changed


def dynamic(proto: Any) -> Any:
    """The model with INT8 weights, and activations quantised while it runs, with one range for all inputs of a call;
    linear and LSTM layers alone, since convolutions get slower by it."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    def quantise(source: str, target: str) -> None:
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul", "Gemm", "LSTM"],
            weight_type=QuantType.QInt8,
            per_channel=True,
        )

    return _through_files(proto, quantise)


def weights_only(proto: Any) -> Any:
    """The model with INT8 weights, symmetric per channel, which the runtime turns into floats once, when it loads the
    file: it folds these operators, while ``DequantizeLinear`` would run at every call."""
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
        graph.initializer.append(numpy_helper.from_array(scale.reshape(shape), f"{name}_scale"))
        cast = onnx.helper.make_node("Cast", [f"{name}_int8"], [f"{name}_float"], to=onnx.TensorProto.FLOAT)
        graph.node.insert(0, onnx.helper.make_node("Mul", [f"{name}_float", f"{name}_scale"], [name]))
        graph.node.insert(0, cast)
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


class _WithoutThisThread(io.TextIOBase):
    """Passes on what other threads write, such as progress. A failing export prints a network's whole graph."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream, self.thread = stream, threading.get_ident()

    def write(self, text: str) -> int:
        return len(text) if threading.get_ident() == self.thread else self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress the messages of the exporter and the quantiser; errors are raised all the same."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are about PyTorch's own code, or what the export does to a network
            with contextlib.redirect_stderr(_WithoutThisThread(sys.stderr)):
                yield
    finally:
        logging.disable(before)
