"""Every way to store the same pixels reads as the same picture."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from overtone.signals import array, image, read, volume
from tests.signals.readers import tiff
from tests.signals.readers.tiff import DEFLATE, LZMA, LZW, NONE, PACKBITS, ZSTD, write_tiff

STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}
"""How an upright picture is stored under each orientation."""

TYPES = [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.float32, np.float64]
WHOLE = [t for t in TYPES if np.issubdtype(t, np.integer)]
FLOATING = [np.float32, np.float64]


def numbers(*shape: int, dtype: type, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    if np.issubdtype(dtype, np.floating):
        return generator.normal(300, 100, shape).astype(dtype)
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    return generator.integers(low, high, shape, endpoint=True).astype(dtype)


def found(path: Path, bands: int) -> np.ndarray:
    values = array(path).grid_values.numpy()
    assert values.shape[-1] == bands
    return values


LAYOUTS = list(itertools.product((NONE, LZW, DEFLATE), (None, 16), "<>", (False, True)))
"""Compression, tiles, order of bytes and whether it is a BigTIFF."""


@pytest.mark.parametrize("dtype", TYPES)
def test_orientation_in_every_layout(tmp_path: Path, dtype: type) -> None:
    layouts = itertools.cycle(LAYOUTS)
    for turned, (bands, planar), _ in itertools.product(
        STORED, ((1, False), (3, False), (3, True)), range(5)
    ):
        compression, tile, order, big = next(layouts)
        upright = numbers(7, 20, bands, dtype=dtype)
        path = write_tiff(
            tmp_path / "a.tif",
            [STORED[turned](upright)],
            compression=compression,
            tile=tile,
            planar=planar,
            order=order,
            big=big,
            tags={274: (3, turned)},
        )
        case = f"{turned} {bands} {planar} {compression} {tile} {order} {big}"
        np.testing.assert_array_equal(found(path, bands), upright.astype(float), err_msg=case)


@pytest.mark.parametrize("compression", [NONE, LZW, DEFLATE, PACKBITS, LZMA, ZSTD])
def test_compressions_with_their_predictors_and_pages(tmp_path: Path, compression: int) -> None:
    with_predictors = [(1, TYPES)] + [(2, WHOLE), (3, FLOATING)] * (compression != PACKBITS)
    for predictor, types in with_predictors:
        layouts = itertools.cycle(itertools.product((None, 16), "<>"))
        for dtype, bands in itertools.product(types, (1, 3, 4)):
            tile, order = next(layouts)
            pages = [numbers(9, 18, bands, dtype=dtype, seed=seed) for seed in range(3)]
            options = {"compression": compression, "predictor": predictor, "tile": tile, "order": order}
            where = f"{np.dtype(dtype)} {bands} {options}"
            one = write_tiff(tmp_path / "a.tif", pages[:1], **options)
            np.testing.assert_array_equal(found(one, bands), pages[0].astype(float), err_msg=where)
            stack = volume(write_tiff(tmp_path / "b.tif", pages, **options))
            np.testing.assert_array_equal(stack.grid_values, np.stack(pages).astype(float), err_msg=where)


@pytest.mark.parametrize("compression", [NONE, LZW, DEFLATE])
@pytest.mark.parametrize("bits", [1, 2, 4, 10, 12, 14])
def test_numbers_of_fewer_bits_than_bytes_have_their_own_white(
    tmp_path: Path, bits: int, compression: int
) -> None:
    stored = np.random.default_rng(0).integers(0, 2**bits, (5, 11, 1)).astype(np.uint16)
    stored[0, 0, 0], stored[0, 1, 0] = 0, 2**bits - 1

    def packed(block: np.ndarray) -> bytes:
        each = [np.array([[int(b) for b in format(v, f"0{bits}b")] for v in row.ravel()]) for row in block]
        return b"".join(np.packbits(line.ravel()).tobytes() for line in each)

    path = write_tiff(
        tmp_path / "a.tif", [stored], compression=compression, tags={258: (3, bits)}, data=packed
    )
    signal = image(path)
    np.testing.assert_allclose(signal.grid_values, stored / (2**bits - 1), rtol=0, atol=1e-7)
    assert read(path).kind == "picture"


def test_the_file_writer_of_these_tests_agrees_with_tifffile(tmp_path: Path) -> None:
    stored = numbers(7, 20, 3, dtype=np.uint16)
    for compression, predictor in ((NONE, 1), (DEFLATE, 1), (DEFLATE, 2)):
        for planar, tile, order in itertools.product((False, True), (None, 16), "<>"):
            path = write_tiff(
                tmp_path / "a.tif",
                [stored],
                compression=compression,
                predictor=predictor,
                planar=planar,
                tile=tile,
                order=order,
            )
            read_back = tifffile.imread(path)
            np.testing.assert_array_equal(np.moveaxis(read_back, 0, -1) if planar else read_back, stored)


def test_lzw_codes_of_every_width(tmp_path: Path) -> None:
    noise = numbers(90, 100, 1, dtype=np.uint8)
    assert len(tiff.lzw(noise.tobytes())) > 4096
    path = write_tiff(tmp_path / "a.tif", [noise], compression=LZW, rows=90)
    np.testing.assert_array_equal(found(path, 1), noise)


def test_tiles_that_are_not_stored_count_as_the_value_of_no_data(tmp_path: Path) -> None:
    stored = numbers(20, 20, 1, dtype=np.int16)
    path = write_tiff(tmp_path / "a.tif", [stored], compression=LZW, tile=16)
    with tifffile.TiffFile(path, mode="r+b") as tif:
        counts = list(tif.pages.first.tags["TileByteCounts"].value)
        tif.pages.first.tags["TileByteCounts"].overwrite([counts[0], 0, *counts[2:]])
    expected = stored.astype(float)
    expected[:16, 16:] = 0
    signal = array(path)
    np.testing.assert_array_equal(signal.grid_values, expected)
    assert "1 of 4 tiles are not stored and read as 0" in signal.notes


def test_a_strip_beyond_the_limit_on_pictures_is_no_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = numbers(40, 50, 1, dtype=np.uint16)
    path = write_tiff(tmp_path / "a.tif", [stored], compression=LZW, rows=40)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    np.testing.assert_array_equal(found(path, 1), stored)


def test_jpeg_strips_decode_as_the_whole_picture(tmp_path: Path) -> None:
    rows, columns = np.mgrid[0:40, 0:56]
    smooth = np.stack(
        [128 + 100 * np.sin(rows / 9), 128 + 90 * np.cos(columns / 7), rows + columns], -1
    ).astype(np.uint8)
    for pixels in (smooth, smooth[..., 0]):
        Image.fromarray(pixels).save(tmp_path / "a.tif", compression="jpeg", quality=90)
        with Image.open(tmp_path / "a.tif") as whole:
            expected = np.asarray(whole.convert("RGB" if pixels.ndim == 3 else "L"))
        signal = array(tmp_path / "a.tif")
        np.testing.assert_array_equal(signal.grid_values, expected.reshape(40, 56, -1))
        assert np.abs(signal.grid_values.numpy() - pixels.reshape(40, 56, -1)).max() < 12


def test_jpeg_strips_of_inks_are_not_inverted(tmp_path: Path) -> None:
    blocks = np.kron(numbers(4, 4, 3, dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
    Image.fromarray(blocks).convert("CMYK").save(tmp_path / "a.tif", compression="jpeg", quality=95)
    signal = image(tmp_path / "a.tif")
    np.testing.assert_allclose(signal.grid_values, blocks / 255, rtol=0, atol=0.03)
    assert signal.notes == ("converted from CMYK to RGB",)


@pytest.mark.parametrize(
    "compression", ["group3", "group4", "tiff_ccitt", "packbits", "tiff_lzw", "tiff_adobe_deflate"]
)
def test_bitmaps_of_fax_machines(tmp_path: Path, compression: str) -> None:
    pages = [numbers(30, 45, dtype=np.uint8, seed=seed) > 128 for seed in (0, 1)]
    first, second = (Image.fromarray(page) for page in pages)
    first.save(tmp_path / "a.tif", compression=compression)
    signal = image(tmp_path / "a.tif")
    np.testing.assert_array_equal(signal.grid_values[..., 0], pages[0])
    first.save(tmp_path / "b.tif", compression=compression, save_all=True, append_images=[second])
    np.testing.assert_array_equal(volume(tmp_path / "b.tif").grid_values[..., 0], np.stack(pages))
