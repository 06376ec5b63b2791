"""Networks by name: of the catalogue, a user's own, or in a file that a search wrote."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from dnnlab.errors import UsageError
from dnnlab.networks import spaces
from dnnlab.networks.catalogue import create_model, parse
from dnnlab.networks.family import FAMILIES
from dnnlab.networks.members import MEMBERS

if TYPE_CHECKING:
    from torch import nn


_IMAGENET_CLASSES = 1000


def is_users(arch: str) -> bool:
    """Whether ``arch`` is a user's network: ``package.module:factory``, ``torchvision:NAME`` or ``timm:NAME``."""
    place, colon, rest = arch.partition(":")
    return not spaces.is_file(arch) and bool(colon) and "=" not in rest and place not in MEMBERS


def in_catalogue(arch: str) -> bool:
    """Whether ``arch`` is a network of the catalogue, which can be made at other widths."""
    return not spaces.is_file(arch) and not is_users(arch)


def check(arch: str) -> None:
    """Raise a `UsageError` unless ``arch`` is the name of a network."""
    if spaces.is_file(arch):
        spaces.read(arch)
    elif not is_users(arch):
        parse(arch)


def build(arch: str, shape: Sequence[int], classes: int, skeleton: bool = False) -> "nn.Module":
    """A fresh network for inputs of ``shape``; as a ``skeleton`` it lies on the meta device and has no values.

    Raises:
        UsageError: nobody knows the name, or it is for images or tokens and the data are none.
    """
    from dnnlab.networks.skeleton import Skeleton
    from dnnlab.networks.user_network import complete, factory

    if is_users(arch):
        model = factory(arch, classes)()
        complete(model, arch, shape)
        return model.to("meta") if skeleton else model
    if spaces.is_file(arch):
        model = spaces.read(arch).build(tuple(shape), classes)
        return model.to("meta") if skeleton else model
    if vocabulary(arch):
        fits, taken, channels = len(shape) == 1, "sequences of tokens", None
    else:
        fits, taken, channels = len(shape) == 3 and shape[1] == shape[2], "square images", shape[0]
    if not fits:
        inputs = " × ".join(map(str, shape))
        raise UsageError(f"{arch} takes {taken}, not inputs of {inputs}; {suggestion(arch)}.")
    with Skeleton() if skeleton else nullcontext():
        return create_model(arch, num_classes=classes, in_chans=channels, input_size=shape[-1])


@contextmanager
def refusing(arch: str) -> Iterator[None]:
    """What ``arch`` does not take is told with its name, and for a network of the catalogue with what it takes.

    Raises:
        UsageError: it does not take something.
    """
    try:
        yield
    except UsageError as problem:
        told = f"{str(problem).removesuffix('.')}; {suggestion(arch)}." if in_catalogue(arch) else str(problem)
        raise UsageError(f"{arch}: {told}") from problem


def suggestion(arch: str) -> str:
    """What to do where a network of the catalogue does not take an input."""
    return f"take other inputs, such as --data {parse(arch)[0].data}, or a network of your own"


def short(arch: str) -> str:
    """The name in figures and sentences: for a file its name without the folder."""
    return Path(arch).stem if spaces.is_file(arch) else arch


def published(arch: str) -> tuple[float, str]:
    """The published top-1 accuracy and the data set it was measured on, for a network of the catalogue as published."""
    if is_users(arch) or spaces.is_file(arch):
        return float("nan"), ""
    member, options = parse(arch)
    if options or member.top1 is None:
        return float("nan"), ""
    return member.top1 / 100, {28: "MNIST", 32: "CIFAR-10"}.get(member.input_size, "ImageNet")


def classes_every_pixel(arch: str) -> bool:
    """Whether ``arch`` is a network of the catalogue that classes every pixel of an image, and not the image."""
    return in_catalogue(arch) and FAMILIES[parse(arch)[0].family].every_pixel


def vocabulary(arch: str) -> int:
    """How many different tokens ``arch`` knows, as a network of the catalogue; 0 where it does not take tokens, or is
    none of the catalogue."""
    return parse(arch)[0].vocabulary if in_catalogue(arch) else 0


def published_input(arch: str) -> str:
    """The shape of the input that a network of the catalogue was published for, such as ``3x224x224``."""
    return "x".join(map(str, parse(arch)[0].shape))


def published_classes(arch: str) -> int:
    """The classes that ``arch`` was published for: a network of the catalogue, or of a library, whose are ImageNet's. A
    user's own network knows for itself."""
    return parse(arch)[0].classes if in_catalogue(arch) else _IMAGENET_CLASSES


def user_digests(archs: Sequence[str]) -> dict[str, str]:
    """Digests of the code of those networks that are a user's own, and of the descriptions in files, by name."""
    digests = {arch: spaces.read(arch).digest() for arch in archs if spaces.is_file(arch)}
    if users := [arch for arch in archs if is_users(arch)]:
        from dnnlab.networks.user_network import digest  # imports torch

        digests |= {arch: digest(arch, "") for arch in users}
    return digests
