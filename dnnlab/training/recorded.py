"""A training step as one program of the device, and its inputs sent to the device ahead of it.

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
"""Steps that are called before one is recorded. The first of them allocate the tensors that later ones keep, such as an
optimiser's memory."""
WORTH_RECORDING = 40
"""The least number of steps of a training that is recorded, where it is known: recording takes about as long as ten
steps."""


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
        for static, new in zip(self._inputs, inputs, strict=True):
            if static.shape != new.shape or static.dtype != new.dtype:
                raise ValueError(f"a step that was recorded with {list(static.shape)} cannot take {list(new.shape)}")
            static.copy_(new)
        self._graph.replay()
        return tuple(output.clone() for output in self._outputs)

    def _call(self, step: Callable[..., tuple[Tensor, ...]], inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Call the step on the stream that will record it: the backward pass must remember that stream."""
        now = torch.cuda.current_stream()
        assert self._stream is not None
        self._stream.wait_stream(now)
        with torch.cuda.stream(self._stream):
            outputs = step(*inputs)
        now.wait_stream(self._stream)
        return outputs

    def _record(self, step: Callable[..., tuple[Tensor, ...]], inputs: tuple[Tensor, ...]) -> bool:
        """Whether ``step`` could be recorded; its tensors are not changed yet. It cannot be where memory for the graph
        is missing."""
        now = torch.cuda.current_stream()
        try:
            graph, static = torch.cuda.CUDAGraph(), [tensor.clone() for tensor in inputs]
            with torch.cuda.graph(graph, stream=self._stream):
                outputs = step(*static)
        except torch.OutOfMemoryError:
            self._possible = False
        except RuntimeError as problem:
            self._possible = False
            why = first_line(problem.__context__ or problem)
            warnings.warn(f"a training step is not recorded, and slower for it: {why}", stacklevel=2)
        else:
            self._graph, self._inputs, self._outputs = graph, static, outputs
        torch.cuda.set_stream(now)  # a recording that failed may not have restored it
        return self._possible


@functools.cache
def _beside(device: torch.device) -> "torch.cuda.Stream":
    """The stream on which all steps of this process are recorded, as each stream has a workspace and memory of its
    own."""
    return torch.cuda.Stream(device)


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on ``device``, without waiting for the device."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


_BLOCK, _FIRST = 2**25, 8
"""The most bytes that are sent at once, and the number of steps the first time, which doubles each time."""


class Ahead:
    """Gives the results of ``draw`` for one step after another, on the device; on CUDA those of many steps are drawn
    and sent at once."""

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
