"""Follows every tensor through a forward pass: which layer made it, where its units lie, and what it leads to.

Below autograd all ways to write a computation come down to the same few operations, and each is seen here as it runs.
What an operation does to units is written in `dnnlab.instruments.operations`, and of products in
`dnnlab.instruments.factors`. Behind one that is not written there the units are not known, and they are never guessed.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from dnnlab.errors import UsageError
from dnnlab.instruments import operations
from dnnlab.instruments.axes import Axes, along, fits, joined, plain, resized
from dnnlab.instruments.factors import CONVOLUTIONS, DISTANCES, FEATURES_LAST, by_weight, of_two
from dnnlab.instruments.operations import Call, Operation, tensors
from dnnlab.instruments.origin import Layer, Origin
from dnnlab.instruments.owners import Owners
from dnnlab.instruments.recognise import Recognised, recognise, test_of, try_on_a_grid
from dnnlab.networks.outputs import logits

_WHOLE = (nn.RNNBase, nn.MultiheadAttention)
"""Modules that are one layer, however many matrices they multiply by."""
_SINGLE = (nn.Linear, nn.modules.conv._ConvNd)
"""Modules that multiply whatever they are given by their own weight."""


class _Mode(TorchDispatchMode):
    """Hands every operation to ``run``."""

    def __init__(self, run: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]) -> None:
        super().__init__()
        self.run = run

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.run(func, args, kwargs or {})


class Follow:
    """Follows the tensors of each forward pass of ``model``, while it is entered.

    Args:
        model: Any module.
        made: Called with each layer and each tensor that it puts out, once autograd knows it.
        activated: Called likewise with an activation, what is known of its input, the input and the output. Where the
            input is overwritten, the output stands for it; but the two gates, whose saturation is defined by the input,
            get a copy of that.

    Raises:
        UsageError: a part of the model is compiled by TorchScript.
    """

    def __init__(
        self,
        model: nn.Module,
        made: Callable[[Layer, Tensor], None] | None = None,
        activated: Callable[[Recognised, Origin, Tensor, Tensor], None] | None = None,
    ) -> None:
        if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
            raise UsageError("TorchScript hides the layers of the model; give the module that it was scripted from.")
        model = getattr(model, "_orig_mod", model)  # what `torch.compile` was given
        self._mode = _Mode(self._ran)
        self.model, self.made, self.activated = model, made, activated
        self.layers: list[Layer] = []
        """The layers of the last pass, in the order of execution."""
        self._owners = Owners(model)
        self.parameters = self._owners.parameters
        self._constants: dict[int, Origin] = {
            id(p): Origin(False, tuple(((n, (d,)),) for d, n in enumerate(p.shape)), parameters=frozenset([name]))
            for name, p in self.parameters.items()
        }
        self.outputs: frozenset[Layer] = frozenset()
        """The layers that give the logits of the last pass: no other layer lies between."""
        self._active: list[nn.Module] = []
        self._activations = 0
        self._entered_at: list[int] = []  # how many that are zero on an interval had been seen, by active module
        self._tried: dict[nn.Module, Recognised | None] = {}
        self._whole: list[Layer] = []
        self._part = ""  # the layer of a recurrent module whose matrix was the last to be multiplied by
        self._calls: dict[str, int] = {}
        self._run = object()
        self._following = False
        self._graph = False
        self._without_graph: list[Layer] = []  # of a pass with gradients, those that autograd did not see
        self._reports: list[Callable[[], None]] = []
        self._exit = ExitStack()
        self._watched = ExitStack()  # holds the mode while operations are watched

    def __enter__(self) -> "Follow":
        with ExitStack() as stack:
            stack.callback(self._forget)
            modules = list(self.model.modules())
            for module in modules:
                if not hasattr(module, "_orig_mod"):
                    enters = module.register_forward_pre_hook(self._enters, prepend=True, with_kwargs=True)
                    leaves = module.register_forward_hook(self._leaves, with_kwargs=True, always_call=True)
                    stack.callback(enters.remove)
                    stack.callback(leaves.remove)
            # An encoder layer may run as one operation, in which no activation can be seen.
            stack.callback(torch.backends.mha.set_fastpath_enabled, torch.backends.mha.get_fastpath_enabled())
            torch.backends.mha.set_fastpath_enabled(False)
            if any(hasattr(module, "_orig_mod") for module in modules):
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            stack.callback(self._watched.close)
            self._exit = stack.pop_all()
        return self

    def __exit__(self, kind: Any, problem: Any, trace: Any) -> None:
        self._exit.__exit__(kind, problem, trace)

    def _forget(self) -> None:
        self._following = False
        self.report()
        for kept in (*self.model.parameters(), *self.model.buffers()):
            vars(kept).pop(_ORIGIN, None)

    def report(self) -> None:
        """Report what the last operation made: autograd knows it only after the operation has returned."""
        reports, self._reports = self._reports, []
        for each in reports:
            each()

    def origin(self, tensor: Tensor) -> Origin | None:
        """What is known of ``tensor``; ``None`` where it comes neither from the input nor from a parameter."""
        known: Origin | None = getattr(tensor, _ORIGIN, None)
        return known if known is not None and known.run is self._run else self._constants.get(id(tensor))

    def label(self, tensor: Tensor, origin: Origin) -> None:
        """Say what is known of ``tensor``."""
        origin.run = self._run
        setattr(tensor, _ORIGIN, origin)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let what is computed meanwhile pass unseen."""
        self._following = False
        try:
            yield
        finally:
            self._following = True

    # Modules.

    def start(self, inputs: Any) -> None:
        """Begin a pass, whose input is the tensors of ``inputs``."""
        self.report()
        self.layers = []
        self.outputs = frozenset()
        self._active.clear()
        self._whole.clear()
        self._calls.clear()
        self._run = object()
        self._following = True
        self._watched.close()
        self._watched.enter_context(self._mode)
        self._graph = torch.is_grad_enabled()
        self._without_graph.clear()
        for x in tensors(inputs):
            self.label(x, Origin(True, along(x.shape, -1) if x.ndim == 2 else None))

    def _enters(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        if _in_backward():
            return
        if module is self.model and not self._active:
            self.start((args, kwargs))
        del self._entered_at[len(self._active) :]
        self._entered_at.append(self._activations)
        self._active.append(module)
        if isinstance(module, _WHOLE) and not self._whole:
            kind = type(module).__name__
            self._whole.append(self._layer(self._owners.path(module) or kind, kind, self._owners.matrices_in(module)))

    def _leaves(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if not self._active or _in_backward():
            return
        self._active.pop()
        if self.activated is not None and self._is_own_function(module, args, output):
            self._try(module, args[0], output)
        if isinstance(module, _WHOLE) and not any(isinstance(m, _WHOLE) for m in self._active):
            self._leaves_whole(module, (args, kwargs), output)
        if module is self.model and not self._active:
            self._following = False
            if not self._without_graph:  # a backward pass is watched only where it computes layers again
                self._watched.close()
            self.report()
            reads = _reads(known for x in tensors(logits(output)) if (known := self.origin(x)) is not None)
            self.outputs = frozenset(reads).difference(*(layer.upstream() for layer in reads))

    def _is_own_function(self, module: nn.Module, args: Any, output: Any) -> bool:
        """Whether ``module`` may be an activation of the user's own in which none was recognised."""
        return (
            not type(module).__module__.startswith("torch.")
            and not any(True for _ in module.children())
            and not any(True for _ in module.parameters())
            and len(args) == 1
            and isinstance(args[0], Tensor)
            and isinstance(output, Tensor)
            and output.shape == args[0].shape
            and output.is_floating_point()
            and self.origin(args[0]) is not None
            and self._activations == self._entered_at[len(self._active)]
        )

    def _try(self, module: nn.Module, read: Tensor, out: Tensor) -> None:
        if module not in self._tried:
            with self.paused():
                self._tried[module] = try_on_a_grid(module)
        found = self._tried[module]
        if found is not None:
            self._activation(replace(found, name=type(module).__name__), self.origin(read), read, out)

    def _leaves_whole(self, module: nn.Module, inputs: Any, output: Any) -> None:
        layer = self._whole.pop()
        given = [known for x in tensors(inputs) if (known := self.origin(x))]
        layer.reads = (layer.reads | _reads(given)) - {layer}
        layer.fixed = bool(given) and _are_fixed(given)
        recurrent = isinstance(module, nn.RNNBase)
        states = {id(x) for x in tensors(output[1])} if recurrent else ()
        for out in filter(Tensor.is_floating_point, tensors(output)):
            known = self.origin(out)
            if recurrent:  # a state [layer · direction, batch, unit] has the units of all layers and directions
                axes: Axes | None = along(out.shape, 0, -1) if id(out) in states else along(out.shape, -1)
            else:
                axes = known.axes if known else None
            self.label(out, Origin(True, axes, layer, frozenset([layer]), fixed=layer.fixed))
            self._made(layer, out)

    def _layer(self, name: str, kind: str, matrices: Iterable[str], reads: frozenset[Layer] = frozenset()) -> Layer:
        self._calls[name] = call = self._calls.get(name, 0) + 1
        layer = Layer(name if call == 1 else f"{name}#{call}", kind, tuple(matrices), len(self.layers), reads)
        self.layers.append(layer)
        return layer

    def _made(self, layer: Layer, out: Tensor) -> None:
        if self.made is not None:
            self._reports.append(lambda made=self.made: made(layer, out))  # type: ignore[misc]

    # Operations.

    def _ran(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an operation, and follow what it does."""
        if self._reports:
            self.report()
        if not self._following and not (self._without_graph and _in_backward() and torch.is_grad_enabled()):
            return func(*args, **kwargs)
        given = {id(x): (x, known) for x in tensors((args, kwargs)) if (known := self.origin(x)) is not None}
        if not given:
            return func(*args, **kwargs)
        operation = operations.of(func)
        if operation.constant:
            return func(*args, **kwargs)
        if operation.composite:
            with self._mode:
                return func.decompose(*args, **kwargs)

        def origin(x: Any) -> Origin | None:
            """What was known of ``x`` before the operation, which may overwrite it."""
            return given[id(x)][1] if id(x) in given else None

        if not self._following:
            return self._computed_again(operation, func(*args, **kwargs), [known for _, known in given.values()])
        found = recognise(operation.name, args, kwargs, origin)
        read: Any = args[found.reads] if found else None
        if found and found.by_input and func._schema.is_mutable:
            read = read.clone()
        out = func(*args, **kwargs)
        for result in tensors(out):
            call = Call(args, kwargs, result, origin)
            known = self._product(operation, call) if operation.factors else self._computed(operation, call, given)
            self.label(result, known)
            if func._schema.is_mutable and result._base is not None:
                self._overwritten(result._base, known)
        if found and self.activated is not None:
            self._activation(found, found.of or origin(args[found.reads]), read, out)
        return out

    def _computed_again(self, operation: Operation, out: Any, given: list[Origin]) -> Any:
        """Give the output of an operation that a checkpoint computes again in the backward pass. Where autograd did not
        see a layer in the forward pass, its gradient is known from here."""
        trained = [known for known in given if not known.data]
        if operation.factors is None:
            if len(trained) == len(given):
                for result in tensors(out):
                    self.label(result, Origin(False, parameters=_parameters(trained)))
        elif trained:
            layers = [layer for layer in self._without_graph if set(layer.matrices) <= trained[-1].parameters]
            if len(layers) == 1:  # of several with the same matrix it is not known which
                self._without_graph.remove(layers[0])
                self._made(layers[0], out)
        return out

    def _computed(self, operation: Operation, call: Call, given: dict[int, tuple[Tensor, Origin]]) -> Origin:
        """What is known of the output of an operation that is no product."""
        axes = _fitting(operation.rule(call) if operation.rule else None, call.out)
        inputs = [(x, known) for x, known in given.values() if known.data]
        if not inputs:
            return Origin(False, axes, parameters=_parameters(known for _, known in given.values()))
        layer = inputs[0][1].layer
        if len(inputs) > 1:
            # A larger tensor says more of the units than one that is broadcast to it. A gate only weights them.
            order = [
                (x.numel(), not known.gate, -place if operation.multiplies else _number(known.layer))
                for place, (x, known) in enumerate(inputs)
            ]
            layer = inputs[order.index(max(order))][1].layer
        gate = operation.gate or all(known.gate for _, known in inputs)
        test = test_of(operation.name, call.args, call.origin, call.out)
        reads, fixed = _reads(known for _, known in inputs), _are_fixed(known for _, known in inputs)
        return Origin(True, axes, layer, reads, gate=gate, test=test, fixed=fixed)

    def _overwritten(self, base: Tensor, part: Origin) -> None:
        """A part of ``base`` was overwritten by something of which ``part`` is known."""
        known = self.origin(base) or Origin(part.data)
        layer = known.layer or part.layer
        self.label(base, Origin(known.data or part.data, known.axes, layer, _reads([known, part])))

    def _product(self, operation: Operation, call: Call) -> Origin:
        left, right = (call.args[place] for place in operation.factors or ())
        origins = call.origin(left), call.origin(right)
        weight = self._weight(operation, *origins)
        if weight is None:
            return self._untrained(operation, call, left, right)
        place = origins.index(weight)
        other, factor = origins[1 - place], (left, right)[1 - place]
        reads = other.reads if other else frozenset()
        others = [known for x in tensors(call.args) if x is not factor and (known := call.origin(x)) is not None]
        # What is added in the same operation; or the second input of a bilinear layer.
        beside = _reads(known for known in others if known.data)
        fixed, beside_fixed = other is not None and _are_fixed([other]), _are_fixed(others)
        if operation.name == "_trilinear":
            reads, beside, fixed = reads | beside, frozenset(), fixed and beside_fixed
        if self._whole:
            layer = self._whole[-1]
            layer.reads |= reads - {layer}
            self._part = next(iter(weight.parameters)).rpartition("weight_")[2][3:]  # l0 of weight_ih_l0
        else:
            name, owner = self._owners.of(weight.parameters, self._active)
            layer = self._layer(name, type(owner).__name__, self._owners.matrices(weight.parameters), reads)
            layer.fixed = fixed
            self._made(layer, call.out)
            if self._graph and not torch.is_grad_enabled():
                self._without_graph.append(layer)
        axes: Axes | None
        if operation.name in CONVOLUTIONS:
            axes = along(call.out.shape, 1)
        elif operation.name in FEATURES_LAST:
            axes = along(call.out.shape, -1)
        elif operation.name in DISTANCES:
            axes = along(call.out.shape, -1 if place == 1 else -2)
        else:
            given = other.axes if other and other.axes is not None else plain(factor.shape)
            axes = by_weight(call.out, weight, given, place == 1)
        return Origin(True, _fitting(axes, call.out), layer, beside | {layer}, fixed=fixed and beside_fixed)

    def _untrained(self, operation: Operation, call: Call, left: Tensor, right: Tensor) -> Origin:
        """A product of two tensors that were both computed from the input, or of one with a constant."""
        known = [o for o in (call.origin(left), call.origin(right)) if o is not None]
        data = [o for o in known if o.data]
        beside = [call.origin(x) for x in tensors(call.args) if x is not left and x is not right]
        added = [o for o in beside if o is not None and o.data]
        reads, fixed = _reads([*data, *added]), _are_fixed([*data, *added])
        if added and not data:  # the product shifts what it is added to, whose units stay
            axes = joined([o.axes for o in added if o.axes is not None], call.out.shape)
            return Origin(True, _fitting(axes, call.out), added[0].layer, reads, fixed=fixed)
        if not data:
            sides = [o.axes for o in known if o.axes]
            made = (*sides[0][:-1], *sides[1][-1:]) if len(sides) == 2 else ()
            return Origin(False, _fitting(made, call.out), parameters=_parameters(known))
        source = max(data, key=lambda o: _number(o.layer))
        if operation.name in CONVOLUTIONS:  # a constant kernel may meet each channel alone, and leaves them as they are
            alone = len(known) == 1 and call.argument(8, "groups", 1) == left.shape[1] == call.out.shape[1]
            axes = resized(source.axes, call.out.shape) if alone and source.axes else None
        elif operation.name in FEATURES_LAST | DISTANCES:
            axes = None
        else:
            axes, found = of_two(call.origin(left), call.origin(right), call.out.shape)
            source = found or source
        return Origin(True, _fitting(axes, call.out), source.layer, reads, fixed=fixed)

    def _weight(self, operation: Operation, left: Origin | None, right: Origin | None) -> Origin | None:
        """Which of two factors is the trained matrix that the other is multiplied by; ``None`` where neither is."""
        trained = [o for o in (left, right) if o is not None and not o.data]
        if len(trained) == 1 and left is not None and right is not None:
            return trained[0]
        # Nothing here depends on the input. In a layer's own module its weight is multiplied all the same; but vectors
        # it meets where spectral normalisation looks for its norm.
        if operation.name in ("mv", "dot"):
            return None
        own = [o for o in trained if self._is_own(o)]
        return own[0] if len(own) == 1 and left is not right else None

    def _is_own(self, weight: Origin) -> bool:
        module = self._active[-1] if self._active else None
        return isinstance(module, _SINGLE) and self._owners.has(module, weight.parameters)

    def _activation(self, found: Recognised, known: Origin | None, read: Tensor, out: Tensor) -> None:
        recurrent = next((m for m in self._active if isinstance(m, nn.RNNBase)), None)
        if known is None or not known.data or not out.is_floating_point():
            return
        if isinstance(recurrent, nn.RNN) and recurrent.nonlinearity == "relu":
            known = self._in_time(recurrent, known)
        elif recurrent is not None:
            return  # a part of the layer
        self._activations += found.can_die
        self._reports.append(lambda: self.activated and self.activated(found, known, read.detach(), out))

    def _in_time(self, module: nn.RNN, known: Origin) -> Origin:
        """What is known of the input of an activation inside ``module``, at one time step of one of its layers."""
        layer = known.layer
        if layer is None:
            return known
        single = module.num_layers == 1 and not module.bidirectional
        part = layer if single else replace(layer, name=f"{layer.name}.{self._part}")
        return replace(known, layer=part, step=True)


_ORIGIN = "_dnnlab_origin"
"""The attribute of a tensor that says what is known of it. An attribute stays with a tensor that only autograd holds,
as an entry in a dictionary of weak references would not."""


def _in_backward() -> bool:
    """Whether this runs in a backward pass, as what a checkpoint computes again does."""
    return torch._C._current_graph_task_id() != -1


def _number(layer: Layer | None) -> int:
    return -1 if layer is None else layer.number


def _fitting(axes: Axes | None, tensor: Tensor) -> Axes | None:
    """``axes`` if ``tensor`` can have them: a rule that gives others has met a form of a call that it does not know."""
    return axes if axes is not None and fits(axes, tensor.shape) else None


def _are_fixed(origins: Iterable[Origin]) -> bool:
    """Whether nothing that is computed from these depends on the network's input."""
    return all(known.fixed or not known.data for known in origins)


def _parameters(origins: Iterable[Origin]) -> frozenset[str]:
    return frozenset(name for known in origins for name in known.parameters)


def _reads(origins: Iterable[Origin]) -> frozenset[Layer]:
    sets = {known.reads for known in origins}
    return sets.pop() if len(sets) == 1 else frozenset().union(*sets)
