"""A user's own network: where it comes from, its weights, and a digest of both."""

import contextlib
import hashlib
import importlib
import importlib.metadata
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from dnnlab.code.own import Used, imports_seen, used
from dnnlab.errors import UsageError, in_short, unknown
from dnnlab.networks import weights

_LIBRARIES = ("torchvision", "timm")


def factory(model: str, classes: int) -> Callable[[], nn.Module]:
    """What makes the network that ``model`` names, with fresh random weights at every call.

    ``package.module:factory`` is called without arguments (the current folder is searched too);
    ``torchvision:NAME`` and ``timm:NAME`` are built for ``classes`` classes, without pretrained weights.

    Raises:
        UsageError: nothing of that name can be imported or called.
    """
    place, colon, name = model.partition(":")
    if not colon or not place or not name:
        raise UsageError(f"model {model!r} must be package.module:factory, torchvision:NAME or timm:NAME.")
    if place in _LIBRARIES:
        return _from_library(place, name, classes)
    module = imported(place, f"model {model!r}")
    make = getattr(module, name, None)
    if make is None:
        public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise unknown(f"factory in {place}", name, public)
    if not callable(make):
        raise UsageError(f"model {model!r}: {name} is no function or class that makes a network.")
    return lambda: _made(make, model)


def imported(place: str, what: str) -> ModuleType:
    """The module ``place``, found from the current folder too; ``what`` names in errors what it is needed for.

    Raises:
        UsageError: it cannot be imported.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(place)
    except ImportError as problem:
        dotted = place.removesuffix(".py").replace("/", ".")
        hint = f"; write {dotted} in the place of {place}" if dotted != place else ""
        raise UsageError(f"{what} cannot be imported from {here}: {problem}{hint}.") from problem
    except (Exception, SystemExit) as problem:
        raise UsageError(f"{what} fails on import: {in_short(problem)}.") from problem


def _made(make: Callable[..., object], model: str) -> nn.Module:
    try:
        network = make()
    except (Exception, SystemExit) as problem:
        raise UsageError(f"model {model!r} fails when called: {in_short(problem)}.") from problem
    if not isinstance(network, nn.Module):
        raise UsageError(f"model {model!r} gives a {type(network).__name__}, not a torch.nn.Module.")
    return network


def _from_library(library: str, name: str, classes: int) -> Callable[[], nn.Module]:
    try:
        package = importlib.import_module("torchvision.models" if library == "torchvision" else library)
    except ImportError:
        raise UsageError(f"model {library}:{name} needs {library}; pip install 'dnnlab[models]'.") from None
    known = package.list_models()
    if name not in known:
        raise unknown(f"{library} model", name, known)
    if library == "timm":
        return lambda: package.create_model(name, pretrained=False, num_classes=classes)
    return lambda: package.get_model(name, weights=None, num_classes=classes)


def load_weights(network: nn.Module, file: str) -> None:
    """Load a ``.safetensors`` state dict, which holds no code.

    A file that ``--prune-dead`` wrote makes the layers of ``network`` as small as its own.

    Raises:
        UsageError: the file is missing or damaged, or its tensors are not this network's.
    """
    from dnnlab.networks.narrowed import METADATA, fit

    state, metadata = weights.read(file)
    if METADATA in metadata:
        fit(network, state)
    load_state(network, state, file)


def load_state(network: nn.Module, state: dict[str, Tensor], file: str) -> None:
    """Load ``state``, which was read from ``file``.

    Raises:
        UsageError: its tensors are not this network's.
    """
    try:
        network.load_state_dict(state)
    except RuntimeError as problem:
        lines = str(problem).splitlines()
        raise UsageError(f"--weights {file} do not fit the model: {' '.join(lines[1:3]).strip()}") from None


def digest(model: str, file: str) -> str:
    """SHA-256 of all that makes the network: the code that its factory uses, at once or later, the network that it
    gives, and the ``file`` of its weights if it has one. Of a library's, its version.

    It is the same whatever else the process has loaded.

    Raises:
        UsageError: the model or its weights cannot be read, or its code has changed since this process imported it.
    """
    place = model.partition(":")[0]
    make = factory(model, 2)
    total = hashlib.sha256(model.encode())
    if place in _LIBRARIES:
        total.update(importlib.metadata.version(place).encode())
    else:
        total.update(code_digest(model, make).encode())
    if file:
        total.update(weights.digest(file).encode())
    return total.hexdigest()


_known: dict[str, tuple[object, Used, str, str]] = {}
"""Of each function: the object that it was, what it uses, the digest of that, and the digest of what it gave."""


def code_digest(what: str, make: Callable[[], nn.Module] | None = None) -> str:
    """SHA-256 of the code that an imported ``package.module:name`` uses; with ``make``, which calls it, of the network
    that it gives too, which holds the weights and settings that it may have read from anywhere.

    Raises:
        UsageError: its code cannot be read, or has changed since this process imported it.
    """
    place, _, name = what.partition(":")
    module = sys.modules[place]
    value = getattr(module, name)
    try:
        if what in _known and _known[what][0] is value:
            _, uses, before, network = _known[what]
            if uses.digest() != before:
                raise UsageError(f"the code of {what} has changed since this process imported it; start Python again.")
        else:
            with imports_seen() as seen:
                network = _fingerprint(make, seen) if make else ""
            uses = used(module, name, sorted(seen))
            before = uses.digest()
            _known[what] = value, uses, before, network
    except (TypeError, OSError, SyntaxError):
        raise UsageError(f"{what} has no code that can be read; write a function of your own.") from None
    return hashlib.sha256(f"{before} {network}".encode()).hexdigest()


def _fingerprint(make: Callable[[], nn.Module], seen: set[str]) -> str:
    """SHA-256 of the network that ``make`` gives under a fixed seed; of its names and shapes alone where it does not
    give the same one again. The modules of its parts are added to ``seen``."""
    digests = []
    for _ in range(2):
        with _seeded():
            network = make()
        seen.update(type(part).__module__ for part in network.modules())
        digests.append([_state_digest(network, values) for values in (True, False)])
    (first, shapes), (second, _) = digests
    return first if first == second else shapes


def _state_digest(network: nn.Module, values: bool) -> str:
    total = hashlib.sha256(repr(network).encode() if values else b"")
    for name, tensor in network.state_dict().items():
        if not isinstance(tensor, Tensor) or isinstance(tensor, UninitializedParameter | UninitializedBuffer):
            total.update(f"{name}\0".encode())
            continue
        total.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        if values:
            try:
                total.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
            except (RuntimeError, TypeError):  # sparse or quantised: not laid out as bytes
                total.update(repr(tensor).encode())
    return total.hexdigest()


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
    """Python's, numpy's and torch's random numbers start from a fixed seed, and go on afterwards as if nothing was."""
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        random.seed(0)
        np.random.seed(0)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
