"""A training step as one program of the device, and what it reads sent there ahead of it.

On a GPU a step of small tensors is hundreds of operations of a few microseconds each. Python takes longer to ask for
them than the GPU to do them, and every wait for the GPU's answer leaves it idle. So a step is recorded as a CUDA graph
and asked for as a whole, and what the host draws for it goes to the device many steps at a time. Elsewhere a step is
simply called.
"""

import functools
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from dnnlab.errors import first_line

CALLED_FIRST = 10
"""Steps that are called before one is recorded. The first of them make what later ones keep, such as an optimiser's
memory."""
WORTH_RECORDING = 40
"""Steps of a training that is recorded, where their number is known: recording takes about as long as ten of them."""


class Recorded:
    """Calls a step, or on CUDA replays it.

    The step takes tensors and gives tensors. It must do the same operations every time, keep what it remembers in
    tensors that stay where they are, draw random numbers only from the device's own stream, and never wait for the
    device.
    """

    def __init__(self, device: torch.device, possible: bool = True) -> None:
        self._possible = possible and device.type == "cuda"
        self._calls = 0
        self._stream = _beside(device) if self._possible else None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: list[Tensor] = []
        self._outputs: tuple[Tensor, ...] = ()

    def __call__(self, step: Callable[..., tuple[Tensor, ...]], *inputs: Tensor) -> tuple[Tensor, ...]:
        """``step(*inputs)``; the same step and inputs of the same shapes at every call.

        The step is given at each call and not kept: an object that held its own method would be freed late.
        """
        if not self._possible:
            return step(*inputs)
        if self._graph is None:
            self._calls += 1
            if self._calls <= CALLED_FIRST:
                return self._call(step, inputs)
            if not self._record(step, inputs):
                return step(*inputs)
        assert self._graph is not None
        for kept, new in zip(self._inputs, inputs, strict=True):
            if kept.shape != new.shape or kept.dtype != new.dtype:
                raise ValueError(f"a step that was recorded with {list(kept.shape)} cannot take {list(new.shape)}")
            kept.copy_(new)
        self._graph.replay()
        return tuple(output.clone() for output in self._outputs)

    def _call(self, step: Callable[..., tuple[Tensor, ...]], inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """On the stream that will record: what the backward pass remembers of a stream must be of that one."""
        now = torch.cuda.current_stream()
        assert self._stream is not None
        self._stream.wait_stream(now)
        with torch.cuda.stream(self._stream):
            outputs = step(*inputs)
        now.wait_stream(self._stream)
        return outputs

    def _record(self, step: Callable[..., tuple[Tensor, ...]], inputs: tuple[Tensor, ...]) -> bool:
        """Whether ``step`` could be recorded; nothing is done to its tensors yet. It cannot where the memory that a
        graph keeps for itself is not there."""
        now = torch.cuda.current_stream()
        try:
            graph, kept = torch.cuda.CUDAGraph(), [tensor.clone() for tensor in inputs]
            with torch.cuda.graph(graph, stream=self._stream):
                outputs = step(*kept)
        except torch.OutOfMemoryError:
            self._possible = False
        except RuntimeError as problem:
            self._possible = False
            why = first_line(problem.__context__ or problem)
            warnings.warn(f"a training step is not recorded, and slower for it: {why}", stacklevel=2)
        else:
            self._graph, self._inputs, self._outputs = graph, kept, outputs
        torch.cuda.set_stream(now)  # which a recording that failed may not have put back
        return self._possible


@functools.cache
def _beside(device: torch.device) -> "torch.cuda.Stream":
    """The stream that all steps of this process are recorded on: each stream has a workspace and memory of its own."""
    return torch.cuda.Stream(device)


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """What lies on the host, on ``device``, which is not waited for."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


_BLOCK, _FIRST = 2**25, 8
"""Bytes that are sent at once at most, and steps at the first time; each time it is twice as many."""


class Ahead:
    """What ``draw`` gives for one step after another, on the device; on CUDA it is drawn and sent for many at once."""

    def __init__(self, draw: Callable[[], np.ndarray], device: torch.device) -> None:
        self.draw, self.device = draw, device
        self._waiting: list[Tensor] = []
        self._count = _FIRST

    def __call__(self) -> Tensor:
        if self.device.type != "cuda":
            return sent(torch.from_numpy(self.draw()), self.device)
        if not self._waiting:
            first = self.draw()
            count = max(1, min(self._count, _BLOCK // max(1, first.nbytes)))
            drawn = np.stack([first, *(self.draw() for _ in range(count - 1))])
            block = sent(torch.from_numpy(drawn), self.device)
            self._waiting = list(block)[::-1]
            self._count *= 2
        return self._waiting.pop()
