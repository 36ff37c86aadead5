from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from overtone.signals import image, read, volume
from overtone.signals._readers import _tiff_decoding as tiff_decode
from overtone.signals._readers._pixels import Alpha
from tests.signals.readers.test_image import pixels, same
from tests.signals.refusals import refusal


def written(path: Path, data: np.ndarray, **options: Any) -> Path:
    tifffile.imwrite(path, data, **options)
    return path


@pytest.mark.parametrize("channels", [None, 3])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_depths_channels_and_compressions(
    tmp_path: Path, channels: int | None, compression: str | None, dtype: type
) -> None:
    stored = pixels(5, 7, *([channels] if channels else []), dtype=dtype)
    path = written(tmp_path / "a.tif", stored, compression=compression)
    same(image(path), stored.reshape(5, 7, -1) / np.iinfo(dtype).max)


@pytest.mark.parametrize("mode", ["L", "I;16", "RGB", "F"])
def test_lzw_through_pillow(tmp_path: Path, mode: str) -> None:
    stored = {
        "L": pixels(5, 7),
        "I;16": pixels(5, 7, dtype=np.uint16),
        "RGB": pixels(5, 7, 3),
        "F": np.random.default_rng(0).random((5, 7)).astype(np.float32),
    }[mode]
    Image.fromarray(stored).save(tmp_path / "a.tif", compression="tiff_lzw")
    full = 1.0 if mode == "F" else np.iinfo(stored.dtype).max
    same(image(tmp_path / "a.tif"), stored.reshape(5, 7, -1) / full)


def test_a_compression_that_nothing_here_decodes_is_named_with_the_package_that_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiff_decode, "further_codecs", lambda: False)
    path, stored = tmp_path / "a.tif", pixels(5, 7, 3, dtype=np.uint16)
    written(path, stored, photometric="rgb", compression="zlib")
    with tifffile.TiffFile(path, mode="r+b") as tif:
        tif.pages.first.tags["Compression"].overwrite(int(tifffile.COMPRESSION.LERC))
    text = refusal(image, path)
    assert "without further packages, got LERC compression of 16-bit samples" in text
    assert "run: pip install tifffile imagecodecs, or save it with deflate compression" in text
    extras = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert any("imagecodecs" in package for package in extras["optional-dependencies"]["tiff"])
    same(image(written(path, stored, photometric="rgb", compression="zlib")), stored / 65535)


def test_floating_point_and_white_is_zero(tmp_path: Path) -> None:
    exact = np.random.default_rng(0).random((5, 7))
    for dtype in (np.float32, np.float64):
        same(image(written(tmp_path / "a.tif", exact.astype(dtype))), exact[..., None], atol=6e-8)
    stored = pixels(5, 7, dtype=np.uint16)
    same(image(written(tmp_path / "b.tif", stored, photometric="miniswhite")), 1 - stored[..., None] / 65535)


def test_many_channels_and_planes(tmp_path: Path) -> None:
    stored = pixels(5, 7, 6, dtype=np.uint16)
    whole = written(tmp_path / "a.tif", stored, photometric="minisblack", planarconfig="contig")
    assert image(whole).channels == tuple(f"channel {c}" for c in range(1, 7))
    same(image(whole), stored / 65535)
    planes = np.moveaxis(stored, -1, 0)
    same(
        image(written(tmp_path / "b.tif", planes, photometric="minisblack", planarconfig="separate")),
        stored / 65535,
    )
    few = pixels(2, 5, 7)
    path = written(tmp_path / "c.tif", few, imagej=True, metadata={"axes": "CYX"})
    same(image(path), np.moveaxis(few, 0, -1) / 255)


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_both_kinds_of_alpha(tmp_path: Path, kind: str) -> None:
    stored = pixels(5, 7, 4, dtype=np.uint16)
    exact = stored / 65535
    colour, cover = exact[..., :3], exact[..., 3:]
    path = written(tmp_path / "a.tif", stored, photometric="rgb", extrasamples=[kind])
    seen = colour * cover if kind == "unassalpha" else colour
    same(image(path), seen + 1 - cover, atol=2e-7)
    same(image(path, alpha=Alpha.DROP), colour)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_and_the_size_of_turned_pixels(tmp_path: Path, orientation: int, dtype: type) -> None:
    upright = pixels(4, 6, 3, dtype=dtype)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]
    path = written(
        tmp_path / "a.tif",
        np.ascontiguousarray(stored),
        photometric="rgb",
        resolution=(100, 50),
        resolutionunit="CENTIMETER",
        extratags=[(274, 3, 1, orientation, True)],
    )
    signal = image(path)
    same(signal, upright / np.iinfo(dtype).max)
    assert signal.geometry.spacing == pytest.approx((0.1, 0.2) if orientation >= 5 else (0.2, 0.1))
    assert signal.notes == (("orientation applied",) if orientation > 1 else ())


def test_only_a_measured_resolution_makes_mm(tmp_path: Path) -> None:
    stored = pixels(4, 6, dtype=np.uint16)
    inches = written(tmp_path / "a.tif", stored, resolution=(300, 300), resolutionunit="INCH")
    assert image(inches).geometry.frequency_unit == "cycles per picture height"
    per_cm = written(tmp_path / "b.tif", stored, resolution=(100, 50), resolutionunit="CENTIMETER")
    assert image(per_cm).geometry.spacing == pytest.approx((0.2, 0.1))
    assert image(per_cm).geometry.frequency_unit == "cycles per mm"
    assert image(per_cm, spacing=3.0).geometry.spacing == (3.0, 3.0)


@pytest.mark.parametrize("unit", ["um", "micron", "\\u00B5m"])
def test_imagej_units(tmp_path: Path, unit: str) -> None:
    path = written(
        tmp_path / "a.tif",
        pixels(3, 4, 6),
        imagej=True,
        resolution=(2, 4),
        metadata={"axes": "ZYX", "spacing": 5.0, "unit": unit},
    )
    signal = volume(path)
    assert signal.geometry.spacing == pytest.approx((5e-3, 0.25e-3, 0.5e-3))
    assert signal.geometry.units == ("mm",) * 3


def test_ome_sizes_and_their_units(tmp_path: Path) -> None:
    metadata = {
        "axes": "ZYX",
        "PhysicalSizeX": 0.5,
        "PhysicalSizeY": 2.0,
        "PhysicalSizeYUnit": "nm",
        "PhysicalSizeZ": 1,
    }
    path = written(tmp_path / "a.ome.tif", pixels(3, 4, 6), metadata=metadata)
    assert volume(path).geometry.spacing == pytest.approx((1e-3, 2e-6, 0.5e-3))


def test_a_stack_is_a_volume_of_its_own_values(tmp_path: Path) -> None:
    stored = pixels(3, 4, 6, dtype=np.uint16)
    path = written(tmp_path / "a.tif", stored, photometric="minisblack")
    signal = read(path)
    assert signal.kind == "volume"
    assert signal.grid_values[..., 0].tolist() == stored.tolist()
    assert signal.geometry.frequency_unit == "cycles per array"
    assert "one picture, got a stack of 3 slices" in refusal(image, path)
    assert volume(path, spacing=(2.0, 1.0, 1.0)).geometry.spacing == (2.0, 1.0, 1.0)


def test_a_stack_without_the_distance_of_its_slices_says_so(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.tif",
        pixels(3, 4, 6, dtype=np.uint16),
        photometric="minisblack",
        resolution=(10, 10),
        resolutionunit="CENTIMETER",
    )
    signal = volume(path)
    assert signal.geometry.frequency_unit == "cycles per array"
    assert signal.notes == (
        "pages taken as slices of a volume, since the file does not say what they are",
        "pixel size ignored, since the distance of the slices is not stored",
    )


def test_one_picture_is_no_volume(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", pixels(4, 6, dtype=np.uint16))
    assert read(path).kind == "picture"
    assert "a stack of slices, got one picture" in refusal(volume, path)


def test_a_colour_space_that_is_not_converted_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", pixels(4, 6, 3), photometric="cielab")
    assert "gray or RGB pixels, got CIELAB pixels" in refusal(image, path)


def test_a_tiff_bomb_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", pixels(4, 6, 3, dtype=np.uint16), photometric="rgb")
    with tifffile.TiffFile(path, mode="r+b") as tif:
        tif.pages.first.tags["ImageWidth"].overwrite(60000)
        tif.pages.first.tags["ImageLength"].overwrite(60000)
    assert "at most 4 GiB of samples, got a header that announces shape (60000, 60000, 3)" in refusal(
        image, path
    )
