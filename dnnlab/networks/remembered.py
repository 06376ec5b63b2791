"""What a module remembers and does not train, in its buffers and in attributes of any kind, is left as it was."""

import copy
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def same_buffers(model: nn.Module) -> Iterator[None]:
    """A context after which the buffers of ``model`` are as before: those that changed, appeared or were replaced."""
    before = [
        (module, dict(module._buffers), {n: b.clone() for n, b in module._buffers.items() if b is not None})
        for module in model.modules()
        if not isinstance(module, torch.jit.ScriptModule)  # whose buffers are not Python's
    ]
    try:
        yield
    finally:
        with torch.no_grad():
            for module, buffers, values in before:
                for name, value in values.items():
                    buffer = buffers[name]
                    assert buffer is not None
                    if buffer.shape == value.shape:
                        buffer.copy_(value)
                    else:  # resized in place
                        buffers[name] = value
                module._buffers.clear()
                module._buffers.update(buffers)


@contextmanager
def in_mode(model: nn.Module, training: bool) -> Iterator[None]:
    """A context in which ``model`` is in training or in evaluation mode; afterwards each of its modules is in the mode
    as before."""
    modes = {module: module.training for module in model.modules()}
    model.train(training)
    try:
        yield
    finally:
        for module, before in modes.items():
            module.training = before


def copied(model: nn.Module) -> nn.Module:
    """A copy of ``model``, also where it holds tensors of a forward pass, such as ``self.features = relu(…)``, which
    PyTorch refuses to copy: the copy has their values, without the graph that they came from."""
    values: dict[int, Any] = {}
    ahead: list[Any] = [vars(module) for module in model.modules() if not isinstance(module, torch.jit.ScriptModule)]
    seen: dict[int, Any] = {}  # holds what it names, so that no other object gets the same number
    while ahead:
        held = ahead.pop()
        if id(held) in seen or isinstance(held, str | int | float):
            continue
        seen[id(held)] = held
        if isinstance(held, Tensor):
            if not held.is_leaf:
                values[id(held)] = held.detach().clone()
        elif isinstance(held, dict):
            ahead += held.values()
        elif isinstance(held, list | tuple | set | frozenset | deque):
            ahead += held
        elif not isinstance(held, type | nn.Module) and type(held).__module__ != "builtins":
            ahead += getattr(held, "__dict__", {}).values()
            ahead += [getattr(held, n) for n in getattr(held, "__slots__", ()) if hasattr(held, n)]
    return copy.deepcopy(model, values)


@contextmanager
def same_state(model: nn.Module) -> Iterator[None]:
    """A context after which ``model`` remembers what it did before: its buffers, and what else it had set in itself."""
    undo = undo_of(model)
    try:
        yield
    finally:
        undo()


def undo_of(model: nn.Module) -> Callable[[], None]:
    """A function that undoes what forward passes set in the modules of ``model``, also in the lists, dictionaries and
    sets that these hold, and in the tensors among them, but for parameters."""
    tensors: list[tuple[Tensor, Tensor]] = []
    before: dict[int, tuple[Any, Any]] = {}
    ahead: list[Any] = [vars(m) for m in model.modules() if not isinstance(m, torch.jit.ScriptModule)]
    while ahead:
        held = ahead.pop()
        if isinstance(held, dict | list | set | deque) and id(held) not in before:
            before[id(held)] = held, held.copy()
            ahead += held.values() if isinstance(held, dict) else held
        elif isinstance(held, tuple):
            ahead += held
        elif isinstance(held, Tensor) and not isinstance(held, nn.Parameter) and not held.is_meta:
            tensors.append((held, held.detach().clone()))

    def undo() -> None:
        for held, values in before.values():
            held.clear()
            (held.extend if isinstance(held, list | deque) else held.update)(values)
        for tensor, numbers in tensors:
            if tensor.shape == numbers.shape:
                tensor.data.copy_(numbers)
            else:  # resized in place
                tensor.data = numbers

    return undo
