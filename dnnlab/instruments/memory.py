"""What training a network takes of memory: predicted on the meta device, and measured.

The prediction runs two real training steps, forward, backward and update, on tensors that are only shapes, and adds
up the storages that are alive at each moment.
"""

import contextlib
import os
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dnnlab.errors import UsageError, first_line


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
) -> Memory:
    """The memory that a training step of ``model`` takes. Nothing is computed: tensors are only shapes.

    Args:
        model: A module on PyTorch's meta device. Make it under ``with torch.device("meta")``, or call
            ``model.to("meta")``, which loses its weights.
        shape: Of one input without the batch.
        batch_size: Inputs in one batch.
        loss: ``loss(model, x, y)`` gives the loss of inputs ``[batch_size, *shape]`` and labels ``[batch_size]``.
        optimiser: Makes an optimiser of the model's parameters.

    Raises:
        UsageError: The network does not take such a batch, or what it does depends on numbers.

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
    kept = {t.untyped_storage()._cdata for t in (*model.parameters(), *model.buffers())}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in kept:
            saved[storage._cdata] = storage.nbytes(), tensor
        return tensor

    try:
        with _Alive() as alive:
            alive.enter([*model.parameters(), *model.buffers()])
            x = torch.empty(batch_size, *shape, device="meta")
            y = torch.empty(batch_size, dtype=torch.int64, device="meta")
            update = optimiser(model.parameters())
            model.train()
            held = gradients = 0
            for _ in range(2):  # the optimiser has its state from the first step on
                update.zero_grad(set_to_none=True)
                with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                    value = loss(model, x, y)
                held = sum(size for size, _ in saved.values())
                saved.clear()
                value.backward()
                gradients = sum(_size(p.grad) for p in model.parameters() if p.grad is not None)
                update.step()
    except (RuntimeError, ValueError, NotImplementedError) as problem:
        raise UsageError(
            f"the network cannot be trained on inputs {[batch_size, *shape]}: {first_line(problem)}."
        ) from None
    state = (value for slot in update.state.values() for value in slot.values() if isinstance(value, Tensor))
    return Memory(
        parameters=sum(map(_size, model.parameters())),
        buffers=sum(map(_size, model.buffers())),
        gradients=gradients,
        optimiser=sum(map(_size, state)),
        saved=held,
        peak=alive.peak,
    )


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


class _Alive(TorchDispatchMode):
    """Bytes of all storages that are alive, and the most there were."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.sizes: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.enter(tree_leaves(out))
        return out

    def enter(self, values: Sequence[Any]) -> None:
        for value in values:
            if isinstance(value, Tensor) and (storage := value.untyped_storage())._cdata not in self.sizes:
                self.sizes[storage._cdata] = storage.nbytes()
                self.now += storage.nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self._leave, storage._cdata)

    def _leave(self, key: int) -> None:
        self.now -= self.sizes.pop(key)


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
