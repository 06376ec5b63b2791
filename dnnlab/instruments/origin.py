"""What is known of a tensor in a forward pass: where it comes from, and where its units lie."""

from dataclasses import dataclass, field

from dnnlab.instruments.axes import Axes


@dataclass(eq=False)
class Layer:
    """One multiplication by a trained matrix or kernel."""

    name: str
    """After the parameter; with #2, #3 where it multiplies again in the same pass."""
    kind: str
    """The class of the module that owns the matrix."""
    matrices: tuple[str, ...]
    """The names of the parameters that the matrix is made of."""
    number: int
    """Its place in the order of execution, from 0."""
    reads: frozenset["Layer"] = frozenset()
    """The layers whose outputs reach it without passing another."""
    fixed: bool = False
    """Whether it multiplies what was computed from parameters alone."""

    def upstream(self) -> set["Layer"]:
        """All layers whose outputs reach it."""
        found: set[Layer] = set()
        ahead = list(self.reads)
        while ahead:
            layer = ahead.pop()
            if layer not in found:
                found.add(layer)
                ahead.extend(layer.reads)
        return found


@dataclass(eq=False)
class Origin:
    """What is known of one tensor."""

    data: bool
    """Whether it was computed from the network's input or by a layer, not from parameters alone."""
    fixed: bool = field(default=False, kw_only=True)
    """Of data: whether layers made it that read parameters alone."""
    axes: Axes | None = None
    """Where its units lie; ``None`` where that is not known."""
    layer: Layer | None = None
    """The layer that its units belong to."""
    reads: frozenset[Layer] = frozenset()
    """The layers whose outputs reach it without passing another."""
    parameters: frozenset[str] = frozenset()
    """Of what was computed from parameters alone: their names."""
    gate: bool = False
    """Whether it came out of a function such as a sigmoid, so that as a factor it only weights the other one."""
    test: "Test | None" = None
    """What it says of another tensor, element by element."""
    step: bool = False
    """Whether it is one of the time steps of a recurrent layer, of which all together are one activation."""
    run: object = field(default=None, repr=False)
    """The pass that it belongs to."""

    @property
    def source(self) -> "Origin":
        """What is known of the tensor that it has the numbers of: itself, or what it was copied or detached from."""
        return self.test.of if self.test is not None and self.test.kind == "same" else self


@dataclass(frozen=True)
class Test:
    """A function of another tensor that an activation may be written with."""

    kind: str
    """``above`` or ``below`` a number, ``abs``, ``1 + abs``, or ``sigmoid``; the ``same`` numbers, their ``negative``,
    ``zero`` times them, the ``negative part``, they ``beside zero`` along a new dimension, or those ``kept above`` a
    number."""
    of: Origin
    number: float = 0.0
