import io
import os
import shutil

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
    assert data.notes == ("40 images of 2 sizes were resized to 32×32, whatever their proportions",)
    # The oracle: PyTorch's antialiased bilinear interpolation.
    exact = torch.nn.functional.interpolate(
        torch.from_numpy(pixels.transpose(2, 0, 1)[None]).float(), (32, 32), mode="bilinear", antialias=True
    )
    assert float((data.x[0].float() - exact[0]).abs().max()) <= 1.01
    for name in ("cat", "dog"):
        for i in range(20):
            picture(photos / name / f"{i:02}.png", (80, 10))
    assert load(f"folder:{photos}").notes[0].startswith("40 images of 80×10 pixels were resized to 32×32")


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
    for name in ("readme.txt", "notes.TIFF", ".hidden.png", ".DS_Store"):
        (photos / "cat" / name).write_bytes(b"x")
    (photos / ".git").mkdir()
    (photos / ".git" / "x.png").write_bytes(b"x")
    (photos / "cat" / ".ipynb_checkpoints").mkdir()
    (photos / "cat" / ".ipynb_checkpoints" / "x.png").write_bytes(b"x")
    data = load(f"folder:{photos}")
    assert len(data.x) == 40
    assert data.notes == (f"2 files in {photos} are no images by their name and were left out",)


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
    refuses(split, "the folder test has no images")


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
for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "PPM"):
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
        size, image = _image(DataFile(path, "mend it", UsageError))
    except DnnlabError:
        return
    assert image.mode in ("L", "RGB")
    assert max(image.size) <= 64
    assert min(size) > 0
