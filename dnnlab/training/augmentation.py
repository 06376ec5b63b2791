"""Augmentation of whole batches on the device, as bytes, before they are standardised."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Augmentation = Callable[[Tensor, np.random.Generator], Tensor]

PADDING = 8
"""A crop moves the image by up to one part in so many of its height and width: 4 px of 32 (He 2016)."""
SHIFT = 28
"""And a shift by one in so many: 1 px of MNIST's 28."""


def _flip(x: Tensor, rng: np.random.Generator) -> Tensor:
    flipped = torch.from_numpy(rng.random(len(x)) < 0.5).to(x.device)
    return torch.where(flipped.view(-1, 1, 1, 1), x.flip(-1), x)


def _crop(x: Tensor, rng: np.random.Generator, part: int = PADDING) -> Tensor:
    height, width = x.shape[-2:]
    margins = [max(1, side // part) for side in (height, width)]
    padded = F.pad(x, (margins[1], margins[1], margins[0], margins[0]))
    starts = [torch.from_numpy(rng.integers(0, 2 * m + 1, len(x))).to(x.device) for m in margins]
    rows = (starts[0][:, None] + torch.arange(height, device=x.device)).view(-1, 1, height, 1)
    columns = (starts[1][:, None] + torch.arange(width, device=x.device)).view(-1, 1, 1, width)
    image = torch.arange(len(x), device=x.device).view(-1, 1, 1, 1)
    channel = torch.arange(x.shape[1], device=x.device).view(1, -1, 1, 1)
    return padded[image, channel, rows, columns]


def _shift(x: Tensor, rng: np.random.Generator) -> Tensor:
    return _crop(x, rng, SHIFT)


def _crop_and_flip(x: Tensor, rng: np.random.Generator) -> Tensor:
    return _flip(_crop(x, rng), rng)


_AUGMENTATIONS: dict[str, Augmentation | None] = {
    "none": None,
    "flip": _flip,
    "crop": _crop,
    "crop+flip": _crop_and_flip,
    "shift": _shift,
}


def augmentation(name: str) -> Augmentation | None:
    """Changes images ``[batch, channel, height, width]``, each by draws of its own; ``None`` changes nothing.

    ``crop`` pads with black and takes a random window of the old size, ``flip`` mirrors half of the images left to
    right, ``crop+flip`` does both: what is usual for CIFAR-10 (He 2016). ``shift`` is a smaller crop. Digits and
    letters must not be mirrored.
    """
    return _AUGMENTATIONS[name]
