"""Many networks as one tensor program: the interface that training needs, and the stack of any networks of one
structure."""

import copy
from collections.abc import Sequence
from typing import Protocol

from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap


class Stack(Protocol):
    """Networks side by side; every parameter has a leading member dimension."""

    parameters: dict[str, Tensor]
    members: int

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Logits ``[member, batch, class]`` of inputs ``[member, batch, …]``."""

    def load_into(self, member: int, model: nn.Module) -> None:
        """Copy one member's parameters and buffers into a network of its own."""


class SameStack:
    """``models`` of one structure, by `torch.func.vmap`; they keep their own weights and statistics."""

    def __init__(self, models: Sequence[nn.Module]) -> None:
        self.members = len(models)
        self._structure = copy.deepcopy(models[0]).to("meta")
        parameters, self._buffers = stack_module_state(list(models))
        self.parameters = {name: p.detach().clone().requires_grad_() for name, p in parameters.items()}

    def forward(self, x: Tensor, training: bool) -> Tensor:
        self._structure.train(training)

        def one(parameters: dict[str, Tensor], buffers: dict[str, Tensor], inputs: Tensor) -> Tensor:
            logits: Tensor = functional_call(self._structure, (parameters, buffers), (inputs,))
            return logits

        # Dropout and the like draw for each network separately, as when it is trained alone.
        return vmap(one, randomness="different")(self.parameters, self._buffers, x)

    def load_into(self, member: int, model: nn.Module) -> None:
        state = {name: value.detach()[member] for name, value in (self.parameters | self._buffers).items()}
        model.load_state_dict(state)
