"""A folder of images, with one sub-folder per class."""

import io
import struct
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from dnnlab.data.dataset import Content
from dnnlab.data.files import DataFile
from dnnlab.data.scan import Scan, scan
from dnnlab.data.splits import Split, fixed_stream, require_enough, stratified
from dnnlab.errors import DnnlabError, UsageError, listing

LARGEST_SIDE = 64  # pixels; images of one size up to this keep it
SIDE = 32  # pixels; all others are brought to this
# Only these decoders are used: Pillow has others for formats that can do more than show a picture.
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "PPM")
_GREY = {"1", "L"}
_COLOUR = {"LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}


def read(path: Path) -> Content:
    """The images under ``path``: ``x`` ``[n, channel, height, width]``, of one channel if all are grey.

    Images of one common size of at most 64×64 keep it; all others are resized to 32×32, which `Content.notes`
    says. ``train/`` and ``test/`` are the splits where there are such; a tenth of every class validates where
    there is no ``validation/``, ``valid/`` or ``val/``. Everything else is split 80/10/10, class by class.

    Raises:
        UsageError: no such folder, no images, a broken image, one class, or too few examples.
    """
    images = scan(path)
    classes = _classes(path, images)
    # In the order of the scan, so that the splits lie one behind the other.
    examples = [
        (file, label)
        for labels in images.splits.values()
        for label, name in enumerate(classes)
        for file in labels.get(name, [])
    ]
    y = np.array([label for _, label in examples], np.int64)
    split = _split(images, y, classes)
    require_enough(str(path), classes, split.train)
    x, notes = _decode([images.files[file] for file, _ in examples])
    if images.ignored:
        notes += (f"{images.ignored:,} files in {path} are no images by their name and were left out",)
    return Content(x, y, split, classes, notes)


def _classes(path: Path, images: Scan) -> tuple[str, ...]:
    first, *others = images.splits
    classes = images.splits[first]
    if empty := [name for name, files in classes.items() if not files]:
        raise UsageError(f"{path} has no images for class {listing(map(repr, empty))}; add some or remove the folder.")
    for split in others:
        if strangers := sorted(set(images.splits[split]) - set(classes)):
            raise UsageError(
                f"{path} has {listing(map(repr, strangers))} under {split} but not under train; "
                "every class must be trained."
            )
    return tuple(classes)


def _split(images: Scan, y: NDArray[np.int64], classes: tuple[str, ...]) -> Split:
    stream = fixed_stream("folder")
    if "all" in images.splits:
        return Split(*stratified(y, [0.1, 0.1], classes, stream))
    ends = np.cumsum([sum(map(len, labels.values())) for labels in images.splits.values()])
    parts = dict(zip(images.splits, np.split(np.arange(len(y)), ends[:-1]), strict=True))
    for name, part in parts.items():
        if not len(part):
            raise UsageError(f"the folder {name} has no images; it takes some of every class.")
    if "validation" not in parts:
        train, validation = stratified(y[parts["train"]], [0.1], classes, stream)
        return Split(parts["train"][train], parts["train"][validation], parts["test"])
    return Split(parts["train"], parts["validation"], parts["test"])


def _decode(files: list[DataFile]) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """All images as ``[n, channel, height, width]``, and notes on how they were changed."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        sizes, images = zip(*map(_image, files), strict=True)
    notes: tuple[str, ...] = ()
    size: tuple[int, int] = sizes[0]
    distinct = len(set(sizes))
    if distinct > 1 or max(size) > LARGEST_SIDE:
        was = f"of {distinct:,} sizes" if distinct > 1 else f"of {size[0]}×{size[1]} pixels"
        notes = (f"{len(files):,} images {was} were resized to {SIDE}×{SIDE}, whatever their proportions",)
        size = (SIDE, SIDE)
    channels = 3 if any(image.mode == "RGB" for image in images) else 1
    x = np.empty((len(files), channels, size[1], size[0]), np.uint8)
    for row, image in zip(x, images, strict=True):
        # A grey image among coloured ones fills all three channels.
        row[:] = np.atleast_3d(np.asarray(_resized(image, size))).transpose(2, 0, 1)
    return x, notes


def _image(file: DataFile) -> tuple[tuple[int, int], Image.Image]:
    """Width and height in the file, and the first frame: mode L or RGB, already small if it must become so.

    Raises:
        UsageError: no image, a broken one, a decompression bomb, or more than 8 bits a channel.
    """
    try:
        with Image.open(io.BytesIO(file.content()), formats=_FORMATS) as image:
            if image.mode not in _GREY | _COLOUR:
                raise file.problem(f"has pixels of mode {image.mode}, where dnnlab reads 8 bits a channel")
            # Pillow wants transparency of a palette dropped in two steps.
            whole = image.convert("RGBA") if image.mode in {"P", "PA"} else image
            pixels = whole.convert("L" if image.mode in _GREY else "RGB")
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise file.problem(f"unpacks to more than {Image.MAX_IMAGE_PIXELS:,} pixels") from None
    except DnnlabError:
        raise
    except UnidentifiedImageError:  # its text contains Python's name of the open file
        raise file.problem("is no image of a kind that dnnlab reads") from None
    # What Pillow's decoders raise for broken files.
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error) as error:
        raise file.problem(f"is no whole image ({error})") from None
    return pixels.size, pixels if max(pixels.size) <= LARGEST_SIDE else _resized(pixels, (SIDE, SIDE))


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """``image`` in ``size`` (width, height); Pillow's bilinear filter averages over what it shrinks."""
    return image if image.size == size else image.resize(size, Image.Resampling.BILINEAR)
