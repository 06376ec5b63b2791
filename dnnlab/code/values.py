"""The content of an object, as texts that are the same in every process: for a network, all that its parts hold."""

import enum
import functools
import hashlib
import sys
import types
from collections.abc import Iterable, Mapping
from typing import Any

_MOST = 200_000
"""The most parts of an object that are looked at."""
PLAIN = bool | int | float | complex | str | bytes | None
_CONTAINERS = list | tuple | set | frozenset | dict


def parts_of(value: object) -> dict[str, str]:
    """The parts of ``value`` by their places, such as ``.layers[0].weight``: plain values, checksums of tensors and
    arrays, the code of functions, and the type of everything else. Addresses are not among them."""
    parts: dict[str, str] = {}
    known: dict[int, str] = {}
    alive = []  # what is known by its address must not be freed
    todo: list[tuple[str, Any]] = [("", value)]
    while todo and len(parts) < _MOST:
        place, part = todo.pop()
        plain = _plain(part)
        if plain:
            parts[place] = plain
            continue
        if id(part) in known:
            parts[place] = f"the same as {known[id(part)]}"
            continue
        known[id(part)] = place
        alive.append(part)
        parts[place], inner = _opened(part)
        todo += [(f"{place}{name}", each) for name, each in inner]
    return parts


def is_data(value: object) -> bool:
    """Whether ``value`` is plain, or a container of plain values."""
    todo, count = [value], 0
    while todo and count < _MOST:
        part, count = todo.pop(), count + 1
        if isinstance(part, dict):
            todo += [*part.keys(), *part.values()]
        elif isinstance(part, _CONTAINERS):
            todo += part
        elif not isinstance(part, PLAIN):
            return False
    return True


def digest(parts: Mapping[str, str]) -> str:
    """SHA-256 of the texts that `parts_of` gives."""
    total = hashlib.sha256()
    for place, text in sorted(parts.items()):
        total.update(f"{place}\0{text}\n".encode(errors="backslashreplace"))
    return total.hexdigest()


def _plain(part: Any) -> str:
    if isinstance(part, enum.Enum):
        return f"{_name(type(part))}.{part.name}"
    if isinstance(part, PLAIN):
        return f"{type(part).__name__} {part!r}"
    if isinstance(part, type | types.BuiltinFunctionType):
        return f"the {_name(part)}"
    if isinstance(part, types.ModuleType):
        return f"the module {part.__name__}"
    torch = sys.modules.get("torch")
    if torch and isinstance(part, torch.dtype | torch.device | torch.layout | torch.memory_format):
        return str(part)
    return ""


Inner = list[tuple[str, Any]]


def _opened(part: Any) -> tuple[str, Inner]:
    """A text about ``part``, and the parts inside it by name."""
    kind = _name(type(part))
    if text := _numbers(part):
        return f"{kind} {text}", []
    if isinstance(part, Mapping):
        return f"{kind} of {len(part)}", _entries(part.items())
    if isinstance(part, list | tuple):
        return f"{kind} of {len(part)}", [(f"[{i}]", each) for i, each in enumerate(part)]
    if isinstance(part, set | frozenset):
        return f"{kind} {sorted(digest(parts_of(each)) for each in part)}", []
    if isinstance(part, types.FunctionType):
        cells = [cell.cell_contents for cell in part.__closure__ or () if cell != types.CellType()]
        captured = [part.__defaults__, part.__kwdefaults__, cells]
        return f"{_name(part)} {code_text(part.__code__)}", [(f"({i})", each) for i, each in enumerate(captured)]
    if isinstance(part, types.MethodType):
        return kind, [(".__func__", part.__func__), (".__self__", part.__self__)]
    if isinstance(part, functools.partial):
        return kind, [(".func", part.func), (".args", part.args), (".keywords", part.keywords)]
    names = [name for cls in type(part).__mro__ for name in _slots(cls)]
    slots = {name: getattr(part, name) for name in names if hasattr(part, name)}
    inner = [(f".{name}", each) for name, each in {**slots, **getattr(part, "__dict__", {})}.items()]
    return f"{kind} {_graph(part)}", inner


def _entries(items: Iterable[tuple[Any, Any]]) -> Inner:
    """Entries by their keys; by their number where a key is no text, since the keys of hooks are counted over all
    networks."""
    return [(f"[{key!r}]" if isinstance(key, str) else f"[{i}]", value) for i, (key, value) in enumerate(items)]


def _slots(cls: type) -> tuple[str, ...]:
    slots = vars(cls).get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))


def _numbers(part: Any) -> str:
    """Shape, type and checksum of a tensor or an array."""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if torch and isinstance(part, torch.Tensor):
        if isinstance(part, torch.nn.parameter.UninitializedParameter | torch.nn.parameter.UninitializedBuffer):
            return "without a shape"
        about = f"{part.dtype} {tuple(part.shape)} {part.requires_grad}"
        dense = part.detach().to_dense() if part.layout != torch.strided else part.detach()
        dense = dense.dequantize() if dense.is_quantized else dense
        if dense.device.type == "meta":
            return about
        data = dense.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        return f"{about} {hashlib.sha256(data).hexdigest()}"
    if numpy and isinstance(part, numpy.ndarray | numpy.generic) and not part.dtype.hasobject:
        return f"{part.dtype} {part.shape} {hashlib.sha256(part.tobytes()).hexdigest()}"
    return ""


def _graph(part: Any) -> str:
    """The code of a network that carries its own graph; empty for others."""
    torch = sys.modules.get("torch")
    if torch and isinstance(part, torch.jit.ScriptModule):
        return str(part.inlined_graph)
    fx = sys.modules.get("torch.fx")
    return part.code if fx and isinstance(part, fx.GraphModule) else ""


def code_text(code: types.CodeType) -> str:
    """SHA-256 of a function's instructions, whatever its name and place."""
    inner = [_constant(each) for each in code.co_consts]
    content = repr([code.co_code.hex(), code.co_names, inner])
    return hashlib.sha256(content.encode(errors="backslashreplace")).hexdigest()


def _constant(value: Any) -> str:
    if isinstance(value, types.CodeType):
        return code_text(value)
    # The order of a set differs between processes.
    return repr(sorted(map(_constant, value))) if isinstance(value, frozenset) else repr(value)


def _name(part: Any) -> str:
    return f"{getattr(part, '__module__', '')}.{getattr(part, '__qualname__', type(part).__name__)}"
