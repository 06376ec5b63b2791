"""A folder of images, with one sub-folder per class."""

import io
import math
import struct
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from dnnlab.data.dataset import Content
from dnnlab.data.files import DataFile
from dnnlab.data.scan import Scan, scan
from dnnlab.data.splits import Split, fixed_stream, require_enough, stratified
from dnnlab.errors import DnnlabError, UsageError, counted, listing, some

LARGEST_SIDE = 64  # pixels; images of one size up to this keep it
SIDE = 32  # pixels; all others are brought to this
# Only these decoders are used: Pillow has others for formats that can do more than show a picture.
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "PPM", "TIFF")
_GREY = {"1", "L", "LA"}
_COLOUR = {"P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}
_ORIENTATION = 0x0112  # the tag in EXIF, with a value from 1 to 8; 1 is upright
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
# How an image was changed: the beginnings of notes.
TURNED = "turned upright, as their EXIF orientation says"
COMPOSED = "composed on white where they are transparent"
FIRST_FRAME = "read by the first of their frames alone"
CONVERTED = "converted from CMYK to RGB without a colour profile"
CONSTANT = "of one colour throughout"
# What Pillow's decoders raise for broken files.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, AttributeError, struct.error)


def read(path: Path) -> Content:
    """The images under ``path``: ``x`` ``[n, channel, height, width]``, of one channel if all are grey.

    Images are upright, as their EXIF orientation says, and composed on white where they are transparent. Of several
    frames the first counts. Images of one common size of at most 64×64 keep it; all others are resized to 32×32.
    `Content.notes` says what was changed. ``train/`` and ``test/`` are the splits where there are such; a tenth of
    every class validates where there is no ``validation/``, ``valid/`` or ``val/``. Everything else is split 80/10/10,
    class by class.

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
    split = _split(path, images, y, classes)
    require_enough(str(path), classes, split.train)
    x, notes = _decode({file: images.files[file] for file, _ in examples})
    return Content(x, y, split, classes, notes + images.notes)


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


def _split(path: Path, images: Scan, y: NDArray[np.int64], classes: tuple[str, ...]) -> Split:
    stream = fixed_stream("folder")
    if "all" in images.splits:
        return Split(*stratified(y, [0.1, 0.1], classes, stream))
    ends = np.cumsum([sum(map(len, labels.values())) for labels in images.splits.values()])
    parts = dict(zip(images.splits, np.split(np.arange(len(y)), ends[:-1]), strict=True))
    for name, part in parts.items():
        if not len(part):
            raise UsageError(f"{path} has no images for {name}; put some into class folders there.")
    if "validation" not in parts:
        train, validation = stratified(y[parts["train"]], [0.1], classes, stream)
        return Split(parts["train"][train], parts["train"][validation], parts["test"])
    return Split(parts["train"], parts["validation"], parts["test"])


def _decode(files: dict[str, DataFile]) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """All images as ``[n, channel, height, width]``, and notes on how they were changed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Pillow's, about metadata
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        sizes, images, changes = zip(*map(_image, files.values()), strict=True)
    notes: tuple[str, ...] = ()
    size: tuple[int, int] = sizes[0]
    distinct = len(set(sizes))
    if distinct > 1 or max(size) > LARGEST_SIDE:
        have = f"have {distinct:,} sizes" if distinct > 1 else f"have {size[0]}×{size[1]} pixels"
        resized = sum(each != (SIDE, SIDE) for each in sizes)
        were = f"{'all' if resized == len(sizes) else f'{resized:,}'} of them {'was' if resized == 1 else 'were'}"
        notes = (f"{counted(len(files), 'image')} {have}: {were} resized to {SIDE}×{SIDE}, whatever the proportions",)
        size = (SIDE, SIDE)
    channels = 3 if any(image.mode == "RGB" for image in images) else 1
    x = np.empty((len(files), channels, size[1], size[0]), np.uint8)
    changed: dict[str, list[str]] = {what: [] for what in (TURNED, COMPOSED, FIRST_FRAME, CONVERTED, CONSTANT)}
    for name, row, image, each in zip(files, x, images, changes, strict=True):
        # A grey image among coloured ones fills all three channels.
        row[:] = np.atleast_3d(np.asarray(_resized(image, size))).transpose(2, 0, 1)
        for what in (*each, *([CONSTANT] if (row == row[:, :1, :1]).all() else [])):
            changed[what].append(name)
    return x, notes + tuple(f"images {what}: {some(names)}" for what, names in changed.items() if names)


def _image(file: DataFile) -> tuple[tuple[int, int], Image.Image, list[str]]:
    """Width and height, the first frame upright and opaque in mode L or RGB, and how it was changed for that.

    It is already small if it must become so.

    Raises:
        UsageError: no image, a broken one, a decompression bomb, more than 8 bits a channel, or other colours.
    """
    try:
        content = file.content()
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            pixels, changes = _plain(file, image)
            if image.format == "GIF" and not _ends(content):
                raise EOFError
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise file.problem(f"unpacks to more than {Image.MAX_IMAGE_PIXELS:,} pixels") from None
    except DnnlabError:
        raise
    except UnidentifiedImageError:
        raise file.problem("is no image of a kind that dnnlab reads") from None
    except _BROKEN:
        raise file.problem("is no whole image (cut short or damaged)") from None
    return pixels.size, pixels if max(pixels.size) <= LARGEST_SIDE else _resized(pixels, (SIDE, SIDE)), changes


def _plain(file: DataFile, image: ImageFile.ImageFile) -> tuple[Image.Image, list[str]]:
    if _is_deep(image):
        raise file.problem(f"has more than 8 bits a channel (mode {image.mode}), where dnnlab reads 8 bits a channel")
    if image.mode not in _GREY | _COLOUR:
        raise file.problem(
            f"has colours of mode {image.mode}, where dnnlab reads grey, RGB, CMYK and YCbCr: save it as RGB"
        )
    # Pillow leaves the compressed ones to libtiff, which prints to the standard error.
    if image.format == "TIFF" and image.info.get("compression") != "raw":
        raise file.problem("is a compressed TIFF, where dnnlab reads uncompressed ones: save it as PNG")
    grey = image.mode in _GREY
    changes = []
    # Pillow itself turns a TIFF upright when it loads it, and the tag is gone then.
    orientation = _orientation(image) if image.format == "TIFF" else 1
    image.load()
    left = _orientation(image)
    if left in _UPRIGHT or orientation in _UPRIGHT:
        changes.append(TURNED)
    whole: Image.Image = image.transpose(_UPRIGHT[left]) if left in _UPRIGHT else image
    if whole.mode == "CMYK":
        changes.append(CONVERTED)
    # Pillow wants transparency of a palette dropped in two steps.
    if whole.has_transparency_data or whole.mode in {"P", "PA"}:
        whole = whole.convert("RGBA")
        if whole.getchannel("A").getextrema()[0] != 255:
            whole = Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole)
            changes.append(COMPOSED)
    pixels = whole.convert("L" if grey else "RGB")
    if (frames := getattr(image, "n_frames", 1)) > 1:
        changes.append(FIRST_FRAME)
        _decode_others(image, frames)
    return pixels, changes


def _ends(gif: bytes) -> bool:
    """Whether all blocks of a GIF are there, up to its trailer (GIF89a, appendix B). Pillow counts the frames that it
    finds."""

    def colours(flags: int) -> int:
        return 3 << (flags & 7) + 1 if flags & 0x80 else 0

    try:
        place = 13 + colours(gif[10])
        while gif[place] != 0x3B:
            if gif[place] == 0x2C:  # an image: its size, colours and least code size go before its blocks
                place += 11 + colours(gif[place + 9])
            elif gif[place] == 0x21:  # an extension, and which one
                place += 2
            elif gif[place]:
                return False
            while size := gif[place]:
                place += 1 + size
            place += 1
    except IndexError:
        return False
    return True


def _decode_others(image: ImageFile.ImageFile, frames: int) -> None:
    """Decode all ``frames`` but the first, which tells whether they are whole."""
    for frame in range(1, frames):
        image.seek(frame)
        if image.width * image.height > (Image.MAX_IMAGE_PIXELS or math.inf):
            raise Image.DecompressionBombError
        if image.format != "TIFF" or image.info.get("compression") == "raw":
            image.load()


def _is_deep(image: ImageFile.ImageFile) -> bool:
    """Whether the file has more than 8 bits a channel; of some Pillow would drop them in silence."""
    if image.mode in {"I", "F"} or image.mode.startswith("I;"):
        return True
    if image.format not in {"PNG", "PPM", "TIFF"} or not image.tile:
        return False
    arguments = image.tile[0][3]
    mode, *rest = arguments if isinstance(arguments, tuple) else (arguments,)
    # PPM says the largest value instead.
    return ";16" in str(mode) or (image.format == "PPM" and any(isinstance(most, int) and most > 255 for most in rest))


def _orientation(image: Image.Image) -> int:
    try:
        orientation: int = image.getexif().get(_ORIENTATION, 1)
    except _BROKEN:  # broken EXIF in a whole image: viewers show it as it lies there
        return 1
    return orientation


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """``image`` in ``size`` (width, height); Pillow's bilinear filter averages over what it shrinks."""
    return image if image.size == size else image.resize(size, Image.Resampling.BILINEAR)
