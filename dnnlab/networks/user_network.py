"""A user's own network: where it comes from, its weights, and a digest of both."""

import contextlib
import hashlib
import importlib
import importlib.metadata
import random
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from dnnlab import installation
from dnnlab.code.user_code import dependencies, watched_imports
from dnnlab.code.values import digest as digest_of
from dnnlab.code.values import parts_of
from dnnlab.errors import UsageError, in_full, of_users_code, some, unknown, users_line
from dnnlab.networks import parametrised, weights
from dnnlab.networks.narrowed import fit
from dnnlab.networks.remembered import in_mode
from dnnlab.networks.ties import completed
from dnnlab.networks.unread import with_own

_LIBRARIES = ("torchvision", "timm")


def factory(model: str, classes: int) -> Callable[[], nn.Module]:
    """A function that makes the network called ``model``, with fresh random weights at every call.

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
    return lambda: _network(make, model)


def imported(place: str, what: str) -> ModuleType:
    """The module called ``place``, which may lie in the current folder; ``what`` is the subject of error messages.

    Raises:
        UsageError: it cannot be imported.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with watched_imports() as modules:
            module = importlib.import_module(place)
        _imported_with.setdefault(place, frozenset(modules))
        return module
    except ImportError as problem:
        dotted = place.removesuffix(".py").replace("\\", ".").replace("/", ".")
        hint = f"; write {dotted} in the place of {place}" if dotted != place else ""
        raise UsageError(f"{what} cannot be imported from {here}: {problem}{users_line(problem)}{hint}.") from problem
    except (Exception, SystemExit) as problem:
        raise UsageError(f"{what} fails on import: {in_full(problem)}.") from problem


_imported_with: dict[str, frozenset[str]] = {}
"""For each module that was imported here, the names of the modules that were imported with it."""


def _network(make: Callable[..., object], model: str) -> nn.Module:
    try:
        network = make()
    except (Exception, SystemExit) as problem:
        raise UsageError(f"model {model!r} fails when called: {in_full(problem)}.") from problem
    if not isinstance(network, nn.Module):
        raise UsageError(f"model {model!r} gives a {type(network).__name__}, not a torch.nn.Module.")
    return network


def complete(network: nn.Module, model: str, shape: Sequence[int]) -> None:
    """Give layers that learn their size from their first input, as ``nn.LazyLinear`` does, their weights, by a pass of
    zeros ``[2, *shape]``: of numbers, or where the network takes none, of tokens. Other buffers stay as they are.

    Raises:
        UsageError: the network called ``model`` takes neither, or does not call such a layer.
    """
    if not _lazy(network):
        return
    kept = [
        (module, name, buffer, buffer.clone())
        for module in network.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None and not is_lazy(buffer)
    ]
    try:
        _first_pass(network, model, shape, training=False)
        if _lazy(network):  # those that only training calls
            _first_pass(network, model, shape, training=True)
    finally:
        for module, name, buffer, values in kept:
            module._buffers[name] = buffer.copy_(values)
    if left := _lazy(network):
        raise UsageError(
            f"model {model!r} does not call {some(left)}, and only a call tells the size; give it or remove the layer."
        )


def _lazy(network: nn.Module) -> list[str]:
    """The names of the modules that still wait for their first input."""
    return [
        name
        for name, module in network.named_modules()
        if any(map(is_lazy, (*module.parameters(recurse=False), *module.buffers(recurse=False))))
    ]


def _first_pass(network: nn.Module, model: str, shape: Sequence[int], training: bool) -> None:
    problems = []
    for dtype in (torch.float32, torch.int64):
        try:
            with torch.no_grad(), in_mode(network, training):
                network(torch.zeros(2, *shape, dtype=dtype))
            return
        except Exception as problem:  # noqa: BLE001 - whatever the user's own code raises
            problems.append(problem)
    inputs = " × ".join(map(str, shape))
    raise UsageError(
        f"model {model!r} learns the sizes of its layers from its first input, and refuses one of {inputs}: "
        f"{of_users_code(problems[0])}."
    ) from problems[0]


def _from_library(library: str, name: str, classes: int) -> Callable[[], nn.Module]:
    try:
        package = importlib.import_module("torchvision.models" if library == "torchvision" else library)
    except ImportError:
        raise UsageError(f"model {library}:{name} needs {library}; {installation.command_for('models')}.") from None
    known = package.list_models()
    if name not in known:
        raise unknown(f"{library} model", name, known)
    if library == "timm":
        return lambda: package.create_model(name, pretrained=False, num_classes=classes)
    return lambda: package.get_model(name, weights=None, num_classes=classes)


def load_weights(
    network: nn.Module, file: str, spare: Callable[[nn.Module], Collection[str]] = lambda network: ()
) -> None:
    """Load a ``.safetensors`` state dict, which holds no code.

    A file that ``--prune-dead`` or compress wrote makes the layers of ``network`` as small as its own, and weights that
    it computes, as by ``weight_norm``, plain ones where the file has them as such. Of a tensor that the network has
    under several names, one is enough; and one that is ``spare``, as its outputs do not depend on it, keeps its own
    values where the file lacks it.

    Raises:
        UsageError: the file is missing or damaged, or its tensors are not this network's.
    """
    state, metadata = weights.read(file)
    if (plain := parametrised.computed(network)) and state.keys() >= set(plain):
        parametrised.make_plain(network)
    state = completed(network, state)
    if weights.NARROWER in metadata:
        fit(network, state)
    missing = network.state_dict().keys() - state.keys()
    if missing and state.keys() <= network.state_dict().keys():
        state = with_own(network, state, missing & set(spare(network)))
    load_state(network, state, file)


def load_state(network: nn.Module, state: dict[str, Tensor], file: str) -> None:
    """Load ``state``, which was read from ``file``.

    Raises:
        UsageError: its tensors are not this network's.
    """
    try:
        network.load_state_dict(state)
    except RuntimeError as problem:
        said = " ".join(" ".join(str(problem).splitlines()[1:3]).split())
        raise UsageError(f"--weights {file} do not fit the model: {said}") from None


def digest(model: str, file: str) -> str:
    """SHA-256 of all that makes the network: the code that its factory uses, at once or later, the network itself, and
    the ``file`` of its weights if it has one. For torchvision and timm it contains their version.

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


_first_seen: dict[str, tuple[object, str]] = {}
"""For each function, the object that it was when it was first used, and the digest of its code."""


def code_digest(what: str, make: Callable[[], nn.Module] | None = None) -> str:
    """SHA-256 of an imported ``package.module:name``: of the code that it uses, of its content, and of the network that
    ``make`` makes with it, whose weights and settings may come from anywhere.

    Raises:
        UsageError: its code cannot be read, or has changed since this process imported it.
    """
    place, _, name = what.partition(":")
    module = sys.modules[place]
    value = getattr(module, name)
    try:
        with watched_imports() as modules:
            first = _parts(make, modules) if make else parts_of(value)
        uses = dependencies(module, name, sorted({*modules, *_imported_with.get(place, ())}))
        first |= uses.data()
        second = (_parts(make, set()) if make else parts_of(value)) | uses.data()
        code = uses.digest()
        before = _first_seen.setdefault(what, (value, code))
        if uses.changed() or (before[0] is value and before[1] != code):
            raise UsageError(f"the code of {what} has changed since this process imported it; start Python again.")
        _first_seen[what] = value, code
        # Values that differ between two calls, such as a count of calls or the time, are not part of the network.
        same = {place: text for place, text in first.items() if second.get(place) == text}
        return hashlib.sha256(f"{code} {digest_of(parts_of(value))} {digest_of(same)}".encode()).hexdigest()
    except UsageError:
        raise
    except Exception as problem:
        raise UsageError(f"{what} cannot be looked at, to know it again: {in_full(problem)}.") from problem


def _parts(make: Callable[[], nn.Module], modules: set[str]) -> dict[str, str]:
    """The parts of the network that ``make`` makes under a fixed seed. The modules of its parts are added to
    ``modules``."""
    with _seeded():
        network = make()
    modules.update(str(type(part).__module__) for part in network.modules())
    return parts_of(network)


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
    """Start the random numbers of Python, numpy and torch from a fixed seed, and restore their state afterwards."""
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
