"""Bands, axes, gaps, scales and places of a TIFF mean what the file says they mean."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from overtone.signals import array, image, read, volume
from overtone.signals._readers._pixels import Alpha
from tests.signals.readers.tiff import LZW, NONE, write_tiff
from tests.signals.refusals import refusal

ROWS, COLUMNS = np.mgrid[0:24, 0:30]
HEIGHT = 300 + 200 * np.sin(ROWS / 7) + 100 * np.cos(COLUMNS / 9)


def written(path: Path, data: np.ndarray, **options: Any) -> Path:
    tifffile.imwrite(path, np.ascontiguousarray(data), **options)
    return path


def gap_tag(text: str) -> tuple[int, int, int, str, bool]:
    return (42113, 2, 0, text, True)


def map_tags(*pairs: tuple[int, int], scale: tuple[float, float] | None = (30.0, 20.0)) -> list[Any]:
    keys = [1, 1, 0, len(pairs), *itertools.chain.from_iterable((key, 0, 1, value) for key, value in pairs)]
    tags: list[Any] = [(34735, 3, len(keys), tuple(keys), True)] if pairs else []
    return tags + ([(33550, 12, 3, (*scale, 0.0), True)] if scale else [])


EXTRAS = [
    ("minisblack", [], 1, ("gray",), False),
    ("minisblack", ["unspecified"], 2, ("channel 1", "channel 2"), False),
    ("minisblack", ["unspecified"] * 2, 3, ("channel 1", "channel 2", "channel 3"), False),
    ("minisblack", ["unspecified"] * 6, 7, tuple(f"channel {k}" for k in range(1, 8)), False),
    ("minisblack", ["unassalpha"], 2, ("gray",), True),
    ("rgb", [], 3, ("red", "green", "blue"), False),
    ("rgb", ["unspecified"], 4, ("red", "green", "blue", "channel 4"), False),
    ("rgb", ["unspecified"] * 2, 5, ("red", "green", "blue", "channel 4", "channel 5"), False),
    ("rgb", ["unassalpha"], 4, ("red", "green", "blue"), True),
    ("rgb", ["unspecified", "unassalpha"], 5, ("red", "green", "blue", "channel 4"), True),
    ("rgb", ["unassalpha", "unspecified"], 5, ("red", "green", "blue", "channel 4"), True),
]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("photometric", "extras", "bands", "names", "covered"), EXTRAS)
def test_every_band_is_kept_and_alpha_is_found_where_it_stands(
    tmp_path: Path,
    photometric: str,
    extras: list[str],
    bands: int,
    names: tuple[str, ...],
    covered: bool,
    dtype: type,
) -> None:
    stored = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (6, 9, bands)).astype(dtype)
    at = bands - len(extras) + extras.index("unassalpha") if covered else bands
    exact = stored / np.iinfo(dtype).max
    colours = np.delete(exact, at, axis=-1) if covered else exact
    for layout in ("contig", "separate"):
        laid = stored if layout == "contig" else np.moveaxis(stored, -1, 0)
        laid = (
            laid[..., 0]
            if bands == 1 and layout == "contig"
            else laid.reshape(laid.shape[-2:])
            if bands == 1
            else laid
        )
        options = {"planarconfig": layout, "extrasamples": extras} if bands > 1 else {}
        path = written(tmp_path / "a.tif", laid, photometric=photometric, **options)
        signal = read(path)
        assert (signal.kind, signal.channels) == ("picture", names)
        assert ("alpha composited over white" in signal.notes) == covered
        np.testing.assert_allclose(image(path, alpha=Alpha.DROP).grid_values, colours, rtol=0, atol=1e-7)


def test_inks_become_colours(tmp_path: Path) -> None:
    for dtype in (np.uint8, np.uint16):
        inks = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (6, 9, 4)).astype(dtype)
        share = inks / np.iinfo(dtype).max
        signal = read(written(tmp_path / "a.tif", inks, photometric="separated"))
        np.testing.assert_allclose(signal.grid_values, (1 - share[..., :3]) * (1 - share[..., 3:]), atol=1e-7)
        assert signal.notes == ("converted from CMYK to RGB",)


@pytest.mark.parametrize("factor", [1, 256, 257])
def test_palettes_of_both_conventions_reach_white(tmp_path: Path, factor: int) -> None:
    index = np.random.default_rng(0).integers(0, 256, (6, 9)).astype(np.uint8)
    index[0, 0], index[0, 1] = 0, 255
    table = np.stack([np.arange(256), np.arange(256)[::-1], (np.arange(256) * 7) % 256])
    path = written(
        tmp_path / "a.tif", index, photometric="palette", colormap=(table * factor).astype(np.uint16)
    )
    np.testing.assert_allclose(read(path).grid_values, table.T[index] / 255, rtol=0, atol=1e-7)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("compression", [NONE, LZW])
def test_small_palettes(tmp_path: Path, bits: int, compression: int) -> None:
    index = np.random.default_rng(0).integers(0, 2**bits, (6, 9, 1)).astype(np.uint8)
    table = np.random.default_rng(1).integers(0, 65536, (3, 2**bits))

    def packed(block: np.ndarray) -> bytes:
        lines = [[int(b) for v in row.ravel() for b in format(v, f"0{bits}b")] for row in block]
        return b"".join(np.packbits(line).tobytes() for line in lines)

    tags = {258: (3, bits), 320: (3, table.ravel().tolist())}
    path = write_tiff(
        tmp_path / "a.tif", [index], compression=compression, photometric=3, tags=tags, data=packed
    )
    np.testing.assert_allclose(read(path).grid_values, table.T[index[..., 0]] / 65535, rtol=0, atol=1e-7)


def test_white_is_zero_in_every_type(tmp_path: Path) -> None:
    share = np.random.default_rng(0).random((6, 9))
    for dtype, full in ((np.uint8, 255), (np.uint16, 65535), (np.float32, 1), (np.bool_, 1)):
        stored = (share > 0.5) if dtype is np.bool_ else (share * full).astype(dtype)
        signal = image(written(tmp_path / "a.tif", stored, photometric="miniswhite"))
        np.testing.assert_allclose(signal.grid_values[..., 0], 1 - stored / full, rtol=0, atol=1e-7)
        assert signal.notes == ("inverted, since the smallest number means white",)
    signed = read(written(tmp_path / "a.tif", HEIGHT.astype(np.int16), photometric="miniswhite"))
    assert signed.notes == ("stored numbers kept, although the smallest one means white",)


GAPS = [
    (np.uint8, 0, "0"),
    (np.uint16, 65535, "65535"),
    (np.int16, -32768, "-32768"),
    (np.int16, -32768, "-32768.0"),
    (np.int32, -9999, "-9999"),
    (np.uint32, 4294967295, "4294967295"),
    (np.float32, -9999, "-9999"),
    (np.float32, np.nan, "nan"),
    (np.float32, np.nan, "NaN"),
    (np.float32, np.inf, "inf"),
    (np.float32, 0.1, "0.1"),
    (np.float32, np.finfo(np.float32).min, "-3.4028234663852886e+38"),
    (np.float32, np.finfo(np.float32).min, "-3.40282e+38"),
    (np.float32, np.finfo(np.float32).min, "-1.7976931348623157e+308"),
    (np.float64, 1e20, "1e+20"),
]


@pytest.mark.parametrize(("dtype", "value", "text"), GAPS)
def test_samples_of_no_data_are_refused_and_the_advice_works(
    tmp_path: Path, dtype: type, value: float, text: str
) -> None:
    stored = (HEIGHT / 3 if dtype is np.uint8 else HEIGHT).astype(dtype)
    whole = written(tmp_path / "whole.tif", stored, photometric="minisblack", extratags=[gap_tag(text)])
    assert not read(whole).notes
    holed = stored.copy()
    holed[2:5, 3:7] = value
    path = written(tmp_path / "a.tif", holed, photometric="minisblack", extratags=[gap_tag(text)])
    for reader in (read, array):
        words = refusal(reader, path)
        assert "got 12 of 720 samples with the value" in words
        assert (
            "the file declares as no data (first at (2, 3)); fill them in, or cut out a part without" in words
        )
    filled = np.where(np.isin(np.arange(720).reshape(24, 30), np.flatnonzero(holed != stored)), stored, holed)
    assert (
        read(written(path, filled, photometric="minisblack", extratags=[gap_tag(text)])).values.numel() == 720
    )
    part = written(path, holed[5:], photometric="minisblack", extratags=[gap_tag(text)])
    assert read(part).geometry.shape == (19, 30)


def test_gaps_of_one_band_and_of_a_stack_are_located(tmp_path: Path) -> None:
    bands = np.stack([HEIGHT, HEIGHT[::-1]], -1).astype(np.int16)
    bands[1, 2, 1] = -1
    path = written(
        tmp_path / "a.tif", bands, photometric="minisblack", planarconfig="contig", extratags=[gap_tag("-1")]
    )
    assert "got 1 of 720 samples" in refusal(read, path)
    assert "first at (1, 2), band 2" in refusal(read, path)
    each = written(path, bands, photometric="minisblack", planarconfig="contig", extratags=[gap_tag("-1 -2")])
    assert read(each).channels == ("channel 1", "channel 2")
    stack = np.stack([HEIGHT, HEIGHT + 1, HEIGHT + 2]).astype(np.int16)
    stack[2, 0, 1] = -1
    path = written(tmp_path / "b.tif", stack, photometric="minisblack", extratags=[gap_tag("-1")])
    assert "first at (2, 0, 1)" in refusal(read, path)


def test_a_mask_that_hides_samples_is_refused_and_a_full_one_is_not(tmp_path: Path) -> None:
    shown = HEIGHT > 150
    for seen in (shown, HEIGHT > 300):
        with tifffile.TiffWriter(tmp_path / "a.tif") as file:
            file.write((HEIGHT / 3).astype(np.uint8))
            file.write(seen, subfiletype=4, photometric="mask")
        if seen.all():
            assert read(tmp_path / "a.tif").notes == ()
        else:
            hidden = int((~seen).sum())
            assert f"a mask in the file that marks {hidden} of 720 samples" in refusal(
                read, tmp_path / "a.tif"
            )
    assert shown.all()


def test_thumbnails_and_pyramids_are_left_out_and_further_pictures_told(tmp_path: Path) -> None:
    large, small = (HEIGHT / 3).astype(np.uint8), (HEIGHT / 3).astype(np.uint8)[::2, ::2]
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(small, subfiletype=1)
        file.write(large)
    with tifffile.TiffWriter(tmp_path / "b.tif") as file:
        file.write(large, subifds=1)
        file.write(small, subfiletype=1)
    with tifffile.TiffWriter(tmp_path / "c.tif") as file:
        file.write(large)
        file.write(small)
    for name, notes in (("a", ()), ("b", ()), ("c", ("first of 2 pictures of different kinds in the file",))):
        signal = read(tmp_path / f"{name}.tif")
        assert (signal.geometry.shape, signal.notes) == ((24, 30), notes)
        np.testing.assert_allclose(signal.grid_values[..., 0], large / 255, rtol=0, atol=1e-7)


STATED = {
    "PhysicalSizeX": 0.5,
    "PhysicalSizeY": 0.25,
    "PhysicalSizeZ": 2.0,
    "TimeIncrement": 100,
    "TimeIncrementUnit": "ms",
}
STEPS = {"T": (0.1, "s"), "Z": (2e-3, "mm"), "Y": (0.25e-3, "mm"), "X": (0.5e-3, "mm")}
SIZES = {"T": 4, "Z": 5, "C": 2, "Y": 12, "X": 14, "S": 3}
STACKS = [
    "YX",
    "CYX",
    "YXS",
    "CYXS",
    "ZYX",
    "CZYX",
    "ZCYX",
    "ZYXS",
    "ZCYXS",
    "TYX",
    "TCYX",
    "CTYX",
    "TYXS",
    "TCYXS",
]


@pytest.mark.parametrize("program", ["ome", "imagej"])
@pytest.mark.parametrize("axes", STACKS)
def test_axes_of_stacks_channels_and_times(tmp_path: Path, axes: str, program: str) -> None:
    imagej_order = [a for a in "TZCYXS" if a in axes]
    axes = "".join(imagej_order) if program == "imagej" else axes
    shape = tuple(SIZES[a] for a in axes)
    stored = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    if program == "ome":
        path = written(tmp_path / "a.ome.tif", stored, metadata={"axes": axes, **STATED})
    else:
        told = {"axes": axes, "unit": "um", "spacing": 2.0, "finterval": 0.1}
        path = written(tmp_path / "a.tif", stored, imagej=True, resolution=(2, 4), metadata=told)
    grid, bands = [a for a in axes if a not in "CS"], [a for a in axes if a in "CS"]
    expected = stored.transpose([axes.index(a) for a in (*grid, *bands)])
    expected = expected.reshape(*[SIZES[a] for a in grid], -1).astype(float)
    signal = read(path)
    found = signal.grid_values.numpy() * (255 if signal.kind == "picture" else 1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert signal.kind == ("picture" if len(grid) == 2 else "volume")
    assert signal.geometry.spacing == pytest.approx([STEPS[a][0] for a in grid])
    assert signal.geometry.units == tuple(STEPS[a][1] for a in grid)
    assert any("axes in s and mm" in note for note in signal.notes) == ("T" in axes)


def test_more_than_three_axes_are_refused_and_a_part_is_read(tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (4, 5, 12, 14)).astype(np.uint8)
    path = written(tmp_path / "a.tif", stored, imagej=True, metadata={"axes": "TZYX"})
    words = "at most three grid axes, got 4 (TZYX); save one slice or one time step of it."
    assert words in refusal(read, path)
    assert words in refusal(volume, path)
    assert "got a stack of 4 axes (TZYX); save one slice at one moment" in refusal(image, path)
    one_slice = written(path, stored[:, 0], imagej=True, metadata={"axes": "TYX", "finterval": 2.0})
    assert read(one_slice).geometry.units[0] == "s"
    assert read(written(path, stored[0], imagej=True, metadata={"axes": "ZYX"})).geometry.shape == (5, 12, 14)
    assert read(written(path, stored[0, 0], imagej=True, metadata={"axes": "YX"})).kind == "picture"


def test_what_a_movie_does_not_say_is_told(tmp_path: Path) -> None:
    movie = np.random.default_rng(0).integers(0, 256, (4, 12, 14)).astype(np.uint8)
    plain = written(tmp_path / "a.tif", movie, imagej=True, metadata={"axes": "TYX"})
    signal = read(plain)
    assert signal.notes == ("the first axis is time; its interval is not stored",)
    assert signal.geometry.frequency_unit == "cycles per array"
    sized = {"axes": "TYX", "unit": "mm"}
    half = read(written(tmp_path / "b.tif", movie, imagej=True, resolution=(2, 2), metadata=sized))
    assert half.geometry.units == ("frame", "mm", "mm")
    assert half.notes[0] == "time is counted in frames, since their interval is not stored"
    by_rate = read(written(tmp_path / "b.tif", movie, imagej=True, metadata={"axes": "TYX", "fps": 25.0}))
    assert (by_rate.geometry.units[0], by_rate.geometry.spacing[0]) == ("s", 0.04)
    assert "pass 3 numbers, in s for axis 1 and in mm for the others" in refusal(read, plain, spacing=2.0)
    given = read(plain, spacing=(0.1, 2.0, 2.0)).geometry
    assert (given.units, given.spacing) == (("s", "mm", "mm"), (0.1, 2.0, 2.0))
    assert "got a series of 4 pictures over time; read it with signals.volume" in refusal(image, plain)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("micron", 1e-3),
        ("\\u00B5m", 1e-3),
        ("nm", 1e-6),
        ("cm", 10),
        ("inch", 25.4),
        ("pixel", 0),
        ("furlong", 0),
    ],
)
def test_units_of_imagej(tmp_path: Path, unit: str, factor: float) -> None:
    stack = np.random.default_rng(0).integers(0, 256, (4, 12, 14)).astype(np.uint8)
    told = {"axes": "ZYX", "unit": unit, "spacing": 3.0}
    grid = read(written(tmp_path / "a.tif", stack, imagej=True, resolution=(2, 4), metadata=told)).geometry
    expected = (3 * factor, factor / 4, factor / 2) if factor else (1 / 4, 1 / 12, 1 / 14)
    assert grid.spacing == pytest.approx(expected)
    assert grid.units == (("mm",) * 3 if factor else ("array",) * 3)


def test_half_a_pixel_size_is_none(tmp_path: Path) -> None:
    stored = HEIGHT.astype(np.float32)
    told = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "pixel"}
    signal = read(written(tmp_path / "a.ome.tif", stored, metadata=told))
    assert signal.geometry.units == ("pixel", "pixel")


def test_significant_bits_say_what_white_is(tmp_path: Path) -> None:
    stored = (HEIGHT * 6).astype(np.uint16)
    for bits, white in ((12, 4095), (16, 65535), (9, 65535)):
        told = {"axes": "YX", "SignificantBits": bits}
        signal = image(written(tmp_path / "a.ome.tif", stored, metadata=told))
        np.testing.assert_allclose(signal.grid_values[..., 0], stored / white, rtol=0, atol=1e-7)


def test_a_scale_that_a_picture_leaves_out_is_told(tmp_path: Path) -> None:
    tags = [(42112, 2, 0, '<GDALMetadata><Item sample="0" role="scale">0.5</Item></GDALMetadata>', True)]
    path = written(
        tmp_path / "a.tif", (HEIGHT / 3).astype(np.uint8), photometric="minisblack", extratags=tags
    )
    assert image(path).notes == ("the file's own scale of values is not applied",)


def test_pages_may_be_taken_as_channels(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 256, (4, 12, 14)).astype(np.uint8)
    path = written(tmp_path / "a.tif", stack, photometric="minisblack")
    signal = read(path, channel_axis=0)
    assert (signal.kind, signal.geometry.shape) == ("array", (12, 14))
    np.testing.assert_array_equal(signal.grid_values, np.moveaxis(stack, 0, -1))
    assert "a channel axis within the 3 axes" in refusal(read, path, channel_axis=3)


MAPS = [
    ([(1024, 1), (3076, 9001)], "m"),
    ([(1024, 1), (3072, 32633)], "m"),
    ([(1024, 1), (3072, 2263), (3076, 9003)], "US survey foot"),
    ([(1024, 1), (3076, 9002)], "foot"),
    ([(1024, 2), (2048, 4326)], "degree"),
    ([(1024, 2), (2054, 9102)], "degree"),
    ([(1024, 1), (3072, 2263)], None),
    ([], None),
]


@pytest.mark.parametrize(("keys", "unit"), MAPS)
def test_pixels_of_maps_have_the_size_and_the_unit_of_the_map(
    tmp_path: Path, keys: list[tuple[int, int]], unit: str | None
) -> None:
    note = () if unit else ("pixel size ignored, since its unit is not stored",)
    heights = written(
        tmp_path / "a.tif", HEIGHT.astype(np.float32), photometric="minisblack", extratags=map_tags(*keys)
    )
    signal = read(heights)
    assert (signal.kind, signal.notes) == ("array", note)
    assert signal.geometry.spacing == ((20.0, 30.0) if unit else (1.0, 1.0))
    assert signal.geometry.units == (unit or "pixel",) * 2
    photo = np.stack([HEIGHT / 3] * 3, -1).astype(np.uint8)
    picture = read(written(tmp_path / "b.tif", photo, photometric="rgb", extratags=map_tags(*keys)))
    assert (picture.kind, picture.notes) == ("picture", note)
    assert picture.geometry.units == (unit or "picture height",) * 2


def test_a_rotated_map_keeps_the_size_of_its_pixels(tmp_path: Path) -> None:
    cos, sin = np.cos(0.3), np.sin(0.3)
    matrix = np.eye(4)
    matrix[:2, :2] = [[30 * cos, 20 * sin], [30 * sin, -20 * cos]]
    tags = [(34264, 12, 16, tuple(matrix.ravel()), True), *map_tags((1024, 1), (3076, 9001), scale=None)]
    grid = read(
        written(tmp_path / "a.tif", HEIGHT.astype(np.int16), photometric="minisblack", extratags=tags)
    ).geometry
    assert grid.spacing == pytest.approx((20.0, 30.0))


def test_values_are_scaled_and_named_as_gdal_says(tmp_path: Path) -> None:
    items = "".join(
        f'<Item name="{role.upper()}" sample="{band}" role="{role}">{text}</Item>'
        for band, told in enumerate([(0.5, -20, "degC", "sea"), (2, 7, "degC", "land")])
        for role, text in zip(("scale", "offset", "unittype", "description"), told, strict=True)
    )
    tags = [(42112, 2, 0, f"<GDALMetadata>{items}</GDALMetadata>", True)]
    stored = np.stack([HEIGHT, HEIGHT[::-1]], -1).astype(np.int16)
    path = written(
        tmp_path / "a.tif", stored, photometric="minisblack", planarconfig="contig", extratags=tags
    )
    signal = read(path)
    assert (signal.kind, signal.channels, signal.value_unit) == ("array", ("sea", "land"), "degC")
    np.testing.assert_allclose(signal.grid_values, stored * [0.5, 2.0] + [-20.0, 7.0], rtol=1e-15)
    assert signal.notes == ("values scaled as the file says",)
    broken = [(42112, 2, 0, "<GDALMetadata><Item name='SCALE' sample='0'>nan</Item><Item>", True)]
    same = read(written(path, stored[..., 0], photometric="minisblack", extratags=broken))
    np.testing.assert_array_equal(same.grid_values[..., 0], stored[..., 0])


@pytest.mark.parametrize(
    "dtype", ["int8", "int16", "int32", "int64", "uint32", "uint64", "float16", "float32", "float64"]
)
def test_other_numbers_than_a_pictures_are_arrays(tmp_path: Path, dtype: str) -> None:
    stored = (HEIGHT / 5).astype(dtype)
    path = written(tmp_path / "a.tif", stored, photometric="minisblack")
    for signal in (read(path), array(path)):
        assert (signal.kind, signal.geometry.units, signal.geometry.spacing) == (
            "array",
            ("pixel",) * 2,
            (1.0, 1.0),
        )
        np.testing.assert_array_equal(signal.grid_values[..., 0], stored.astype(float))
    sized = read(path, spacing=30.0, unit="m").geometry
    assert (sized.spacing, sized.frequency_unit) == ((30.0, 30.0), "cycles per m")
    assert read(path, periodic=True).geometry.periodic == (True, True)
    words = refusal(image, path)
    assert "pass full_range=(black, white) (--full-range on the command line), or read" in words
    assert image(path, full_range=(0.0, 120.0)).kind == read(path, full_range=(0.0, 120.0)).kind == "picture"


@pytest.mark.parametrize("value", [-9999, -32768, 32767])
def test_a_lone_code_for_no_data_is_told(tmp_path: Path, value: int) -> None:
    stored = HEIGHT.astype(np.int16)
    assert read(written(tmp_path / "a.tif", stored, photometric="minisblack")).notes == ()
    stored[3, :4] = value
    words = f"value holds {value} in 4 of 720 samples, far from all others"
    (note,) = read(written(tmp_path / "a.tif", stored, photometric="minisblack")).notes
    assert words in note
    tags = [(42112, 2, 0, '<GDALMetadata><Item sample="0" role="scale">0.5</Item></GDALMetadata>', True)]
    scaled = read(written(tmp_path / "a.tif", stored, photometric="minisblack", extratags=tags))
    assert words in scaled.notes[-1]


def test_white_of_a_picture_is_no_code_unless_it_lies_apart(tmp_path: Path) -> None:
    bright = (HEIGHT / HEIGHT.max() * 65535).astype(np.uint16)
    assert read(written(tmp_path / "a.tif", bright, photometric="minisblack")).notes == ()
    faint = (HEIGHT * 4).astype(np.uint16)
    faint[0, :3] = 65535
    assert (
        "gray holds 65535 in 3 of 720 samples"
        in read(written(tmp_path / "a.tif", faint, photometric="minisblack")).notes[0]
    )


def test_what_has_no_arithmetic_or_no_colours_is_refused_in_true_words(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", HEIGHT.astype(np.complex64), photometric="minisblack")
    assert "real numbers, got complex numbers" in refusal(read, path)
    parts = written(
        path,
        np.stack([HEIGHT, HEIGHT.T[:24, :24].mean() + HEIGHT], -1).astype(np.float32),
        photometric="minisblack",
        planarconfig="contig",
    )
    assert read(parts).channels == ("channel 1", "channel 2")
    colours = np.random.default_rng(0).integers(0, 256, (24, 30, 3)).astype(np.uint8)
    inks = {"photometric": "rgb", "extratags": [(530, 3, 2, (1, 1), True)]}
    for blocks in (written(path, colours, photometric="rgb"), written(tmp_path / "b.tif", colours, **inks)):
        with tifffile.TiffFile(blocks, mode="r+b") as tif:
            tif.pages.first.tags["PhotometricInterpretation"].overwrite(6)
    assert "colour differences stored for blocks of pixels (subsampled YCbCr); convert" in refusal(read, path)
    y, blue, red = (colours[..., i].astype(float) - (0, 128, 128)[i] for i in range(3))
    rgb = np.stack([y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue], -1)
    signal = read(tmp_path / "b.tif")
    np.testing.assert_allclose(signal.grid_values, np.clip(rgb / 255, 0, 1), rtol=0, atol=1e-5)
    assert signal.notes == ("converted from YCbCr to RGB",)
