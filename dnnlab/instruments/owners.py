"""Which module of a network owns a matrix, and so what the layer that multiplies by it is called."""

from collections.abc import Iterable, Sequence

from torch import nn

_SUFFIXES = (
    *("weight", "weight_v", "weight_orig"),
    *("parametrizations.weight.original", "parametrizations.weight.original0", "parametrizations.weight.original1"),
)
"""The parameters that a layer is called by the module of. Others it is called by itself."""


class Owners:
    """The modules of ``model`` by the names of their parameters, of which one may have several."""

    def __init__(self, model: nn.Module) -> None:
        self.parameters: dict[str, nn.Parameter] = {}
        """Each parameter once."""
        self._modules = dict(model.named_modules(remove_duplicate=False))
        self._paths: dict[int, str] = {}
        for name, module in self._modules.items():
            self._paths.setdefault(id(module), name)
        self._aliases: dict[int, list[str]] = {}
        for name, parameter in model.named_parameters(remove_duplicate=False):
            if id(parameter) not in self._aliases:
                self.parameters[name] = parameter
            self._aliases.setdefault(id(parameter), []).append(name)

    def path(self, module: nn.Module) -> str:
        """The name of ``module`` in the network, which has none itself."""
        return self._paths[id(module)]

    def matrices(self, names: Iterable[str]) -> list[str]:
        """Those of the parameters ``names`` that are no vectors, sorted; all, where none is."""
        found = sorted(names)
        return [name for name in found if self.parameters[name].ndim > 1] or found

    def matrices_in(self, module: nn.Module) -> list[str]:
        """The parameters of ``module`` and of the modules in it that are no vectors and no biases: those of attention's
        keys and values have three dimensions."""
        inside = _inside(self.path(module))
        found = [name for name, p in self.parameters.items() if name.startswith(inside) and p.ndim > 1]
        return [name for name in found if not name.rpartition(".")[2].startswith("bias")]

    def has(self, module: nn.Module, names: Iterable[str]) -> bool:
        """Whether all parameters ``names`` lie in ``module``, under whichever of their names."""
        inside = _inside(self.path(module))
        return all(any(alias.startswith(inside) for alias in self._known_as(name)) for name in names)

    def of(self, names: Iterable[str], active: Sequence[nn.Module]) -> tuple[str, nn.Module]:
        """The name of the layer whose matrix is made of the parameters ``names``, and the module that owns it, which is
        the innermost of the ``active`` modules that has the matrix."""
        paths = [_inside(self.path(module)) for module in reversed(active)]
        found = []
        for name in self.matrices(names):
            aliases = self._known_as(name)
            found.append(next((alias for path in paths for alias in aliases if alias.startswith(path)), aliases[0]))
        for name in found:
            for suffix in _SUFFIXES:
                module = name.removesuffix(suffix)
                if module != name and (not module or module.endswith(".")):
                    owner = self._modules[module[:-1]]
                    return module[:-1].replace("._orig_mod", "") or type(owner).__name__, owner
        owner = self._modules[found[0].rpartition(".")[0]]
        return " + ".join(found).replace("_orig_mod.", ""), owner

    def _known_as(self, name: str) -> list[str]:
        return self._aliases[id(self.parameters[name])]


def _inside(path: str) -> str:
    """What the names of all parameters of a module begin with."""
    return path and f"{path}."
