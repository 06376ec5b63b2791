"""Augmentation of whole batches on the device, as bytes, before they are standardised.

What is random is drawn on the host, the same on every device; what is done with it is done on the device. Importing
this module does not import torch, so that the command line can list the names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

PADDING = 8
"""A crop moves the image by up to one part in so many of its height and width: 4 px of 32 (He 2016)."""
SHIFT = 28
"""A shift moves the image by up to one part in so many: 1 px of MNIST's 28."""
HOLE = 4
"""What is cut out is a square of one part in so many of the smaller side: 8 px of 32 (Page 2018)."""


@dataclass(frozen=True)
class Augmentation:
    """Changes images ``[batch, channel, height, width]``, each by random draws of its own."""

    part: int = 0
    """A window of the old size moves by up to one part in so many, over black; 0 for no window."""
    flips: bool = False
    """Whether half of the images are mirrored left to right."""
    hole: int = 0
    """A square of one part in so many of the side is made black, wherever in the image its middle is; 0 for none."""

    def __call__(self, x: "Tensor", rng: "np.random.Generator") -> "Tensor":
        import torch

        return self.changed(x, torch.from_numpy(self.draws(rng, len(x), x.shape[-2:])).to(x.device))

    def draws(self, rng: "np.random.Generator", count: int, size: Sequence[int]) -> "NDArray[np.int64]":
        """The random draws for ``count`` images of ``size``, ``[image, 5]``: first row and column of the window,
        whether mirrored, middle row and column of the hole."""
        import numpy as np

        draws = np.zeros((count, 5), dtype=np.int64)
        for column, margin in enumerate(self._margins(size)):
            draws[:, column] = rng.integers(0, 2 * margin + 1, count)
        if self.flips:
            draws[:, 2] = rng.random(count) < 0.5
        if self.hole:
            draws[:, 3:] = rng.integers(0, size, (count, 2))
        return draws

    def changed(self, x: "Tensor", draws: "Tensor") -> "Tensor":
        """The images ``x``, each changed by its row of ``draws``."""
        import torch
        from torch.nn import functional as F

        if margins := self._margins(x.shape[-2:]):
            x = _windows(F.pad(x, (margins[1], margins[1], margins[0], margins[0])), x.shape, draws)
        if self.flips:
            x = torch.where(draws[:, 2].bool().view(-1, 1, 1, 1), x.flip(-1), x)
        return x.masked_fill(self._holes(x, draws), 0) if self.hole else x

    def _margins(self, size: Sequence[int]) -> list[int]:
        return [max(1, side // self.part) for side in size] if self.part else []

    def _holes(self, x: "Tensor", draws: "Tensor") -> "Tensor":
        """Where each image is blacked out, bool ``[batch, 1, height, width]``."""
        import torch

        side = max(1, min(x.shape[-2:]) // self.hole)
        within = []
        for size, middle in zip(x.shape[-2:], (draws[:, 3], draws[:, 4]), strict=True):
            place = torch.arange(size, device=x.device) - middle[:, None] + side // 2
            within.append((place >= 0) & (place < side))
        return (within[0][:, :, None] & within[1][:, None, :])[:, None]


def _windows(padded: "Tensor", shape: Sequence[int], draws: "Tensor") -> "Tensor":
    """The window of ``shape`` of each image of ``padded`` that begins at its ``draws``."""
    import torch

    images, channels, height, width = (torch.arange(size, device=padded.device) for size in shape)
    rows = (draws[:, 0, None] + height).view(-1, 1, shape[2], 1)
    columns = (draws[:, 1, None] + width).view(-1, 1, 1, shape[3])
    return padded[images.view(-1, 1, 1, 1), channels.view(1, -1, 1, 1), rows, columns]


_AUGMENTATIONS = {
    "none": None,
    "flip": Augmentation(flips=True),
    "crop": Augmentation(PADDING),
    "crop+flip": Augmentation(PADDING, flips=True),
    "crop+flip+cutout": Augmentation(PADDING, flips=True, hole=HOLE),
    "shift": Augmentation(SHIFT),
}
AUGMENTATIONS = tuple(_AUGMENTATIONS)


def augmentation(name: str) -> Augmentation | None:
    """The augmentation called ``name``; ``None`` changes nothing.

    ``crop`` pads with black and takes a random window of the old size, ``flip`` mirrors half of the images left to
    right, ``crop+flip`` does both: what is usual for CIFAR-10 (He 2016). ``cutout`` then makes a square black
    (DeVries & Taylor 2017). ``shift`` is a smaller crop. Digits and letters must not be mirrored.
    """
    return _AUGMENTATIONS[name]
