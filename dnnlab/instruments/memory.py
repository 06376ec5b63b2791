"""What training a network takes of memory: predicted on the meta device, and measured.

The prediction runs a real training step, forward, backward and update, on tensors that are only shapes, and adds up
the storages that are alive at each moment. A network that needs numbers takes that step on a real device.
"""

import contextlib
import os
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dnnlab.errors import users_code
from dnnlab.instruments import shapes


@dataclass(frozen=True)
class Memory:
    """Bytes that training takes. The parts are not there all at once, so ``peak`` is less than their sum."""

    parameters: int
    """All parameters, trained or not."""
    buffers: int
    """Tensors that are saved but not trained, such as the statistics of batch normalisation."""
    gradients: int
    """Gradients of the parameters that get one."""
    optimiser: int
    """The optimiser's memory of earlier gradients."""
    saved: int
    """Activations kept from the forward for the backward pass, inputs included."""
    peak: int
    """The most that is alive at one time, temporaries included."""


Step = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""``(model, x, y)`` → the loss that is trained on."""


def predict(
    model: nn.Module,
    shape: Sequence[int],
    batch_size: int,
    loss: Step,
    optimiser: Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer],
    dtype: torch.dtype = torch.float32,
) -> Memory:
    """The memory that a training step of ``model`` takes. On the meta device nothing is computed: tensors are only
    shapes. On another one the step is taken, on noise, and ``model`` has other weights afterwards.

    Args:
        model: A module on PyTorch's meta device, made under ``with torch.device("meta")`` or by ``model.to("meta")``,
            which loses its weights; or on the device where it is to be trained, if what it does depends on numbers.
        shape: Of one input without the batch.
        batch_size: Inputs in one batch.
        loss: ``loss(model, x, y)`` gives the loss of inputs ``[batch_size, *shape]`` and labels ``[batch_size]``.
        optimiser: Makes an optimiser of the model's parameters.
        dtype: Of the inputs, such as ``torch.int64`` for tokens.

    Raises:
        UsageError: The network does not take such a batch, or is on the meta device and what it does depends on
            numbers.

    A layer of 64·10 weights and 10 biases takes 4·650 bytes, its gradients as many, and so does momentum:

    >>> import torch
    >>> from torch import nn
    >>> from dnnlab.instruments import predict_memory
    >>> with torch.device("meta"):
    ...     model = nn.Linear(64, 10)
    >>> def loss(model, x, y):
    ...     return nn.functional.cross_entropy(model(x), y)
    >>> memory = predict_memory(model, (64,), 32, loss, lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9))
    >>> memory.parameters, memory.gradients, memory.optimiser
    (2600, 2600, 2600)
    """
    saved: dict[int, tuple[int, Tensor]] = {}
    own = (*model.parameters(), *model.buffers())
    kept = {storage._cdata for t in own if (storage := _storage(t)) is not None}
    device = next((t.device for t in own), torch.device("cpu"))

    def keep(tensor: Tensor) -> Tensor:
        storage = _storage(tensor)
        if storage is not None and storage._cdata not in kept:
            saved[storage._cdata] = storage.nbytes(), tensor
        return tensor

    with users_code(f"the network cannot be trained on inputs {[batch_size, *shape]}"), _Alive() as alive:
        alive.enter(own)
        x = torch.zeros(batch_size, *shape, device=device, dtype=dtype)
        if dtype.is_floating_point and device.type != "meta":
            x.uniform_(-1, 1)
        y = torch.zeros(batch_size, dtype=torch.int64, device=device)
        update = optimiser(model.parameters())
        model.train()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            value = loss(model, x, y)
        held = sum(size for size, _ in saved.values())
        saved.clear()
        value.backward()
        gradients = sum(_size(p.grad) for p in model.parameters() if p.grad is not None)
        before_update = alive.peak
        for _ in range(2):  # the optimiser has its state from the first update on
            update.step()
    state = sum(_size(t) for slot in update.state.values() for t in slot.values() if isinstance(t, Tensor))
    return Memory(
        parameters=sum(map(_size, model.parameters())),
        buffers=sum(map(_size, model.buffers())),
        gradients=gradients,
        optimiser=state,
        saved=held,
        peak=max(alive.peak, before_update + state),
    )


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _storage(tensor: Tensor) -> Any:
    """The storage of a tensor; None of a sparse one, which consists of others."""
    return tensor.untyped_storage() if tensor.layout is torch.strided else None


class _Alive(TorchDispatchMode):
    """Bytes of all storages that are alive, and the most there were."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.sizes: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        shape_alone = bool(args) and isinstance(args[0], Tensor) and args[0].is_meta  # an optimiser counts its steps
        if shape_alone and func in _IN_PLACE and getattr(args[1], "shape", args[0].shape) == args[0].shape:
            return args[0]
        out = (_OUTPUTS.get(func, func) if shape_alone else func)(*args, **(kwargs or {}))
        self.enter(tree_leaves(out))
        return out

    def enter(self, values: Sequence[Any]) -> None:
        for value in values:
            storage = _storage(value) if isinstance(value, Tensor) else None
            if storage is not None and storage._cdata not in self.sizes:
                self.sizes[storage._cdata] = storage.nbytes()
                self.now += storage.nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self._leave, storage._cdata)

    def _leave(self, key: int) -> None:
        self.now -= self.sizes.pop(key)


def _like_first(x: Tensor, *rest: Any) -> Tensor:
    return torch.empty_like(x)


def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Tensor:
    if transposed:
        return shapes.transposed(x, weight, bias, stride, padding, output_padding, groups, dilation)[0]
    return shapes.convolution(x, weight, bias, stride, padding, dilation, groups)[0]


def _convolution_backward(
    gradient: Tensor, x: Tensor, weight: Tensor, bias_sizes: Any, *rest: Any
) -> tuple[Tensor | None, ...]:
    x_wanted, weight_wanted, bias_wanted = rest[-1]
    return (
        torch.empty_like(x) if x_wanted else None,
        torch.empty_like(weight) if weight_wanted else None,
        gradient.new_empty(bias_sizes) if bias_wanted else None,
    )


def _batch_norm(x: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(x), x.new_empty(x.shape[1]), x.new_empty(x.shape[1])


def _batch_norm_backward(gradient: Tensor, x: Tensor, weight: Tensor | None, *rest: Any) -> tuple[Tensor | None, ...]:
    wanted = rest[-1]
    return (
        torch.empty_like(x) if wanted[0] else None,
        *(x.new_empty(x.shape[1]) if each else None for each in wanted[1:]),
    )


_OUTPUTS: Mapping[Any, Callable[..., Any]] = {
    torch.ops.aten.convolution.default: _convolution,
    torch.ops.aten.convolution_backward.default: _convolution_backward,
    torch.ops.aten.native_batch_norm.default: _batch_norm,
    torch.ops.aten.native_batch_norm_backward.default: _batch_norm_backward,
    **dict.fromkeys((torch.ops.aten.relu.default, torch.ops.aten.threshold_backward.default), _like_first),
}
"""The outputs of the most frequent operations. PyTorch's own kernels for shapes take ten times as long for them."""
_IN_PLACE = frozenset({torch.ops.aten.add_.Tensor, torch.ops.aten.mul_.Tensor})
"""Operations whose output is their first input, where the second is a number or of its shape."""


def measured_peak(train: Callable[[], object], device: str) -> int:
    """The most bytes that tensors took at one time during ``train()``, by the allocator's own record.

    Tensors that were there before do not count, so ``train`` makes its own model and batch.
    """
    if device == "cuda":
        torch.ones(2, 2, device=device) @ torch.ones(2, 2, device=device)  # what cuBLAS takes once is nobody's
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        train()
        return torch.cuda.max_memory_allocated() - before
    with (
        _silent_stderr(),  # the profiler announces itself there
        torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile,
    ):
        train()
    assert profile.profiler is not None
    results: Any = profile.profiler.kineto_results
    events = sorted((e.start_ns(), e.nbytes()) for e in results.events() if e.name() == "[memory]")
    now = peak = 0
    for _, size in events:
        now += size
        peak = max(peak, now)
    return peak


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
