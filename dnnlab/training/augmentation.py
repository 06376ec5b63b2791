"""Augmentation of whole batches on the device, as bytes, before they are standardised.

What is random is drawn on the host, the same on every device; what is done with it is done on the device.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

PADDING = 8
"""A crop moves the image by up to one part in so many of its height and width: 4 px of 32 (He 2016)."""
SHIFT = 28
"""And a shift by one in so many: 1 px of MNIST's 28."""


@dataclass(frozen=True)
class Augmentation:
    """Changes images ``[batch, channel, height, width]``, each by draws of its own."""

    part: int = 0
    """A window of the old size moves by up to one part in so many, over black; 0 for no window."""
    flips: bool = False
    """Half of the images are mirrored left to right."""

    def __call__(self, x: Tensor, rng: np.random.Generator) -> Tensor:
        return self.changed(x, torch.from_numpy(self.drawn(rng, len(x), x.shape[-2:])).to(x.device))

    def drawn(self, rng: np.random.Generator, count: int, size: Sequence[int]) -> NDArray[np.int64]:
        """What is random of ``count`` images of ``size``, ``[image, 3]``: first row and column, whether mirrored."""
        drawn = np.zeros((count, 3), dtype=np.int64)
        for column, margin in enumerate(self._margins(size)):
            drawn[:, column] = rng.integers(0, 2 * margin + 1, count)
        if self.flips:
            drawn[:, 2] = rng.random(count) < 0.5
        return drawn

    def changed(self, x: Tensor, drawn: Tensor) -> Tensor:
        """``x``, each image by its row of ``drawn``."""
        if margins := self._margins(x.shape[-2:]):
            x = _windows(F.pad(x, (margins[1], margins[1], margins[0], margins[0])), x.shape, drawn)
        return torch.where(drawn[:, 2].bool().view(-1, 1, 1, 1), x.flip(-1), x) if self.flips else x

    def _margins(self, size: Sequence[int]) -> list[int]:
        return [max(1, side // self.part) for side in size] if self.part else []


def _windows(padded: Tensor, shape: torch.Size, drawn: Tensor) -> Tensor:
    """Of each image of ``padded`` the window of ``shape`` that begins where ``drawn`` says."""
    images, channels, height, width = (torch.arange(size, device=padded.device) for size in shape)
    rows = (drawn[:, 0, None] + height).view(-1, 1, shape[2], 1)
    columns = (drawn[:, 1, None] + width).view(-1, 1, 1, shape[3])
    return padded[images.view(-1, 1, 1, 1), channels.view(1, -1, 1, 1), rows, columns]


_AUGMENTATIONS: dict[str, Augmentation | None] = {
    "none": None,
    "flip": Augmentation(flips=True),
    "crop": Augmentation(PADDING),
    "crop+flip": Augmentation(PADDING, flips=True),
    "shift": Augmentation(SHIFT),
}


def augmentation(name: str) -> Augmentation | None:
    """The augmentation of that name; ``None`` changes nothing.

    ``crop`` pads with black and takes a random window of the old size, ``flip`` mirrors half of the images left to
    right, ``crop+flip`` does both: what is usual for CIFAR-10 (He 2016). ``shift`` is a smaller crop. Digits and
    letters must not be mirrored.
    """
    return _AUGMENTATIONS[name]
