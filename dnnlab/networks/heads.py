"""The head of a classifier, its last linear layer, and what transfer learning does with it (Yosinski 2014)."""

from torch import nn

from dnnlab.errors import UsageError
from dnnlab.networks import weights
from dnnlab.networks.ties import completed
from dnnlab.networks.user_network import load_state


def head(model: nn.Module) -> tuple[str, nn.Linear]:
    """The last linear layer, by name.

    Raises:
        UsageError: there is none.
    """
    linear = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise UsageError("this network has no linear layer that could be its head, as transfer needs.")
    return linear[-1]


def freeze_body(model: nn.Module) -> None:
    """Leave only the head to be trained. Batch statistics of frozen layers go on as in training, as is usual.

    Raises:
        UsageError: there is no head.
    """
    _, last = head(model)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for parameter in last.parameters():
        parameter.requires_grad_(True)


def load_parent(model: nn.Module, file: str) -> None:
    """Load the weights in ``file``; where they are of other classes, all but the head, which stays as it is.

    Raises:
        UsageError: the file is missing or damaged, or its tensors are not this network's.
    """
    state = completed(model, weights.read(file)[0])
    fresh = model.state_dict()
    if any(name in state and state[name].shape != fresh[name].shape for name in fresh):
        name, _ = head(model)
        for part in ("weight", "bias"):
            key = f"{name}.{part}" if name else part
            if key in fresh:
                state[key] = fresh[key]
    load_state(model, state, file)
