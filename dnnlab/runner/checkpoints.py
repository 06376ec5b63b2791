"""Trained networks from which several measurements start: each is trained once and kept."""

import importlib.metadata
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, contiguous_format

from dnnlab import atomic, tensor_file
from dnnlab.runner.place import Place
from dnnlab.runner.provenance import digest

State = dict[str, Tensor]
_KEY_LENGTH = 20


def trained(place: Place, identity: Mapping[str, Any], make: Callable[[], State]) -> State:
    """The state dict of the network that ``identity`` describes, trained by ``make`` where it is not there yet.

    ``identity`` is JSON and holds all that decides the weights: network, data digest, recipe, seed, device, and the
    digest of the code that trains (`code.digests.of`). It lies as
    ``checkpoints/KEY.safetensors``; another process that wants the same one waits for it.
    """
    key = digest({**identity, "torch": importlib.metadata.version("torch")})[:_KEY_LENGTH]
    file = place.checkpoints / f"{key}.safetensors"
    place.uses(file)
    with atomic.locked(file.with_suffix(".lock")):
        state = tensor_file.read(file, "it is trained again")
        if state is None:
            state = make()
            on_host = {name: tensor.detach().cpu() for name, tensor in state.items()}
            apart = {name: tensor.clone(memory_format=contiguous_format) for name, tensor in on_host.items()}
            tensor_file.write(file, apart)
    return state
