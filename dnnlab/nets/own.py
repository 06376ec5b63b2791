"""A user's own network: where it comes from, its weights, and a digest of both."""

import hashlib
import importlib
import importlib.metadata
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from torch import Tensor, nn

from dnnlab.errors import UsageError, in_short, unknown
from dnnlab.nets import weights

_LIBRARIES = ("torchvision", "timm")
_DNNLAB = Path(__file__).resolve().parents[1]


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
    from dnnlab.nets.pruning import METADATA, fit

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
    """SHA-256 of the model's code, as far as it lies in one place, and of the ``file`` of its weights if it has one.

    Of ``package.module:factory`` all loaded modules under the same top folder count; of a library its version.

    Raises:
        UsageError: the model or its weights cannot be read.
    """
    place, _, _ = model.partition(":")
    factory(model, 2)
    total = hashlib.sha256(model.encode())
    if place in _LIBRARIES:
        total.update(importlib.metadata.version(place).encode())
    else:
        total.update(code_digest(model).encode())
    if file:
        total.update(weights.digest(file).encode())
    return total.hexdigest()


def code_digest(what: str) -> str:
    """SHA-256 of the code of an imported ``package.module:name``: of all loaded modules under the same top folder.

    dnnlab's own do not count: how many of them are loaded depends on the command, and its code is in the key by itself.
    """
    place, _, name = what.partition(":")
    total = hashlib.sha256()
    for source in _sources(sys.modules[place], name):
        total.update(source)
    return total.hexdigest()


def _sources(module: ModuleType, name: str) -> list[bytes]:
    if not getattr(module, "__file__", None):  # a notebook: its cells are no files
        try:
            return [inspect.getsource(getattr(module, name)).encode()]
        except (TypeError, OSError):
            raise UsageError(
                f"{module.__name__}:{name} has no code that can be read; write a function of your own."
            ) from None
    file = Path(str(module.__file__)).resolve()
    depth = module.__name__.count(".") + (file.name == "__init__.py")
    root = file.parents[depth]
    loaded = (Path(str(getattr(other, "__file__", None))) for other in list(sys.modules.values()))
    files = {f.resolve() for f in loaded if f.suffix == ".py" and f.is_absolute() and f.is_file()}
    installed = "site-packages"
    near = [
        f
        for f in files
        if f.is_relative_to(root)
        and not f.is_relative_to(_DNNLAB)
        and (installed not in f.parts or installed in file.parts)
    ]
    return [f.relative_to(root).as_posix().encode() + b"\0" + f.read_bytes() for f in sorted(near)]
