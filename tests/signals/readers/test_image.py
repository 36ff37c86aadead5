from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from overtone.signals import Signal, array, image
from overtone.signals._readers._pixels import Alpha
from tests.signals.readers.png import write_deep_png, write_png_header
from tests.signals.refusals import refusal

# a float64 quotient rounded once to float32
HALF_ULP = float(np.finfo(np.float32).eps) / 2


def pixels(*shape: int, dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def same(signal: Signal, expected: np.ndarray, atol: float = HALF_ULP) -> None:
    found = signal.grid_values.numpy()
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


def test_an_rgb_png(tmp_path: Path) -> None:
    stored = pixels(5, 7, 3)
    stored[0, 0] = (0, 255, 128)
    Image.fromarray(stored).save(tmp_path / "a.png", dpi=(300, 300))
    signal = image(tmp_path / "a.png")
    same(signal, stored / 255)
    assert signal.values[0].tolist() == pytest.approx([0, 1, 128 / 255])
    assert (signal.kind, signal.name, signal.peak) == ("picture", "a.png", 1.0)
    assert signal.channels == ("red", "green", "blue")
    assert signal.notes == ()


def test_coordinates_are_picture_heights_on_both_axes_whatever_the_dpi(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg"):
        Image.fromarray(pixels(4, 8)).save(tmp_path / name, dpi=(300, 300))
        grid = image(tmp_path / name).geometry
        assert grid.spacing == (0.25, 0.25)
        assert grid.extent == (1.0, 2.0)
        assert grid.nyquist == (2.0, 2.0)
        assert grid.frequency_unit == "cycles per picture height"
        assert grid.periodic == (False, False)


def test_a_given_spacing_is_in_mm(tmp_path: Path) -> None:
    Image.fromarray(pixels(4, 8)).save(tmp_path / "a.png")
    assert image(tmp_path / "a.png", spacing=0.5).geometry.spacing == (0.5, 0.5)
    grid = image(tmp_path / "a.png", spacing=(0.5, 0.25)).geometry
    assert grid.spacing == (0.5, 0.25)
    assert grid.frequency_unit == "cycles per mm"
    assert "positive finite distances" in refusal(image, tmp_path / "a.png", spacing=-1.0)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_16_bit_png_keeps_every_bit(tmp_path: Path, channels: int) -> None:
    stored = pixels(5, 7, channels, dtype=np.uint16)
    stored[0, 0], stored[0, 1] = 256, 257
    same(image(write_deep_png(tmp_path / "a.png", stored)), stored / 65535)


def test_a_16_bit_png_with_alpha(tmp_path: Path) -> None:
    stored = pixels(5, 7, 4, dtype=np.uint16)
    path = write_deep_png(tmp_path / "a.png", stored)
    exact = stored / 65535
    same(image(path), exact[..., :3] * exact[..., 3:] + 1 - exact[..., 3:])
    same(image(path, alpha=Alpha.DROP), exact[..., :3])


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    stored = np.array([[0, 1], [2, 1]], dtype=np.uint8)
    picture = Image.fromarray(stored, "P")
    picture.putpalette([255, 0, 0, 0, 255, 0, 10, 20, 30])
    for suffix in ("png", "gif"):
        picture.save(tmp_path / f"a.{suffix}")
        colours = np.array([[255, 0, 0], [0, 255, 0], [10, 20, 30]]) / 255
        signal = image(tmp_path / f"a.{suffix}")
        same(signal, colours[stored])
    assert signal.notes == ("converted from P to RGB",)


def test_a_transparent_palette_is_composited(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 1], [1, 1]], dtype=np.uint8), "P")
    picture.putpalette([255, 0, 0, 0, 255, 0])
    picture.save(tmp_path / "a.png", transparency=bytes([0, 255]))
    expected = np.broadcast_to(np.array([0.0, 1.0, 0.0]), (2, 2, 3)).copy()
    expected[0, 0] = 1.0
    same(image(tmp_path / "a.png"), expected)


def test_one_bit_and_gray_pictures_have_one_channel(tmp_path: Path) -> None:
    Image.fromarray(np.array([[True, False], [False, False]])).save(tmp_path / "a.png")
    assert image(tmp_path / "a.png").values.tolist() == [[1.0], [0.0], [0.0], [0.0]]
    assert image(tmp_path / "a.png").channels == ("gray",)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_composited_or_dropped(tmp_path: Path, mode: str) -> None:
    stored = pixels(4, 6, len(mode))
    Image.fromarray(stored, mode).save(tmp_path / "a.png")
    exact = stored / 255
    colour, cover = exact[..., :-1], exact[..., -1:]
    white = image(tmp_path / "a.png")
    same(white, colour * cover + (1 - cover))
    assert white.notes == ("alpha composited over white",)
    same(image(tmp_path / "a.png", background=0.25), colour * cover + 0.25 * (1 - cover))
    dropped = image(tmp_path / "a.png", alpha=Alpha.DROP)
    same(dropped, colour)
    assert dropped.notes == ("alpha dropped",)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((16, 24), dtype=np.uint8)
    upright[:8, :8] = 255
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.jpg", exif=exif, quality=95)
    signal = image(tmp_path / "a.jpg")
    same(signal, upright[..., None] / 255, atol=0.02)
    assert signal.notes == (("orientation applied",) if orientation > 1 else ())


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    stored = np.zeros((8, 16, 4), dtype=np.uint8)
    stored[:, 8:] = (255, 0, 0, 0)
    Image.fromarray(stored, "CMYK").save(tmp_path / "a.jpg", quality=95)
    signal = image(tmp_path / "a.jpg")
    assert signal.grid_values[4, 2].tolist() == pytest.approx([1, 1, 1], abs=0.02)
    assert signal.grid_values[4, 13].tolist() == pytest.approx([0, 1, 1], abs=0.02)
    assert signal.notes == ("converted from CMYK to RGB",)


def test_the_first_frame_of_an_animation(tmp_path: Path) -> None:
    first, second = (Image.fromarray(pixels(4, 4, seed=s)) for s in (0, 1))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    signal = image(tmp_path / "a.gif")
    assert "first of 2 frames" in signal.notes
    same(signal, np.asarray(first.convert("RGB")) / 255)


def test_arrays_of_every_kind() -> None:
    deep = pixels(4, 5, 3, dtype=np.uint16)
    same(image(deep), deep / 65535)
    same(image(deep.astype(">u2")), deep / 65535)
    exact = np.random.default_rng(0).random((4, 5))
    same(image(exact), exact[..., None])
    same(image(torch.from_numpy(exact)), exact[..., None])
    same(image(exact > 0.5), (exact > 0.5)[..., None])
    rgba = pixels(4, 5, 4)
    same(image(rgba, alpha=Alpha.DROP), rgba[..., :3] / 255)
    assert image(pixels(4, 5, 6)).channels[5] == "channel 6"


def test_pictures_of_pillow_are_read_as_files_are_or_refused() -> None:
    pixels = np.arange(90, dtype=np.uint8).reshape(5, 6, 3)
    picture = Image.fromarray(pixels)
    assert torch.equal(image(picture).values, image(pixels).values)
    assert torch.equal(array(picture).values, array(pixels).values)
    for reader in (image, array):
        assert 'one of mode P; pass picture.convert("RGB")' in refusal(reader, picture.quantize(8))


def test_a_full_range_may_be_given() -> None:
    stored = np.array([[0, 4095], [1000, 20]], dtype=np.uint16)
    same(image(stored, full_range=(0, 4095)), stored[..., None] / 4095)
    hounsfield = np.array([[-1000, 500], [0, 40]], dtype=np.int16)
    same(image(hounsfield, full_range=(-1000, 1000)), (hounsfield[..., None] + 1000) / 2000)
    assert "uint8, uint16 or floating-point pixels, got int16" in refusal(image, hounsfield)
    assert "white above black, got (5, 5)" in refusal(image, stored, full_range=(5, 5))


def test_a_noisy_picture_may_leave_the_range_but_bytes_in_floats_may_not() -> None:
    noisy = np.array([[-0.2, 1.3], [0.5, 0.1]])
    same(image(noisy), noisy[..., None])
    text = refusal(image, pixels(4, 4).astype(float))
    assert "floating-point pixels between 0 and 1, got values from" in text
    assert "full_range=(black, white)" in text


def test_arrays_that_are_no_picture_are_refused() -> None:
    assert "an array (H, W) or (H, W, C), got shape (3,)" in refusal(image, np.arange(3.0))
    assert "complex numbers" in refusal(image, np.ones((3, 3), complex))
    assert "at least 2 samples along every axis, got shape (1, 1)" in refusal(image, np.ones((1, 1)))
    assert "got shape (1, 9)" in refusal(image, np.arange(9.0)[None] / 9)
    assert "got shape (9, 1)" in refusal(image, np.arange(9.0)[:, None] / 9)
    assert "a constant signal of value 0.5" in refusal(image, np.full((4, 4), 0.5))
    assert "a constant signal of value 1, 0, 0" in refusal(image, np.broadcast_to([1.0, 0, 0], (4, 4, 3)))
    holed = np.random.default_rng(0).random((4, 5, 3))
    holed[2, 3, 1] = np.nan
    assert "finite values, got nan at row 2, column 3, green" in refusal(image, holed)


def test_small_and_constant_files_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    assert "dot.png: expected at least 2 samples along every axis" in refusal(image, tmp_path / "dot.png")
    Image.new("RGB", (9, 9), (3, 3, 3)).save(tmp_path / "flat.png")
    assert "flat.png: expected values that vary, got a constant" in refusal(image, tmp_path / "flat.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "gif", "tif"])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(pixels(64, 64, 3)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert f"a.{suffix}: expected a complete file that contains a" in refusal(image, path)


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    np.save(tmp_path / "a.npy", np.ones(3))
    path.write_bytes((tmp_path / "a.npy").read_bytes())
    assert "a complete file that contains a picture, got a NumPy array that could not be read" in refusal(
        image, path
    )
    path.write_text("not a picture")
    assert "got text that could not be read" in refusal(image, path)


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    path = write_png_header(tmp_path / "bomb.png", side, side)
    assert "at most 89 million pixels, got a larger one" in refusal(image, path)


def test_a_16_megapixel_picture_needs_little_memory(tmp_path: Path) -> None:
    gradient = np.add.outer(np.arange(4000), np.arange(4000)).astype(np.uint8)
    Image.fromarray(np.stack([gradient, gradient.T[::-1], gradient], -1)).save(tmp_path / "big.bmp")
    code = (
        "import resource, sys, overtone as ot\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "read = ot.signals.image\n"
        "before = peak()\n"
        "signal = read(sys.argv[1])\n"
        "assert signal.values.numel() == 48_000_000\n"
        "print((peak() - before) * 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "big.bmp")], check=True, capture_output=True, text=True
    )
    # the float32 samples are 192 MB, the decoded bytes 48 MB, Pillow's own copy 64 MB
    assert int(done.stdout) < 400e6


COLOURED = np.random.default_rng(0).random((4, 24, 30))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.uint8])
@pytest.mark.parametrize("colours", [1, 3, 4])
def test_channels_come_first_or_last_in_tensors_and_arrays(colours: int, dtype: torch.dtype) -> None:
    whole = dtype is torch.uint8
    last = torch.from_numpy(COLOURED[:colours].transpose(1, 2, 0) * (255 if whole else 1)).to(dtype)
    exact = last.double().numpy() / (255 if whole else 1)
    for given in (last.movedim(-1, 0), last):
        signal = image(given, alpha=Alpha.DROP)
        assert signal.geometry.shape == (24, 30)
        same(signal, exact[..., :3])
    first = exact.transpose(2, 0, 1)
    same(image(first, alpha=Alpha.DROP), exact[..., :3])
    assert "axis 0 of the shape (3, 24, 30) was read as the channels" in image(COLOURED[:3]).notes
    assert not any("axis" in note for note in image(last, alpha=Alpha.DROP).notes)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((3, 3, 3), torch.from_numpy),
        ((4, 5, 3), torch.from_numpy),
        ((3, 9, 3), torch.from_numpy),
        ((2, 9, 9), torch.from_numpy),
        ((7, 24, 30), torch.from_numpy),
        ((24, 30, 7), torch.from_numpy),
        ((7, 24, 30), np.asarray),
        ((24, 30, 64), np.asarray),
        ((3, 3, 64), np.asarray),
        ((2, 24, 30), np.asarray),
    ],
)
def test_shapes_with_two_readings_are_asked_about_and_the_answer_is_taken(shape, kind) -> None:
    given = kind(np.random.default_rng(0).random(shape))
    text = refusal(image, given)
    assert (
        "(channels, rows, columns) or (rows, columns, channels); pass channel_axis=0 or channel_axis=2"
        in text
    )
    for axis in (0, 2):
        moved = np.moveaxis(np.asarray(given), axis, -1)
        colours = {2: 1, 4: 3}.get(moved.shape[2], moved.shape[2])
        same(image(given, channel_axis=axis, alpha=Alpha.DROP), moved[..., :colours])


def test_a_channel_axis_that_is_none() -> None:
    assert "channel_axis: expected a channel axis within the 3 axes" in refusal(
        image, COLOURED, channel_axis=3
    )
    assert "got shape (24, 30)" in refusal(image, COLOURED[0], channel_axis=0)
