import io
import os
import shutil
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dnnlab.data import load, source
from dnnlab.data.files import DataFile
from dnnlab.data.folder import _image
from dnnlab.data.scan import scan
from dnnlab.errors import DnnlabError, UsageError

DRAW = np.random.default_rng(0)


def picture(path, size=(6, 4), mode="RGB"):
    """An image of chance at ``path``; returns its pixels ``[height, width(, channel)]``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
    pixels = DRAW.integers(256, size=shape, dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.fixture
def photos(tmp_path):
    """Two classes of 20 images each, without splits."""
    folder = tmp_path / "photos"
    for name in ("cat", "dog"):
        for i in range(20):
            picture(folder / name / f"{i:02}.png")
    return folder


@pytest.fixture
def split(tmp_path):
    """Two classes of 20 images to train on and 3 to test on."""
    folder = tmp_path / "split"
    for part, count in (("train", 20), ("test", 3)):
        for name in ("cat", "dog"):
            for i in range(count):
                picture(folder / part / name / f"{i:02}.png")
    return folder


def test_images_of_one_small_size_stay_as_they_are(photos):
    pixels = picture(photos / "dog" / "below" / "zz.png")
    data = load(f"folder:{photos}")
    assert data.x.shape == (41, 3, 4, 6)
    assert data.x.dtype == torch.uint8
    assert data.classes == ("cat", "dog")
    assert data.y.tolist() == [0] * 20 + [1] * 21
    assert np.array_equal(data.x[-1].numpy(), pixels.transpose(2, 0, 1))
    assert (len(data.train), len(data.validation), len(data.test)) == (33, 4, 4)
    assert data.y[data.test].tolist() == [0, 0, 1, 1]
    assert data.notes == ()


def test_grey_only_if_all_are(tmp_path):
    for name in ("a", "b"):
        for i in range(8):
            grey = picture(tmp_path / name / f"{i}.png", mode="L")
    data = load(f"folder:{tmp_path}")
    assert data.x.shape == (16, 1, 4, 6)
    assert np.array_equal(data.x[-1, 0].numpy(), grey)
    colour = picture(tmp_path / "a" / "0.png")
    data = load(f"folder:{tmp_path}")
    assert data.x.shape == (16, 3, 4, 6)
    assert np.array_equal(data.x[0].numpy(), colour.transpose(2, 0, 1))
    assert np.array_equal(data.x[-1].numpy(), np.stack([grey] * 3))


def test_other_sizes_are_resized_and_that_is_said(photos):
    path = photos / "cat" / "00.png"
    pixels = picture(path, (100, 50))
    data = load(f"folder:{photos}")
    assert data.x.shape == (40, 3, 32, 32)
    assert data.notes == ("40 images have 2 sizes: all of them were resized to 32×32, whatever the proportions",)
    picture(photos / "dog" / "00.png", (32, 32))
    assert load(f"folder:{photos}").notes[0].startswith("40 images have 3 sizes: 39 of them were resized to 32×32")
    # The oracle: PyTorch's antialiased bilinear interpolation.
    exact = torch.nn.functional.interpolate(
        torch.from_numpy(pixels.transpose(2, 0, 1)[None]).float(), (32, 32), mode="bilinear", antialias=True
    )
    assert float((data.x[0].float() - exact[0]).abs().max()) <= 1.01
    for name in ("cat", "dog"):
        for i in range(20):
            picture(photos / name / f"{i:02}.png", (80, 10))
    assert (
        load(f"folder:{photos}").notes[0].startswith("40 images have 80×10 pixels: all of them were resized to 32×32")
    )


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "bmp", "webp", "gif", "ppm"])
def test_every_format_is_read(photos, suffix):
    for name in ("cat", "dog"):
        path = photos / name / f"solid.{suffix}"
        Image.new("RGB", (6, 4), (250, 128, 3)).save(path)
    data = load(f"folder:{photos}")
    solid = data.x[sorted(os.listdir(photos / "cat")).index(f"solid.{suffix}")]
    assert solid.float().mean((1, 2)).tolist() == pytest.approx([250, 128, 3], abs=6)


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "CMYK", "1"])
def test_every_mode_of_8_bits_is_read(photos, mode):
    suffix = "jpg" if mode == "CMYK" else "png"
    image = Image.new("RGB", (6, 4), (255, 255, 255)).convert(mode)
    options = {"transparency": bytes([0] * 256)} if mode == "P" else {}
    image.save(photos / "cat" / f"a.{suffix}", **options)
    assert load(f"folder:{photos}").x.shape == (41, 3, 4, 6)


def test_the_first_frame_counts(photos):
    frames = [Image.new("RGB", (6, 4), colour) for colour in ("red", "blue")]
    frames[0].save(photos / "cat" / "00.gif", save_all=True, append_images=frames[1:])
    assert load(f"folder:{photos}").x[0, :, 0, 0].tolist() == [255, 0, 0]


def test_given_splits_are_kept(split):
    picture(split / "train" / "ant" / "0.png")
    picture(split / "train" / "ant" / "1.png")
    data = load(f"folder:{split}")
    assert data.classes == ("ant", "cat", "dog")
    assert (len(data.train), len(data.validation), len(data.test)) == (37, 5, 6)
    assert data.y[data.validation].tolist() == [0, 1, 1, 2, 2]
    assert data.y[data.test].tolist() == [1] * 3 + [2] * 3
    shutil.copytree(split / "test", split / "val")
    data = load(f"folder:{split}")
    assert (len(data.train), len(data.validation), len(data.test)) == (42, 6, 6)
    assert torch.equal(data.x[data.validation], data.x[data.test])
    os.rename(split / "val", split / "validation")
    assert torch.equal(load(f"folder:{split}").validation, data.validation)


def test_a_class_may_be_called_train(photos):
    os.rename(photos / "cat", photos / "train")
    assert load(f"folder:{photos}").classes == ("dog", "train")


def test_what_is_no_image_is_counted(photos):
    for name in ("readme.txt", "notes.SVG", ".hidden.png", ".DS_Store"):
        (photos / "cat" / name).write_bytes(b"x")
    (photos / ".git").mkdir()
    (photos / ".git" / "x.png").write_bytes(b"x")
    (photos / "cat" / ".ipynb_checkpoints").mkdir()
    (photos / "cat" / ".ipynb_checkpoints" / "x.png").write_bytes(b"x")
    data = load(f"folder:{photos}")
    assert len(data.x) == 40
    left_out = "are no images by their name and were left out: cat/notes.SVG and cat/readme.txt"
    assert data.notes == (f"2 files in {photos} {left_out}",)


def test_the_digest_is_of_names_and_contents(photos, tmp_path):
    first = source(f"folder:{photos}").digest()
    shutil.copytree(photos, tmp_path / "copy")
    assert source(f"folder:{tmp_path}/copy").digest() == first
    (photos / "cat" / "readme.txt").write_text("x")
    assert source(f"folder:{photos}").digest() == first
    os.rename(tmp_path / "copy/cat/00.png", tmp_path / "copy/dog/zz.png")
    assert source(f"folder:{tmp_path}/copy").digest() != first
    picture(photos / "cat" / "00.png")
    assert source(f"folder:{photos}").digest() != first


A, B, C, D, E, F = range(0, 300, 50)
STORED = {  # of the upright picture ABC above DEF, by where EXIF says that the first row and column belong
    1: [[A, B, C], [D, E, F]],  # top, left
    2: [[C, B, A], [F, E, D]],  # top, right
    3: [[F, E, D], [C, B, A]],  # bottom, right
    4: [[D, E, F], [A, B, C]],  # bottom, left
    5: [[A, D], [B, E], [C, F]],  # left, top
    6: [[C, F], [B, E], [A, D]],  # right, top
    7: [[F, C], [E, B], [D, A]],  # right, bottom
    8: [[D, A], [E, B], [F, C]],  # left, bottom
}


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
@pytest.mark.parametrize("orientation", STORED)
def test_every_picture_is_upright(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for i in range(10):
        for label in "ab":
            place = tmp_path / label / f"{i}.{suffix}"
            place.parent.mkdir(exist_ok=True)
            image = Image.fromarray(np.array(STORED[orientation], np.uint8))
            options = {"lossless": True} if suffix == "webp" else {}
            image.save(place, exif=exif if i == 3 else Image.Exif(), **options)
    # The others lie there as they were stored: all are upright, or of one size, with the third alone.
    if orientation < 5:
        data = load(f"folder:{tmp_path}")
        assert data.x[3, 0].tolist() == STORED[1]
        assert data.x[4, 0].tolist() == STORED[orientation]
        said = (f"images turned upright, as their EXIF orientation says: a/3.{suffix} and b/3.{suffix}",)
        assert data.notes == (() if orientation == 1 else said)
    else:
        size, image, _ = _image(DataFile(tmp_path / "a" / f"3.{suffix}", "mend it", UsageError))
        assert np.asarray(image.convert("L")).tolist() == STORED[1]
        assert size == (3, 2)


@pytest.mark.parametrize("orientation", [0, 9, 60000])
def test_an_orientation_that_does_not_exist_turns_nothing(photos, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(DRAW.integers(256, size=(4, 6, 3), dtype=np.uint8))
    image.save(photos / "cat" / "00.png", exif=exif)
    data = load(f"folder:{photos}")
    assert np.array_equal(data.x[0].numpy(), np.asarray(image).transpose(2, 0, 1))
    assert data.notes == ()


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\0\0", b"Exif\0\0MM\0*\0\0\0\x08\0\x09"])
def test_broken_exif_in_a_whole_image_turns_nothing(photos, exif, recwarn):
    Image.new("RGB", (6, 4), (200, 100, 50)).save(photos / "cat" / "00.jpg", exif=exif)
    assert load(f"folder:{photos}").x[0].float().mean((1, 2)).tolist() == pytest.approx([200, 100, 50], abs=3)
    assert not recwarn


def see_through(mode):
    """Six pixels of a colour and what of them shows on white: nothing, half, all."""
    covers = np.array([[0, 128, 255]] * 2, np.uint8)
    half = round(60 * 128 / 255 + 127)
    if mode == "RGBA":
        colour = np.broadcast_to(np.array([60, 0, 255], np.uint8), (2, 3, 3))
        return Image.fromarray(np.dstack([colour, covers])), [[255, half, 60], [255, 127, 0], [255, 255, 255]], {}
    if mode == "LA":
        grey = np.full((2, 3), 60, np.uint8)
        return Image.fromarray(np.dstack([grey, covers]), "LA"), [[255, half, 60]] * 3, {}
    indices = np.array([[0, 1, 2]] * 2, np.uint8)
    if mode == "P":
        image = Image.fromarray(indices, "P")
        image.putpalette([60, 0, 255] * 3)
        options = {"transparency": bytes([0, 128, 255])}
        return image, [[255, half, 60], [255, 127, 0], [255, 255, 255]], options
    if mode == "L":
        return Image.fromarray(indices * 40), [[0, 255, 80]] * 3, {"transparency": 40}
    colours = np.array([[[9, 8, 7], [1, 2, 3], [9, 8, 6]]] * 2, np.uint8)
    return Image.fromarray(colours), [[9, 255, 9], [8, 255, 8], [7, 255, 6]], {"transparency": (1, 2, 3)}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of naming a mode
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB"])
def test_what_is_transparent_shows_white_and_that_is_said(tmp_path, mode):
    image, row, options = see_through(mode)
    for label in "ab":
        for i in range(8):
            (tmp_path / label).mkdir(exist_ok=True)
            image.save(tmp_path / label / f"{i}.png", **options)
    data = load(f"folder:{tmp_path}")
    expected = torch.tensor(row)[: 1 if mode in ("L", "LA") else 3, None].expand(-1, 2, -1)
    assert data.x.shape[1:] == expected.shape
    assert (data.x - expected.float()).abs().max() <= 1
    assert data.notes == ("images composed on white where they are transparent: a/0.png, a/1.png, a/2.png and 13 more",)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_opaque_images_with_an_alpha_channel_stay_as_they_are(photos, mode):
    image = Image.fromarray(DRAW.integers(256, size=(4, 6, 3), dtype=np.uint8)).convert(mode)
    image.save(photos / "cat" / "00.png")
    data = load(f"folder:{photos}")
    assert np.array_equal(data.x[0].numpy(), np.asarray(image.convert("RGB")).transpose(2, 0, 1))
    assert data.notes == ()


@pytest.mark.parametrize("colour", [0, 77, 255])
def test_images_of_one_colour_are_said(photos, colour):
    Image.new("RGB", (6, 4), (colour, 3, 9)).save(photos / "dog" / "07.png")
    Image.fromarray(np.full((4, 6, 4), [255, 255, 255, 0], np.uint8)).save(photos / "dog" / "09.png")
    data = load(f"folder:{photos}")
    assert data.notes[1] == "images of one colour throughout: dog/07.png and dog/09.png"
    assert bool(torch.isfinite(data.inputs(data.train)).all())


def png16(colour_type, channels):
    """A PNG of 6×4 pixels with 16 bits a channel, which Pillow does not write."""
    rows = b"".join(b"\0" + bytes(range(6 * channels * 2)) for _ in range(4))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 6, 4, 16, colour_type, 0, 0, 0)), (b"IDAT", zlib.compress(rows))]
    parts = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in (*chunks, (b"IEND", b""))
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


DEEP = {
    "grey.png": png16(0, 1), "colour.png": png16(2, 3), "grey-alpha.png": png16(4, 2), "colour-alpha.png": png16(6, 4),
    "grey.pgm": b"P5 6 4 65535\n" + bytes(48), "colour.ppm": b"P6 6 4 65535\n" + bytes(144),
    "ten-bits.ppm": b"P6 6 4 1023\n" + bytes(144),
}  # fmt: skip


@pytest.mark.parametrize("name", DEEP)
def test_more_than_8_bits_are_refused_and_not_cut(photos, name):
    (photos / "cat" / name).write_bytes(DEEP[name])
    refuses(photos, f"cat/{name} has more than 8 bits a channel")


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_deep_tiffs_are_refused(photos, mode):
    Image.new(mode, (6, 4), 1000).save(photos / "cat" / "deep.tif")
    refuses(photos, "deep.tif has more than 8 bits a channel")


def test_cmyk_is_said(photos):
    for name, ink in (("a.jpg", (255, 0, 0, 0)), ("b.tif", (0, 255, 0, 0))):
        Image.new("CMYK", (6, 4), ink).save(photos / "cat" / name)
    data = load(f"folder:{photos}")
    assert data.x[20, :, 0, 0].tolist() == pytest.approx([0, 255, 255], abs=3)
    assert data.x[21, :, 0, 0].tolist() == pytest.approx([255, 0, 255], abs=3)
    assert "images converted from CMYK to RGB without a colour profile: cat/a.jpg and cat/b.tif" in data.notes


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tiff", "mpo.jpg"])
def test_further_frames_are_said(photos, suffix):
    frames = [Image.new("RGB", (6, 4), colour) for colour in ("red", "blue")]
    options = {"webp": {"lossless": True}, "mpo.jpg": {"format": "MPO"}}.get(suffix, {})
    frames[0].save(photos / "cat" / f"film.{suffix}", save_all=True, append_images=frames[1:], **options)
    data = load(f"folder:{photos}")
    assert data.x[20, :, 0, 0].tolist() == pytest.approx([255, 0, 0], abs=2)
    assert data.notes[0] == f"images read by the first of their frames alone: cat/film.{suffix}"


@pytest.mark.parametrize("opaque", [True, False])
def test_grey_with_transparency_is_grey(tmp_path, opaque):
    pixels = DRAW.integers(256, size=(16, 4, 6, 2), dtype=np.uint8)
    if opaque:
        pixels[..., 1] = 255
    for i, both in enumerate(pixels):
        place = tmp_path / "ab"[i // 8] / f"{i:02}.png"
        place.parent.mkdir(exist_ok=True)
        Image.merge("LA", [Image.fromarray(both[..., channel]) for channel in (0, 1)]).save(place)
    data = load(f"folder:{tmp_path}")
    grey, cover = pixels[..., 0].astype(float), pixels[..., 1] / 255
    assert data.x.shape == (16, 1, 4, 6)
    assert np.abs(data.x[:, 0].numpy() - (grey * cover + 255 * (1 - cover))).max() <= 1
    assert bool(data.notes) != opaque
    picture(tmp_path / "a" / "00.png")
    assert load(f"folder:{tmp_path}").x.shape == (16, 3, 4, 6)


def test_other_colours_are_refused_for_what_they_are(photos):
    Image.new("LAB", (6, 4)).save(photos / "cat" / "a.tif")
    refuses(photos, r"a\.tif has colours of mode LAB, where dnnlab reads grey, RGB, CMYK and YCbCr: save it as RGB;")


FILMS = {"gif": {}, "png": {}, "webp": {"lossless": True}, "tiff": {}, "mpo.jpg": {"format": "MPO"}}


@pytest.mark.parametrize("cut", [200, 0.3, 0.45])
@pytest.mark.parametrize("suffix", FILMS)
def test_films_that_are_cut_are_refused(photos, suffix, cut):
    draw = np.random.default_rng(1)
    frames = [Image.fromarray(draw.integers(256, size=(16, 16, 3), dtype=np.uint8)) for _ in range(3)]
    film = photos / "cat" / f"film.{suffix}"
    frames[0].save(film, save_all=True, append_images=frames[1:], **FILMS[suffix])
    assert f"first of their frames alone: cat/film.{suffix}" in " ".join(load(f"folder:{photos}").notes)
    content = film.read_bytes()
    film.write_bytes(content[: -(cut if cut > 1 else int(cut * len(content)))])
    refuses(photos, f"film.{suffix} is no whole image")


@pytest.mark.parametrize("size", [1, 6, 64])
def test_every_cut_of_a_gif_is_found(photos, size):
    gif = io.BytesIO()
    pixels = [Image.fromarray(DRAW.integers(256, size=(size, size), dtype=np.uint8)) for _ in range(2)]
    pixels[0].save(gif, "GIF", save_all=True, append_images=pixels[1:], transparency=3, comment=b";;\0,", loop=0)
    whole = gif.getvalue()
    place = photos / "film.gif"
    for end in [*range(0, len(whole), max(1, len(whole) // 100)), len(whole) - 1]:
        place.write_bytes(whole[:end])
        with pytest.raises(UsageError, match=r"is no (whole )?image"):
            _image(DataFile(place, "mend it", UsageError))
    for behind in (b"", b"\0\0", b"junk"):
        place.write_bytes(whole + behind)
        assert _image(DataFile(place, "mend it", UsageError))[0] == (size, size)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "jpeg"])
def test_compressed_tiffs_are_refused(photos, compression):
    Image.new("RGB", (6, 4)).save(photos / "cat" / "a.tif", compression=compression)
    refuses(photos, r"a\.tif is (a compressed TIFF|no image of a kind)")


@pytest.mark.parametrize("share", [0.02, 0.4, 0.6, 0.9])
@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "webp", "ppm", "tif"])
def test_cut_files_are_named_in_one_sentence(photos, suffix, share):
    path = photos / "cat" / f"cut.{suffix}"
    picture(path, (40, 30))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refuses(photos, rf"cat/cut\.{suffix} is no (whole image \(cut short or damaged\)|image of a kind .*); remove it")


@pytest.mark.parametrize(
    ("train", "test", "validation"),
    [
        ("Train", "Test", ""),
        ("TRAIN", "TEST", "VAL"),
        ("training", "testing", "Valid"),
        ("Training", "test", "Validation"),
    ],
)
def test_splits_are_found_in_any_spelling(split, train, test, validation):
    shutil.copytree(split / "test", split / "val")
    expected = load(f"folder:{split}") if validation else None
    os.rename(split / "train", split / train)
    os.rename(split / "test", split / test)
    os.rename(split / "val", split / validation) if validation else shutil.rmtree(split / "val")
    data = load(f"folder:{split}")
    assert data.classes == ("cat", "dog")
    counts = (40, 6, 6) if validation else (36, 4, 6)
    assert (len(data.train), len(data.validation), len(data.test)) == counts
    if expected:
        assert torch.equal(data.x[data.validation], expected.x[expected.validation])


@pytest.mark.parametrize(
    ("kept", "problem"),
    [
        (("Train",), "has Train but not both train and test: test is missing"),
        (("TEST",), "has TEST but not both train and test: train is missing"),
        (("train", "Val"), "has train and Val but not both train and test: test is missing"),
        (("valid",), "has valid but not both train and test: train and test are missing"),
        (("train", "Test", "testing"), "has both Test and testing; keep one"),
        (("train", "test", "val", "validation"), "has both validation and val; keep one"),
        (("Train", "Test", "extra"), "has images in extra beside its splits"),
    ],
)
def test_what_a_split_lacks_is_said(split, kept, problem):
    source = split.rename(split.parent / "source") / "train"
    for name in kept:
        shutil.copytree(source, split / name)
    refuses(split, problem)


@pytest.mark.parametrize("names", [("train", "test"), ("Train", "Val"), ("TRAINING", "TESTING", "VALIDATION")])
def test_splits_without_classes_are_no_classes(photos, names):
    shutil.rmtree(photos / "dog")
    for name in names:
        shutil.copytree(photos / "cat", photos / name)
    shutil.rmtree(photos / "cat")
    refuses(photos, "has images that lie in no class folder")


def test_a_split_without_classes_beside_one_with_them(split):
    shutil.rmtree(split / "test" / "cat")
    (split / "test" / "dog" / "00.png").rename(split / "test" / "00.png")
    shutil.rmtree(split / "test" / "dog")
    refuses(split, "split/test has images that lie in no class folder")


def test_images_in_no_class_folder_are_said(photos, split):
    picture(photos / "loose.PNG")
    (photos / "labels.csv").write_text("x")
    assert load(f"folder:{photos}").notes == (
        f"images in {photos} that lie in no class folder and were left out: loose.PNG",
        f"1 file in {photos} is no image by its name and was left out: labels.csv",
    )
    for name in "abcd":
        picture(split / "train" / f"{name}.png")
    picture(split / "z.png")
    (said,) = load(f"folder:{split}").notes
    assert said.endswith("left out: z.png, train/a.png, train/b.png and 2 more")


@pytest.mark.parametrize("names", [("tr", "te"), ("part 1", "part 2", "part 3"), ("2019", "2020")])
def test_classes_that_look_like_splits_are_said(photos, names):
    for name in names:
        shutil.copytree(photos / "cat", photos / name / "ant")
        shutil.copytree(photos / "dog", photos / name / "bee")
    shutil.rmtree(photos / "cat")
    shutil.rmtree(photos / "dog")
    data = load(f"folder:{photos}")
    assert data.classes == tuple(sorted(names))
    (said,) = data.notes
    assert said.endswith("have the same sub-folders, which make no class: ant and bee")


@pytest.mark.parametrize(
    "names",
    [
        ("train_set", "test_set"), ("seg_train", "seg_test"), ("Training Set", "Test Set"), ("trainset", "testset"),
        ("training-data", "test-data"), ("train", "test_images"), ("trainingImages", "testImages"), ("train ", "test"),
        ("2train", "2test"), ("TRAIN2017", "test2017"), ("flowers.train", "flowers.test"),
    ],
)  # fmt: skip
def test_splits_may_have_other_words_in_their_names(split, names):
    expected = load(f"folder:{split}")
    for old, new in zip(("train", "test"), names, strict=True):
        os.rename(split / old, split / new)
    data = load(f"folder:{split}")
    assert (data.classes, data.notes) == (("cat", "dog"), ())
    assert torch.equal(data.x[data.test], expected.x[expected.test])
    assert torch.equal(data.x[data.train], expected.x[expected.train])
    shutil.copytree(split / names[1], split / names[1].casefold().replace("test", "val"))
    assert torch.equal(load(f"folder:{split}").x[-6:], expected.x[expected.test])


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (("trainA", "testA", "trainB", "testB"), "trainA and trainB, which look like the splits of several data sets"),
        (("seg_train", "seg_test", "seg_pred"), "has images in seg_pred beside its splits"),
        (("train_set", "val_set"), "has train_set and val_set but not both train and test: test is missing"),
        (("train1", "train2", "test1"), "has both train1 and train2; keep one"),
    ],
)
def test_what_may_be_splits_and_may_not_is_refused(photos, names, problem):
    for name in names:
        shutil.copytree(photos, photos.parent / "all" / name)
    refuses(photos.parent / "all", problem)


@pytest.mark.parametrize("names", [("train_1", "test_1"), ("trainX", "testX"), ("Train Set", "Test Set")])
def test_splits_without_classes_are_refused(photos, names):
    for old, new in zip(("cat", "dog"), names, strict=True):
        os.rename(photos / old, photos / new)
    refuses(photos, f"{names[0]} has images that lie in no class folder")


@pytest.mark.parametrize(
    "names",
    [("test strip", "train ticket"), ("contest", "strain"), ("test_images", "control"), ("trainer", "tester"),
     ("train_test_split", "bus"), ("bullet train", "steam train")],
)  # fmt: skip
def test_classes_may_have_words_of_splits_in_their_names(photos, names):
    for old, new in zip(("cat", "dog"), names, strict=True):
        os.rename(photos / old, photos / new)
    data = load(f"folder:{photos}")
    assert (data.classes, data.notes) == (tuple(sorted(names)), ())


@pytest.mark.parametrize("part", ["test", "val"])
def test_a_class_that_a_split_lacks_is_said(split, part):
    if part == "val":
        shutil.copytree(split / "test", split / "val")
    said = (f"{'test' if part == 'test' else 'validation'} has no images of class 'dog', and tells nothing of it",)
    for image in (split / part / "dog").iterdir():
        image.unlink()
    assert load(f"folder:{split}").notes == said
    (split / part / "dog").rmdir()
    assert load(f"folder:{split}").notes == said


SAME = [  # names that are one, and that one
    ("cat", "cat ", "cat"), ("big cat", "big  cat", "big cat"), ("é", "e\u0301", "é"), ("cat", "c\u200bat", "cat"),
    ("cat", "cat\u200d", "cat"), ("x\xady", "xy", "xy"), ("a\ufeff", "a\xa0", "a"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "name"), SAME)
def test_class_folders_that_look_the_same_are_one_and_that_is_said(photos, split, one, other, name):
    os.rename(photos / "cat", photos / one)
    shutil.copytree(photos / "dog", photos / other)
    data = load(f"folder:{photos}")
    assert data.classes == tuple(sorted([name, "dog"]))
    assert data.y.bincount(minlength=2).tolist() == ([20, 40] if name > "dog" else [40, 20])
    first, second = (ascii(text) if "\u0301" in text else repr(text) for text in sorted([one, other]))
    how = "read as one, since they differ only by spaces or by what is not seen"
    assert data.notes == (f"class folders {how}: {first} and {second}",)
    os.rename(split / "train" / "cat", split / "train" / one)
    os.rename(split / "test" / "cat", split / "test" / other)
    data = load(f"folder:{split}")
    assert data.classes == tuple(sorted([name, "dog"]))
    assert len(data.test) == 6


@pytest.mark.parametrize(("one", "other"), [("Cat", "cat"), ("Straße", "strasse"), ("ﬁr", "fir"), ("x2", "x²")])
def test_class_folders_that_are_alike_are_said(photos, one, other):
    os.rename(photos / "cat", photos / one)
    os.rename(photos / "dog", photos / other)
    data = load(f"folder:{photos}")
    assert data.classes == tuple(sorted([one, other]))
    first, second = sorted([one, other])
    how = "kept apart, though they differ only by case or by the form of letters"
    assert data.notes == (f"class folders {how}: {first!r} and {second!r}",)


@pytest.mark.parametrize("name", ["big  cat", "e\u0301", " cat", "a\u200bb"])
def test_the_name_of_a_class_is_the_folders_where_it_is_alone(photos, name):
    os.rename(photos / "cat", photos / name)
    data = load(f"folder:{photos}")
    assert (data.classes, data.notes) == (tuple(sorted([name, "dog"])), ())


@pytest.mark.parametrize("name", ["Thumbs.db", "desktop.ini", ".DS_Store", "._00.png"])
def test_what_file_managers_leave_is_hidden(photos, name):
    (photos / "cat" / name).write_bytes(b"x")
    (photos / name).write_bytes(b"x")
    for folder in ("__MACOSX", "@eaDir"):
        (photos / folder / "cat").mkdir(parents=True)
        (photos / folder / "cat" / "00.png").write_bytes(b"x")
        (photos / "cat" / folder).mkdir()
        (photos / "cat" / folder / "00.png").write_bytes(b"x")
    data = load(f"folder:{photos}")
    assert (len(data.x), data.classes, data.notes) == (40, ("cat", "dog"), ())


@pytest.mark.parametrize("suffix", ["PNG", "Png", "JPG", "Jpeg", "TIF"])
def test_the_case_of_a_suffix_does_not_count(photos, suffix):
    picture(photos / "cat" / f"zz.{suffix}")
    data = load(f"folder:{photos}")
    assert (len(data.x), data.notes) == (41, ())


def refuses(folder, problem):
    with pytest.raises(UsageError, match=problem) as error:
        load(f"folder:{folder}")
    assert "\n" not in str(error.value)


def test_images_beside_the_splits_are_not_left_out_in_silence(split):
    shutil.copytree(split / "test", split / "valid")
    whole = load(f"folder:{split}")
    assert len(whole.validation) == len(whole.test)
    (split / "annotations").mkdir()
    (split / "annotations" / "notes.txt").write_text("no image")
    assert len(load(f"folder:{split}").y) == len(whole.y)
    os.rename(split / "valid", split / "holdout")
    refuses(split, "has images in holdout beside its splits")


def test_half_a_split_and_other_wrong_layouts(split):
    os.rename(split / "test", split / "val")
    refuses(split, "has train and val but not both train and test")
    shutil.copytree(split / "val", split / "test")
    shutil.copytree(split / "val", split / "validation")
    refuses(split, "both validation and val")
    shutil.rmtree(split / "val")
    os.rename(split / "test/dog", split / "test/wolf")
    refuses(split, "has 'wolf' under test but not under train")
    shutil.rmtree(split / "test/wolf")
    (split / "test/cat").rename(split.parent / "cat")
    (split / "test/cat").mkdir()
    refuses(split, "has no images for test; put some into class folders there")


def test_too_little_to_learn_from(photos, tmp_path):
    refuses(tmp_path / "nowhere", "cannot be read as a folder")
    (tmp_path / "empty").mkdir()
    refuses(tmp_path / "empty", "has no images")
    (photos / "eel").mkdir()
    refuses(photos, "has no images for class 'eel'")
    picture(photos / "eel" / "0.png")
    refuses(photos, "class 'eel' has 1 example; it takes at least 3")
    shutil.rmtree(photos / "eel")
    shutil.rmtree(photos / "dog")
    refuses(photos, "has one class, 'cat'")
    for name in ("cat", "dog"):
        shutil.rmtree(photos / name, ignore_errors=True)
        for i in range(4):
            picture(photos / name / f"{i}.png")
    refuses(photos, "leaves 4 examples for training")


def test_a_loop_of_links_ends(photos):
    (photos / "cat" / "again").symlink_to(photos / "cat")
    assert len(load(f"folder:{photos}").x) == 40


def test_links_to_folders_are_followed_and_circles_are_not(photos, tmp_path):
    outside = tmp_path / "outside"
    for i in range(5):
        picture(outside / f"{i}.png")
    (photos / "cat" / "linked").symlink_to(outside)
    (photos / "emu").symlink_to(outside)
    (photos / "dog" / "up").symlink_to(photos)
    (outside / "back").symlink_to(photos / "cat")
    (outside / "here").symlink_to(".")
    data = load(f"folder:{photos}")
    # The link back from outside shows the cats once more among the emus, and no more than that.
    assert data.classes == ("cat", "dog", "emu")
    assert torch.bincount(data.y).tolist() == [25, 20, 25]
    (photos / "dog" / "gone").symlink_to(tmp_path / "nowhere")
    assert load(f"folder:{photos}").notes[-1].endswith("left out: dog/gone")


def test_broken_images(photos, monkeypatch):
    path = photos / "cat" / "00.png"
    whole = path.read_bytes()
    for content in (b"", b"no image", whole[:40], whole[:-30], b"%!PS-Adobe-3.0 EPSF-3.0\n"):
        path.write_bytes(content)
        refuses(photos, r"00\.png is no (whole image|image of a kind) .*remove it")
    path.write_bytes(whole)
    Image.new("I;16", (6, 4), 60000).save(path)
    refuses(photos, "8 bits a channel")
    path.unlink()
    path.mkdir()
    assert len(load(f"folder:{photos}").x) == 39


def test_decompression_bombs(photos, monkeypatch):
    Image.new("L", (300, 300)).save(photos / "cat" / "00.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 60_000)  # Pillow warns above it, and raises above twice it
    refuses(photos, r"00\.png unpacks to more than 60,000 pixels")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30_000)
    refuses(photos, r"00\.png unpacks to more than 30,000 pixels")


def test_the_scan_is_sorted_whatever_the_file_system_says(photos, monkeypatch):
    files = list(scan(photos).files)
    assert files == sorted(files)
    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda *a, **k: [(d, s, n[::-1]) for d, s, n in walk(*a, **k)])
    assert list(scan(photos).files) == files


ENCODED = {}
for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "PPM", "TIFF"):
    stream = io.BytesIO()
    Image.fromarray(DRAW.integers(256, size=(9, 7, 3), dtype=np.uint8)).save(stream, kind)
    ENCODED[kind] = stream.getvalue()


@pytest.mark.filterwarnings("default::UserWarning")  # Pillow's, about metadata; they are no refusals
@settings(max_examples=250, deadline=None)
@given(st.sampled_from(sorted(ENCODED)), st.data())
def test_any_damage_gives_an_image_or_a_sentence(tmp_path_factory, kind, data):
    content = bytearray(ENCODED[kind])
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "fuzz.png"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    try:
        size, image, _ = _image(DataFile(path, "mend it", UsageError))
    except DnnlabError:
        return
    assert image.mode in ("L", "RGB")
    assert max(image.size) <= 64
    assert min(size) > 0
