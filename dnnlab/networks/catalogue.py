"""The named architectures by name, with options: ``create_model("resnet20", act="gelu")``.

Importing this module does not import torch.
"""

import importlib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dnnlab.errors import UsageError, listing, unknown
from dnnlab.networks import spaces
from dnnlab.networks.activations import activation, per_layer
from dnnlab.networks.family import FAMILIES, FREE, Family
from dnnlab.networks.members import MEMBERS, Member

if TYPE_CHECKING:
    from torch import nn

WIDEST = 100
"""The largest factor on the published channels; beyond it, sizes of tensors overflow."""
SMALL = 64
"""Images of up to this many pixels along a side get the stem ``small`` where nobody asked for another."""


def parse(text: str) -> tuple[Member, dict[str, Any]]:
    """Read ``NAME`` or ``NAME:OPTION=VALUE,…``, such as ``resnet20:act=gelu,norm=none``.

    Raises:
        UsageError: nobody knows the name, or its family does not honour an option or a value.
    """
    name, colon, rest = text.partition(":")
    member = find(name)
    options: dict[str, Any] = {}
    for part in rest.split(",") if colon else ():
        option, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or option in options:
            raise UsageError(f"model {text!r} does not read; write NAME:OPTION=VALUE,… with each option once.")
        options[option] = value
    return member, checked(member, options)


def find(name: str) -> Member:
    """The member called ``name``.

    Raises:
        UsageError: there is none.
    """
    if name not in MEMBERS:
        raise unknown("model", name, MEMBERS)
    return MEMBERS[name]


def create_model(
    name: str,
    *,
    num_classes: int | None = None,
    in_chans: int | None = None,
    input_size: int | None = None,
    **options: Any,
) -> "nn.Module":
    """A fresh network, initialised as its paper says.

    It gets images ``[batch, in_chans, input_size, input_size]``, or tokens ``[batch, input_size]`` in int64 where it
    was published for them, as ``bert_base`` was, and gives logits ``[batch, num_classes]``.

    Args:
        name: One of `MEMBERS`, such as ``resnet50``. It may carry options, as in ``resnet20:act=gelu,norm=none``. Or it
            is the path of a ``.toml`` file that ``dnnlab nas`` wrote; then ``num_classes`` and ``input_size`` must be
            given.
        num_classes: Without it, as many as the published network has.
        in_chans: Channels of the images: 3 for colours, as without it, 1 for grey. Tokens have none.
        input_size: Pixels along one side, or tokens in a sequence. Without it, those of the published network. With 64
            or less, a network that was published for larger images takes the stem for small ones, if its family has
            that, unless ``stem`` says otherwise. Networks with position embeddings need it. It changes nothing else.
        options: What the family of the network lets you change, such as ``act``, ``norm``, ``width``, ``dropout``,
            ``skip`` and ``stem``. ``dnnlab compare-arch --list`` has them all.

    Raises:
        UsageError: Nobody knows the name, the family has no such option or value, a number is not positive, or
            ``in_chans`` is given for a network of tokens.

    The ResNet of 20 layers for CIFAR-10 has 0.27 million parameters (He 2016, table 6):

    >>> import torch
    >>> from dnnlab.networks import create_model
    >>> model = create_model("resnet20", act="gelu")
    >>> model(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    >>> f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} million"
    '0.27 million'
    """
    channels = 3 if in_chans is None else in_chans
    if spaces.is_file(name):
        return _from_file(name, num_classes, channels, input_size, options)
    member, written = parse(name)
    family = FAMILIES[member.family]
    chosen = written | checked(member, options)
    size = member.input_size if input_size is None else input_size
    classes = member.classes if num_classes is None else num_classes
    for what, number in (("num_classes", classes), ("in_chans", channels), ("input_size", size)):
        if number < 1:
            raise UsageError(f"{what} of a model must be at least 1, not {number}.")
    if member.vocabulary and in_chans is not None:
        raise UsageError(f"{member.name} takes tokens, which have no channels; leave out in_chans.")
    if "stem" in family.options and size <= SMALL and size < member.input_size:
        chosen.setdefault("stem", "small")
    module = importlib.import_module(f"dnnlab.networks.families.{family.name}")
    inputs = {"input_size": size} if family.sized else {}
    inputs |= {"vocabulary": member.vocabulary} if member.vocabulary else {"in_chans": channels}
    model: nn.Module = getattr(module, family.class_name)(
        **(dict(member.arguments) | chosen | inputs), num_classes=classes
    )
    return model


def _from_file(
    file: str, num_classes: int | None, in_chans: int, input_size: int | None, options: Mapping[str, Any]
) -> "nn.Module":
    if options:
        raise UsageError(f"{file} says what the network is; it takes no {listing(options)}.")
    if num_classes is None or input_size is None:
        raise UsageError(f"{file} is of no published network; say num_classes and input_size, such as 10 and 32.")
    return spaces.read(file).build((in_chans, input_size, input_size), num_classes)


def checked(member: Member, options: Mapping[str, Any]) -> dict[str, Any]:
    """``options``, each with a value that the member's family honours; numbers may come as text.

    Raises:
        UsageError: it honours no such option or value.
    """
    family = FAMILIES[member.family]
    return {name: _value(member, family, name, value) for name, value in options.items()}


def _value(member: Member, family: Family, name: str, value: Any) -> Any:
    if name not in family.options:
        raise UsageError(
            f"{member.name} has no option {name!r}; options of {family.name} are {listing(family.options)}."
        )
    values = family.options[name]
    if name == "act" and family.layerwise:
        acts = [activation(each).name for each in per_layer(str(value), member.arguments["depth"])]
        return acts[0] if len(set(acts)) == 1 else "+".join(acts)
    if values == FREE:
        return activation(str(value)).name if name == "act" else _number(name, value)
    if str(value) not in values:
        raise unknown(f"{name} of {family.name}", str(value), values)
    return str(value)


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if name == "dropout" and not 0 <= number < 1:
        raise UsageError(f"dropout {value!r} must be a probability below 1, such as 0.5.")
    if name == "width" and not 0 < number <= WIDEST:
        raise UsageError(f"width {value!r} must be a number up to {WIDEST}, such as 0.5 for half the channels.")
    return number
