"""The buffers of a module: what it remembers and does not train."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


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
