"""Which operations are activation functions, and where their output is exactly zero.

All ways to write one, ``nn.ReLU()``, ``F.relu(x)``, ``x.clamp_(min=0)`` or a function of one's own, come down to the
same operations below autograd, and are recognised there.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from dnnlab.instruments.origin import Origin, Test
from dnnlab.networks.activations import ZERO_UP_TO, ZERO_WITHIN
from dnnlab.networks.remembered import same_state

_SIMPLE = {
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "relu": "relu",
    "leaky_relu": "leaky_relu",
    "_prelu_kernel": "prelu",
    "rrelu_with_noise": "rrelu",
    "celu": "celu",
    "silu": "swish",
    "gelu": "gelu",
    "mish": "mish",
    "softplus": "softplus",
    "hardswish": "hardswish",
    "hardsigmoid": "hardsigmoid",
    "log_sigmoid_forward": "logsigmoid",
}
"""The operations that are an activation whatever their arguments are, and its name."""

_TESTS = {"gt": "above", "ge": "above", "lt": "below", "le": "below"}

OriginOf = Callable[[Any], Origin | None]


@dataclass(frozen=True)
class Recognised:
    """An activation."""

    name: str
    """Its name in `dnnlab.networks.activations` or PyTorch."""
    zero_up_to: float | None
    """The largest input up to which its output is exactly zero; ``None`` where it is not zero on the left."""
    reads: int = 0
    """The place of its input among the arguments of the operation."""
    of: Origin | None = None
    """What is known of its input, where that is not among the arguments of the operation, which is the last of several
    that it is written with."""
    zero_within: float | None = None
    """The distance from 0 up to which its output is exactly zero; ``None`` where it is not zero around 0."""

    @property
    def can_die(self) -> bool:
        """Whether its output is exactly zero on an interval, so that a unit can be zero on all of its inputs."""
        return self.zero_up_to is not None or self.zero_within is not None

    @property
    def by_input(self) -> bool:
        """Whether its saturation is defined by its input."""
        return self.name in ("swish", "gelu")


def recognise(operation: str, args: Sequence[Any], kwargs: Mapping[str, Any], origin: OriginOf) -> Recognised | None:
    """The activation that a call of PyTorch's ``operation`` computes; ``None`` where it is none.

    Args:
        operation: Its name, with ``_`` behind it where it overwrites its input.
        args: Its arguments by place.
        kwargs: Its arguments by name.
        origin: What is known of a tensor.
    """
    name = operation.removesuffix("_") if operation != "_prelu_kernel" else operation
    if name in _SIMPLE:
        slope = args[1] if len(args) > 1 else kwargs.get("negative_slope")
        if name == "leaky_relu" and slope == 0:
            return _cut(0.0)
        return Recognised(_SIMPLE[name], ZERO_UP_TO.get(_SIMPLE[name]))
    by_name = _BY_NAME.get(name)
    return by_name(args, kwargs, origin) if by_name else None


def _cut(edge: float, reads: int = 0) -> Recognised:
    """What is zero up to ``edge`` and gives its input beyond it."""
    return Recognised("relu" if edge == 0 else "threshold", edge, reads)


def _argument(args: Sequence[Any], kwargs: Mapping[str, Any], place: int, name: str, default: Any = None) -> Any:
    return args[place] if len(args) > place else kwargs.get(name, default)


def _clamp(args: Sequence[Any], kwargs: Mapping[str, Any], origin: OriginOf) -> Recognised | None:
    low, high = _argument(args, kwargs, 1, "min"), _argument(args, kwargs, 2, "max")
    if not _is_zero(low, origin):  # to cut at another value is no activation that the field has a name for
        return None
    return _cut(0.0) if high is None else Recognised("relu6" if high == 6 else "hardtanh", 0.0)


def _hardtanh(args: Sequence[Any], kwargs: Mapping[str, Any], origin: OriginOf) -> Recognised:
    low, high = _argument(args, kwargs, 1, "min_val", -1.0), _argument(args, kwargs, 2, "max_val", 1.0)
    if low != 0:
        return Recognised("hardtanh", None)
    return Recognised("relu6" if high == 6 else "hardtanh", 0.0)


def _threshold(args: Sequence[Any], kwargs: Mapping[str, Any], origin: OriginOf) -> Recognised:
    edge, value = _argument(args, kwargs, 1, "threshold"), _argument(args, kwargs, 2, "value")
    return Recognised("threshold", None) if value != 0 else _cut(float(edge))


def _shrink(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Recognised:
    within = float(_argument(args, kwargs, 1, "lambd", ZERO_WITHIN[name]))
    return Recognised(name, None, zero_within=within if within > 0 else None)


def _elu(args: Sequence[Any], kwargs: Mapping[str, Any], origin: OriginOf) -> Recognised:
    scale = _argument(args, kwargs, 2, "scale", 1.0)
    return Recognised("elu" if scale == 1 else "selu", None)


def _maximum(args: Sequence[Any], kwargs: Mapping[str, Any], origin: OriginOf) -> Recognised | None:
    for place in (0, 1):
        if _is_zero(args[1 - place], origin) and origin(args[place]) is not None:
            return _cut(0.0, place)
    return None


def _where(args: Sequence[Any], kwargs: Mapping[str, Any], origin: OriginOf) -> Recognised | None:
    if len(args) < 3 or (known := origin(args[0])) is None or (test := known.test) is None:
        return None
    place = {"above": 1, "below": 2}.get(test.kind)
    if place is None or _source(args[place], origin) is not test.of or not _is_zero(args[3 - place], origin):
        return None
    return _cut(test.number, place)


def _masked(args: Sequence[Any], kwargs: Mapping[str, Any], origin: OriginOf) -> Recognised | None:
    mask, value = (args[1][0], args[2]) if isinstance(args[1], list | tuple) else (args[1], args[2])
    test = _test(mask, origin)
    if test is None:
        return None
    if test.kind == "below" and _source(args[0], origin) is test.of and _is_zero(value, origin):
        return _cut(test.number)
    # Zeros, into which those of another tensor are written that are above a number.
    kept = _test(value, origin)
    same = kept is not None and kept.kind == "kept above" and (kept.of, kept.number) == (test.of, test.number)
    if test.kind == "above" and same and _is_zero(args[0], origin):
        return dataclasses.replace(_cut(test.number), of=test.of)
    return None


def _multiplied(args: Sequence[Any], kwargs: Mapping[str, Any], origin: OriginOf) -> Recognised | None:
    for place in (0, 1):
        test = _test(args[1 - place], origin)
        if test is not None and test.kind == "above" and _source(args[place], origin) is test.of:
            return _cut(test.number, place)
    return None


def _divided(args: Sequence[Any], kwargs: Mapping[str, Any], origin: OriginOf) -> Recognised | None:
    test = _test(args[1], origin)
    softsign = test is not None and test.kind == "1 + abs" and _source(args[0], origin) is test.of
    return Recognised("softsign", None) if softsign else None


def _added(args: Sequence[Any], kwargs: Mapping[str, Any], origin: OriginOf) -> Recognised | None:
    """x + |x| is twice the ReLU."""
    for place in (0, 1):
        test = _test(args[1 - place], origin)
        if test is not None and test.kind == "abs" and _source(args[place], origin) is test.of and not kwargs:
            return _cut(0.0, place)
    return None


def _subtracted(args: Sequence[Any], kwargs: Mapping[str, Any], origin: OriginOf) -> Recognised | None:
    """x without its negative part."""
    test = _test(args[1], origin)
    same = test is not None and test.kind == "negative part" and _source(args[0], origin) is test.of
    return _cut(0.0) if same and not kwargs else None


def _negated(args: Sequence[Any], kwargs: Mapping[str, Any], origin: OriginOf) -> Recognised | None:
    """The negative of the negative part of -x."""
    test = _test(args[0], origin)
    if test is None or test.kind != "negative part" or test.of.test is None or test.of.test.kind != "negative":
        return None
    return dataclasses.replace(_cut(0.0), of=test.of.test.of)


def _largest(args: Sequence[Any], kwargs: Mapping[str, Any], origin: OriginOf) -> Recognised | None:
    """The larger one of x and 0, which were put beside each other."""
    test = _test(args[0], origin)
    dims = list(_argument(args, kwargs, 1, "dim", ()))
    if test is None or test.kind != "beside zero" or [d % args[0].ndim for d in dims] != [test.number]:
        return None
    return dataclasses.replace(_cut(0.0), of=test.of)


_BY_NAME: dict[str, Callable[[Sequence[Any], Mapping[str, Any], OriginOf], Recognised | None]] = {
    "clamp": _clamp,
    "clamp_min": _clamp,
    "hardtanh": _hardtanh,
    "threshold": _threshold,
    "elu": _elu,
    "softshrink": lambda args, kwargs, origin: _shrink("softshrink", args, kwargs),
    "hardshrink": lambda args, kwargs, origin: _shrink("hardshrink", args, kwargs),
    "maximum": _maximum,
    "fmax": _maximum,
    "add": _added,
    "where": _where,
    "masked_fill": _masked,
    "index_put": _masked,
    "mul": _multiplied,
    "sub": _subtracted,
    "neg": _negated,
    "amax": _largest,
    "div": _divided,
}


def test_of(operation: str, args: Sequence[Any], origin: OriginOf, out: Tensor) -> Test | None:
    """What the result ``out`` of an operation says of the tensor that it was computed from, if an activation may be
    written with it."""
    name = operation.removesuffix("_")
    if operation == "stack":
        return _beside_zero(args, origin)
    known = origin(args[0]) if args else None
    if known is None:
        return None
    source = known.source
    if operation in _TESTS and (number := _number(args[1], origin)) is not None:
        return Test(_TESTS[operation], source, number)
    if operation == "heaviside":
        return Test("above", source, 0.0)
    if operation == "abs":
        return Test("abs", source)
    if name == "neg":
        return Test("negative", source)
    if name == "mul" and _number(args[1], origin) == 0:
        return Test("zero", source)
    if (name in ("minimum", "fmin") and _is_zero(args[1], origin)) or (
        name in ("clamp", "clamp_max") and _at_most_zero(args)
    ):
        return Test("negative part", source)
    if operation == "index":
        test = _test(args[1][0], origin) if len(args[1]) == 1 else None
        kept = test is not None and test.kind == "above" and test.of is source
        return Test("kept above", source, test.number) if kept and test is not None else None
    if operation in ("_to_copy", "clone", "alias", "detach"):
        if known.test is not None and known.test.kind in _TESTS.values():
            return known.test  # a mask is one as numbers too
        floats = args[0].is_floating_point() and out.is_floating_point()  # as whole numbers they are others
        return (known.test or Test("same", source)) if floats else None
    if known.test is None:
        return None
    if operation in ("add", "add_") and known.test.kind == "abs" and _number(args[1], origin) == 1:
        return Test("1 + abs", known.test.of)
    if operation in ("bitwise_not", "logical_not") and known.test.kind in ("above", "below"):
        return Test("below" if known.test.kind == "above" else "above", known.test.of, known.test.number)
    return None


def _beside_zero(args: Sequence[Any], origin: OriginOf) -> Test | None:
    known = [found for x in args[0] if (found := origin(x)) is not None]
    if len(args[0]) != 2 or len(known) != 1 or not any(_is_zero(x, origin) for x in args[0]):
        return None
    return Test("beside zero", known[0].source, (args[1] if len(args) > 1 else 0) % (args[0][0].ndim + 1))


def _at_most_zero(args: Sequence[Any]) -> bool:
    """Whether a call of ``clamp(x, min, max)`` or ``clamp_max(x, max)`` cuts at zero from above, and nowhere else."""
    *low, high = args[1:] or (None,)
    return isinstance(high, int | float) and high == 0 and not any(each is not None for each in low)


def _test(value: Any, origin: OriginOf) -> Test | None:
    known = origin(value)
    return known.test if known else None


def _source(value: Any, origin: OriginOf) -> Origin | None:
    known = origin(value)
    return known.source if known else None


def _number(value: Any, origin: OriginOf) -> float | None:
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, Tensor) and value.ndim == 0 and origin(value) is None:
        return float(value)
    return None


def _is_zero(value: Any, origin: OriginOf) -> bool:
    if isinstance(value, Tensor):
        known = origin(value)
        if known is not None:
            return known.test is not None and known.test.kind == "zero"
        return not bool(value.any())
    return isinstance(value, int | float) and value == 0


_GRID = torch.linspace(-8, 8, 1601, dtype=torch.float64)


def try_on_a_grid(module: nn.Module) -> Recognised | None:
    """What a module of one's own is, if it works elementwise and is zero below a point of -8 … 8; else ``None``.

    The module, and the state of random numbers, are left as they were.
    """
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices), same_state(module):
            edge, fine = (_zero_below(module.forward, dtype) for dtype in (torch.float32, torch.float64))
    except Exception:  # noqa: BLE001 - whatever it is, it is then no function of a row of numbers
        return None
    # What only became too small for the type, as GELU does, is zero up to another point in the other one.
    same = edge is not None and fine is not None and abs(edge - fine) <= 1
    return Recognised("", float(_GRID[fine])) if same else None


def _zero_below(function: Callable[[Tensor], Tensor], dtype: torch.dtype) -> int | None:
    """The last point of the grid up to which a function is zero, if it works elementwise and is so at all."""
    row = _GRID.to(dtype).unsqueeze(0)
    out, turned, again = function(row.clone()), function(row.flip(1)), function(row.clone())
    same = isinstance(out, Tensor) and out.shape == row.shape and torch.equal(out, again)
    if not same or out.dtype != dtype or not torch.equal(out, turned.flip(1)):
        return None
    nonzero = (out[0] != 0).nonzero().flatten()
    return int(nonzero[0]) - 1 if len(nonzero) and nonzero[0] > 0 else None


def recognise_function(function: Callable[..., Any], like: Tensor, rest: Any, kwargs: Any) -> Recognised | None:
    """The activation that ``function(x, *rest, **kwargs)`` is, of an ``x`` of the shape of ``like``; ``None`` where it
    is none, or more than one."""
    x = torch.zeros(like.shape)
    known = Origin(True)
    found: list[Recognised] = []
    operations: list[str] = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = func._schema.name.partition("::")[2]
            operations.append(name)
            activation = recognise(name, args, kwargs or {}, lambda t: known if t is x else None)
            found.extend([activation] if activation else [])
            return func(*args, **(kwargs or {}))

    try:
        with torch.no_grad(), Watch():
            function(x, *rest, **kwargs)
    except (RuntimeError, TypeError, ValueError):
        return None
    does = [name for name in operations if name not in ("view", "alias", "detach", "empty_like")]
    return found[0] if len(found) == len(does) == 1 else None
