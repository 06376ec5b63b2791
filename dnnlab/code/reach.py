"""What a piece of code reaches: every definition whose change could change what it computes.

The graph is that of names. A definition reaches what it names, imports inside functions included. A method counts where
its class is reached and some reached code asks any object for an attribute of that name. A class that extends one of
another library has all its methods, as the library may call them. Modules that are named in strings, as in
``import_module(f"package.{name}")``, are reached as a whole.
"""

import copy
import hashlib
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from dnnlab.code.definitions import Chain, Definition, Module, Target


class Package:
    """The sources of the package in the folder ``path``."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._files = {self._module_name(file, path): file for file in sorted(path.rglob("*.py"))}
        self._modules: dict[str, Module] = {}

    @staticmethod
    def _module_name(file: Path, path: Path) -> str:
        parts = file.relative_to(path.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def __contains__(self, name: str) -> bool:
        return name in self._files

    @property
    def names(self) -> list[str]:
        """The names of all modules."""
        return list(self._files)

    def with_source(self, name: str, source: str) -> "Package":
        """A copy of the package in which the module called ``name`` has another ``source``."""
        other = copy.copy(self)
        other._modules = {**self._modules, name: Module(name, self._files[name], source)}
        return other

    def module(self, name: str) -> Module:
        """The module called ``name``.

        Raises:
            KeyError: there is none.
        """
        if name not in self._modules:
            self._modules[name] = Module(name, self._files[name])
        return self._modules[name]

    def matching(self, pattern: str) -> list[str]:
        """The names of the modules that a regular expression matches."""
        return [name for name in self._files if re.fullmatch(pattern, name)]


class Reach:
    """The definitions of ``package`` that the ``roots`` reach: each ``module``, ``module:name`` or
    ``module:Class.method``. The modules and packages ``beyond`` are not entered.

    Raises:
        KeyError: a root is not there.
    """

    def __init__(self, package: Package, roots: Iterable[str], beyond: Sequence[str] = ()) -> None:
        self.package, self.beyond = package, beyond
        self.definitions: dict[tuple[str, str], Definition] = {}
        self.libraries: set[str] = set()
        """The names under which other libraries are imported, those of Python itself aside."""
        self._attributes: set[str] = set()
        self._waiting: dict[str, list[Definition]] = {}
        self._todo: list[Definition] = []
        self._imported: set[str] = set()
        self._whole: set[str] = set()
        for root in roots:
            self._root(root)
        self._follow()

    @property
    def modules(self) -> set[str]:
        """The modules that have a reached definition other than what runs on import."""
        return {module for module, name in self.definitions if name and not name.startswith("#")}

    @property
    def digest(self) -> str:
        """SHA-256 of all reached definitions, in hexadecimal."""
        total = hashlib.sha256()
        for (module, name), definition in sorted(self.definitions.items()):
            total.update(f"{module}\0{name}\0{definition.digest}\n".encode())
        return total.hexdigest()

    @property
    def unknown(self) -> set[str]:
        """The reached definitions that import something that their source does not name."""
        return {f"{module}:{name}" for (module, name), definition in self.definitions.items() if definition.unknown}

    def _root(self, root: str) -> None:
        place, _, name = root.partition(":")
        owner, _, method = name.partition(".")
        if not owner:
            self._all_of(place)
            return
        definitions = self.package.module(place).definitions[owner]
        self._name(place, owner)
        for definition in definitions:
            for each in definition.methods:
                if each.name == name:
                    self._add(each)
        if method and (place, name) not in self.definitions:
            raise KeyError(root)

    def _follow(self) -> None:
        while self._todo:
            definition = self._todo.pop()
            module = self.package.module(definition.module)
            for chain in definition.chains:
                self._chain(module, definition, chain)
            for chain in definition.types:
                self._chain(module, definition, chain, only_types=True)
            for pattern in definition.patterns:
                for name in self.package.matching(pattern):
                    if name != self.package.name:
                        self._all_of(name)
            for name in definition.attributes - self._attributes:
                self._attributes.add(name)
                for method in self._waiting.pop(name, []):
                    self._add(method)

    def _add(self, definition: Definition) -> None:
        # A protocol only describes what other classes do.
        if self._is_beyond(definition.module) or any(base[-1] == "Protocol" for base in definition.bases):
            return
        # One name may be defined twice, as in the branches of an if.
        key = definition.module, definition.name
        known = self.definitions.get(key)
        if known is definition:
            return
        if known is not None:
            key = definition.module, f"{definition.name}#{definition.digest}"
            if key in self.definitions:
                return
        self.definitions[key] = definition
        self._todo.append(definition)
        called_from_outside = definition.is_class and self._extends_a_library(definition)
        for method in definition.methods:
            name = method.name.rpartition(".")[2]
            special = name.startswith("__") and name.endswith("__")
            if special or called_from_outside or name in self._attributes:
                self._add(method)
            else:
                self._waiting.setdefault(name, []).append(method)

    def _is_beyond(self, module: str) -> bool:
        return any(f"{module}.".startswith(f"{place}.") for place in self.beyond)

    def _extends_a_library(self, definition: Definition) -> bool:
        module = self.package.module(definition.module)
        for chain in definition.bases:
            target = definition.local.get(chain[0]) or module.imports.get(chain[0])
            if target is None:
                bases = module.definitions.get(chain[0], [])
            elif not self._ours(target.module):
                if target.module.partition(".")[0] not in ("typing", "collections", "abc", "enum", "dataclasses"):
                    return True
                continue
            else:
                place, name = self._resolved(target, chain[1:])
                bases = self.package.module(place).definitions.get(name, []) if place in self.package else []
            if any(base.is_class and self._extends_a_library(base) for base in bases):
                return True
        return False

    def _resolved(self, target: Target, rest: Chain) -> tuple[str, str]:
        """The module, and the name in it, that a target with attributes means, also where modules pass the name on."""
        place, name = target.module, target.name
        names = [*filter(None, [name]), *rest]
        while names and f"{place}.{names[0]}" in self.package:
            place = f"{place}.{names.pop(0)}"
        if not names or place not in self.package:
            return place, ""
        passed_on = self.package.module(place).imports.get(names[0])
        if names[0] not in self.package.module(place).definitions and passed_on and self._ours(passed_on.module):
            return self._resolved(passed_on, tuple(names[1:]))
        return place, names[0]

    def _ours(self, module: str) -> bool:
        return module.partition(".")[0] == self.package.name

    def _chain(self, module: Module, definition: Definition, chain: Chain, only_types: bool = False) -> None:
        target = definition.local.get(chain[0]) or module.imports.get(chain[0])
        if target is None and only_types:
            target = module.type_imports.get(chain[0])
        if target is None:
            if chain[0] in module.definitions:
                self._name(module.name, chain[0], only_types)
            return
        if not self._ours(target.module):
            if not only_types:
                self._library(target.module)
            return
        place, name = self._resolved(target, chain[1:])
        if place not in self.package:
            raise KeyError(f"{definition.module} names {'.'.join(chain)}, which no module of {self.package.name} has")
        if name:
            self._name(place, name, only_types)
        elif not only_types:
            whole = len(chain) == 1 and place != self.package.name
            self._all_of(place) if whole else self._import(place)

    def _name(self, place: str, name: str, only_types: bool = False) -> None:
        """Reach ``name`` in the module ``place``."""
        module = self.package.module(place)
        definitions = module.definitions.get(name)
        if only_types and not any(definition.is_class for definition in definitions or []):
            return
        self._import(place)
        if definitions is None and (passed_on := module.imports.get(name)) and not self._ours(passed_on.module):
            self._library(passed_on.module)
        if definitions is None and not (name.startswith("__") and name.endswith("__")):  # every module has __file__
            definitions = module.definitions.get("__getattr__")
        for definition in definitions or []:
            self._add(definition)

    def _import(self, place: str) -> None:
        """Reach what runs when the module ``place`` is imported, and the packages that it lies in."""
        while place in self.package and place not in self._imported:
            self._imported.add(place)
            module = self.package.module(place)
            registering = (
                definition
                for name, definitions in module.definitions.items()
                if name
                for definition in definitions
                if any(self._is_ours(module, chain) for chain in definition.decorators)
            )
            for definition in (*module.definitions[""], *registering):
                self._add(definition)
            place = place.rpartition(".")[0]

    def _is_ours(self, module: Module, chain: Chain) -> bool:
        target = module.imports.get(chain[0])
        return self._ours(target.module) if target else chain[0] in module.definitions

    def _all_of(self, place: str) -> None:
        """Reach all that the module ``place`` defines."""
        if place in self._whole:
            return
        self._whole.add(place)
        self._import(place)
        for definitions in self.package.module(place).definitions.values():
            for definition in definitions:
                self._add(definition)
                for method in definition.methods:
                    self._add(method)

    def _library(self, module: str) -> None:
        first = module.partition(".")[0]
        if first not in sys.stdlib_module_names:
            self.libraries.add(first)
