"""What ONNX Runtime really executes of a model, after its fusions: seen by its own profiler."""

import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from dnnlab.compress.runtime import INPUT, OUTPUT, PROVIDERS, session_options

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Executed:
    """The multiply–accumulates of one call, by the kind of operator that takes them."""

    int8: Mapping[str, float]
    """Of operators that multiply in eight bits."""
    floats: Mapping[str, float]
    """Of operators that multiply floats."""

    @property
    def total(self) -> float:
        return sum(self.int8.values()) + sum(self.floats.values())

    @property
    def share(self) -> float:
        """The share of all that is taken in eight bits; 0 where there is nothing to multiply."""
        return sum(self.int8.values()) / self.total if self.total else 0.0

    def in_floats(self) -> dict[str, float]:
        """The share of all that each kind of operator takes in floats, the largest first."""
        shares = {kind: macs / self.total for kind, macs in self.floats.items()}
        return dict(sorted(shares.items(), key=lambda pair: -pair[1]))


def executed(content: bytes, x: NDArray[Any]) -> Executed:
    """What is executed of the model ``content`` for inputs ``x [batch, *shape]``."""
    import onnx
    import onnxruntime as ort

    model = onnx.load_from_string(content)
    for i, node in enumerate(node for graph in _graphs(model.graph) for node in graph.node):
        node.name = f"n{i}"  # by which the profiler and the optimised model call it alike
    with tempfile.TemporaryDirectory() as folder:
        options = session_options()
        # All fusions, and not the runtime's own layout, in which channels are padded to a multiple of its vectors.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        options.optimized_model_filepath = str(Path(folder) / "optimised.onnx")
        session = ort.InferenceSession(model.SerializeToString(), options, providers=PROVIDERS)
        session.run([OUTPUT], {INPUT: x})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        graphs = list(_graphs(onnx.load(options.optimized_model_filepath).graph))
    weights = {tensor.name: tuple(tensor.dims) for graph in graphs for tensor in graph.initializer}
    nodes = {node.name: node for graph in graphs for node in graph.node}
    macs: tuple[dict[str, float], dict[str, float]] = ({}, {})
    for event in events:
        name, of_kernel, _ = str(event["name"]).partition("_kernel_time")
        if not of_kernel or name not in nodes:
            continue
        kind = str(event["args"]["op_name"]).removeprefix("Fused")
        if counted := _COUNTED.get(kind):
            shapes = [tuple(next(iter(each.values()))) for each in event["args"]["input_type_shape"]]
            (out,) = (tuple(next(iter(each.values()))) for each in event["args"]["output_type_shape"][:1])
            node = nodes[name]
            number = counted(_Call(node, shapes, out, [weights.get(i, ()) for i in node.input]))
            into = macs[kind not in _IN_EIGHT_BITS]
            into[kind] = into.get(kind, 0.0) + number
    return Executed(*macs)


def _graphs(graph: Any) -> Iterator[Any]:
    """``graph`` and the graphs in its nodes, which loops and branches have."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


@dataclass(frozen=True)
class _Call:
    """One node as it was executed."""

    node: Any
    inputs: Sequence[Shape]
    """Of those that are no packed weights."""
    out: Shape
    weights: Sequence[Shape]
    """Of its inputs in order, for those that are constants of the model; else empty."""

    def attribute(self, name: str) -> Any:
        return next((a for a in self.node.attribute if a.name == name), None)


def _convolution(call: _Call) -> float:
    """Every output is a sum over a kernel ``[out, in / groups, *kernel]``."""
    return math.prod(call.out) * math.prod(_kernel(call)[1:])


def _transposed(call: _Call) -> float:
    """Every input goes to a kernel ``[in, out / groups, *kernel]``."""
    return math.prod(call.inputs[0]) * math.prod(_kernel(call)[1:])


def _kernel(call: _Call) -> Shape:
    """The shape of its kernel, which may be computed too."""
    return max((*call.weights, *call.inputs[1:2]), key=len)


def _product(call: _Call) -> float:
    """Every output is a sum over the inner dimension of the first factor."""
    first, transposed = call.inputs[0], call.attribute("transA")
    return math.prod(call.out) * (first[-2] if transposed is not None and transposed.i else first[-1])


def _recurrent(call: _Call) -> float:
    """Every step of ``[step, batch, feature]`` multiplies by all matrices ``[direction, …, …]``."""
    steps, batch = call.inputs[0][:2]
    return steps * batch * sum(math.prod(shape) for shape in call.weights if len(shape) == 3)


def _einsum(call: _Call) -> float:
    """Every combination of the indices."""
    terms = call.attribute("equation").s.decode().replace(" ", "").partition("->")[0].split(",")
    if any("." in term for term in terms):
        return math.prod(call.out) * call.inputs[0][-1]
    sizes = {
        i: size for term, shape in zip(terms, call.inputs, strict=True) for i, size in zip(term, shape, strict=True)
    }
    return math.prod(sizes.values())


_IN_EIGHT_BITS = {
    *("QLinearConv", "QGemm", "QLinearMatMul", "MatMulInteger", "MatMulIntegerToFloat", "ConvInteger"),
    *("DynamicQuantizeMatMul", "DynamicQuantizeGemm", "DynamicQuantizeLSTM"),
}
_COUNTED: Mapping[str, Callable[[_Call], float]] = {
    **dict.fromkeys(("Conv", "QLinearConv", "ConvInteger"), _convolution),
    "ConvTranspose": _transposed,
    **dict.fromkeys(("MatMul", "Gemm", "QGemm", "QLinearMatMul", "MatMulInteger", "MatMulIntegerToFloat"), _product),
    **dict.fromkeys(("DynamicQuantizeMatMul", "DynamicQuantizeGemm"), _product),
    **dict.fromkeys(("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"), _recurrent),
    "Einsum": _einsum,
}
