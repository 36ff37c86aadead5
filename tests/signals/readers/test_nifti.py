"""NIfTI headers of every kind, sound and odd: what they say is done or told."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from overtone.signals import array, read, volume
from tests.signals.refusals import refusal

VALUES = np.random.default_rng(0).normal(size=(5, 6, 7)).astype(np.float32)
SIZES = np.diag([2.0, 3.0, 4.0, 1.0])


def saved(
    path: Path,
    data: np.ndarray = VALUES,
    affine: np.ndarray | None = SIZES,
    kind: Any = nibabel.Nifti1Image,
    **header: Any,
) -> Path:
    picture = kind(data, affine)
    picture.header.set_xyzt_units(header.pop("space", "mm"), header.pop("time", None))
    if "zooms" in header:
        picture.header.set_zooms(header["zooms"])
    nibabel.save(picture, path)
    return path


def edited(path: Path, offset: int, form: str, *values: Any) -> Path:
    raw = bytearray(saved(path).read_bytes())
    struct.pack_into("<" + form, raw, offset, *values)
    path.write_bytes(raw)
    return path


KINDS = [
    (nibabel.Nifti1Image, "a.nii"),
    (nibabel.Nifti1Image, "a.nii.gz"),
    (nibabel.Nifti2Image, "a.nii"),
    (nibabel.Nifti2Image, "a.nii.gz"),
    (nibabel.Nifti1Pair, "a.img"),
    (nibabel.Nifti1Pair, "a.img.gz"),
    (nibabel.Nifti2Pair, "a.img"),
    (nibabel.Nifti2Pair, "a.img.gz"),
]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_both_versions_in_one_file_or_two(tmp_path: Path, kind: Any, name: str, order: str) -> None:
    picture = kind(VALUES.astype(order + "f4"), SIZES, kind.header_class(endianness=order))
    picture.header.set_xyzt_units("mm")
    picture.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"some words" * 20))
    nibabel.save(picture, tmp_path / name)
    for path in {tmp_path / name, tmp_path / name.replace(".img", ".hdr")}:
        signal = read(path)
        assert (signal.geometry.spacing, signal.geometry.units, signal.notes) == (
            (2.0, 3.0, 4.0),
            ("mm",) * 3,
            (),
        )
        np.testing.assert_array_equal(signal.grid_values[..., 0], VALUES)


def test_half_a_pair_says_what_is_missing_and_where_it_belongs(tmp_path: Path) -> None:
    saved(tmp_path / "a.img", kind=nibabel.Nifti1Pair)
    header = (tmp_path / "a.hdr").rename(tmp_path / "elsewhere")
    assert "no a.hdr beside it, which holds the header; put both into one folder" in refusal(
        read, tmp_path / "a.img"
    )
    header.rename(tmp_path / "a.hdr")
    assert read(tmp_path / "a.img").geometry.shape == (5, 6, 7)
    (tmp_path / "a.img").unlink()
    assert "no a.img beside it, which holds the values" in refusal(read, tmp_path / "a.hdr")


def test_names_that_hide_compression_are_told_and_renaming_works(tmp_path: Path) -> None:
    plain = saved(tmp_path / "a.nii").read_bytes()
    (tmp_path / "b.nii.gz").write_bytes(plain)
    assert "rename it to b.nii." in refusal(read, tmp_path / "b.nii.gz")
    assert read((tmp_path / "b.nii.gz").rename(tmp_path / "b.nii")).geometry.shape == (5, 6, 7)
    (tmp_path / "c.nii").write_bytes(gzip.compress(plain))
    assert "rename it to c.nii.gz." in refusal(read, tmp_path / "c.nii")
    assert read((tmp_path / "c.nii").rename(tmp_path / "c.nii.gz")).geometry.shape == (5, 6, 7)


TURN = np.array([[np.cos(0.4), -np.sin(0.4), 0], [np.sin(0.4), np.cos(0.4), 0], [0, 0, 1]])
AFFINES = {
    "flipped": np.diag([-2.0, -3.0, 4.0]),
    "oblique": TURN @ np.diag([2.0, 3.0, 4.0]),
    "permuted": np.array([[0, 0, 4.0], [2.0, 0, 0], [0, 3.0, 0]]),
}


@pytest.mark.parametrize("name", AFFINES)
def test_voxels_keep_their_size_however_the_axes_lie(tmp_path: Path, name: str) -> None:
    affine = np.eye(4)
    affine[:3, :3] = AFFINES[name]
    signal = read(saved(tmp_path / "a.nii", affine=affine))
    assert signal.geometry.spacing == pytest.approx((2.0, 3.0, 4.0), rel=1e-6)
    assert signal.notes == ()
    np.testing.assert_array_equal(signal.grid_values[..., 0], VALUES)


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_a_valid_sform_says_the_size_and_disagreement_is_told(tmp_path: Path, kind: Any) -> None:
    def voxels(qform: np.ndarray | None, sform: np.ndarray | None) -> Any:
        picture = kind(VALUES, None)
        picture.header.set_xyzt_units("mm")
        picture.set_qform(qform, int(qform is not None))
        picture.set_sform(sform, int(sform is not None))
        nibabel.save(picture, tmp_path / "a.nii")
        return read(tmp_path / "a.nii")

    told = "voxel size 2 x 3 x 4 taken from the sform, which disagrees with pixdim's 1 x 1 x 1"
    for qform in (np.eye(4), None):
        found = voxels(qform, SIZES)
        assert (found.geometry.spacing, found.notes) == ((2.0, 3.0, 4.0), (told,))
    assert voxels(SIZES, None).geometry.spacing == (2.0, 3.0, 4.0)
    assert voxels(SIZES, SIZES).notes == ()
    assert voxels(SIZES, np.zeros((4, 4))).notes == ("sform ignored, since it gives a voxel no size",)
    sheared = SIZES.copy()
    sheared[0, 1] = 1.0
    assert "the sform's axes are not at right angles; taken as if they were" in voxels(None, sheared).notes


def test_voxels_without_a_size_are_refused_and_a_spacing_helps(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii", affine=None)
    raw = bytearray(path.read_bytes())
    struct.pack_into("<fff", raw, 80, -2.0, 0.0, 3.0)
    struct.pack_into("<hh", raw, 252, 0, 0)
    path.write_bytes(raw)
    assert (
        "voxels of a positive size, got 2 x 0 x 3; pass spacing= (--spacing on the command line)"
        in refusal(read, path)
    )
    assert read(path, spacing=(2.0, 1.0, 3.0)).geometry.spacing == (2.0, 1.0, 3.0)


@pytest.mark.parametrize(("code", "factor"), [(1, 1000.0), (2, 1.0), (3, 1e-3), (0, 1.0), (7, 1.0)])
def test_units_of_length(tmp_path: Path, code: int, factor: float) -> None:
    signal = read(edited(tmp_path / "a.nii", 123, "B", code))
    assert signal.geometry.spacing == pytest.approx((2 * factor, 3 * factor, 4 * factor))
    assert bool(signal.notes) == (code in (0, 7))


@pytest.mark.parametrize(
    ("time", "step", "found"),
    [
        ("sec", 1.5, (1.5, "s")),
        ("msec", 1500, (1.5, "s")),
        ("usec", 2e6, (2.0, "s")),
        ("hz", 20, (20.0, "Hz")),
        ("ppm", 2, (2.0, "ppm")),
        (None, 3, (1.0, "volume")),
        ("sec", 0, (1.0, "volume")),
    ],
)
def test_the_axis_of_time_is_never_a_length(
    tmp_path: Path, time: str | None, step: float, found: tuple[float, str]
) -> None:
    movie = np.random.default_rng(0).normal(size=(5, 6, 1, 8)).astype(np.float32)
    path = saved(tmp_path / "a.nii", movie, np.diag([2.0, 2, 2, 1]), zooms=(2.0, 2.0, 2.0, step), time=time)
    grid = read(path).geometry
    assert (grid.shape, grid.spacing[:2], grid.units[:2]) == ((5, 6, 8), (2.0, 2.0), ("mm", "mm"))
    assert (grid.spacing[2], grid.units[2]) == (pytest.approx(found[0]), found[1])
    assert any("counted in volumes" in note for note in read(path).notes) == (found[1] == "volume")
    assert read(path, spacing=(1.0, 1.0, 0.5)).geometry.units == ("mm", "mm", "s")
    assert "pass 3 numbers, in s for axis 3 and in mm for the others" in refusal(read, path, spacing=1.0)
    course = np.random.default_rng(0).normal(size=(1, 1, 1, 30)).astype(np.float32)
    path = saved(tmp_path / "b.nii", course, np.diag([2.0, 2, 2, 1]), zooms=(2.0, 2.0, 2.0, step), time=time)
    assert (read(path).kind, read(path).geometry.units) == ("series", (found[1],))
    assert read(path, spacing=0.5).geometry.units == ("s",)


def test_series_of_volumes_are_refused_and_one_volume_is_read(tmp_path: Path) -> None:
    many = np.random.default_rng(0).normal(size=(5, 6, 7, 8)).astype(np.float32)
    assert "got shape (5, 6, 7, 8), a series of 8 volumes; save one volume" in refusal(
        read, saved(tmp_path / "a.nii", many)
    )
    assert read(saved(tmp_path / "a.nii", many[..., 0])).geometry.shape == (5, 6, 7)


def test_a_single_slice_is_refused_and_the_slice_alone_is_read(tmp_path: Path) -> None:
    for shape in ((5, 6, 1), (5, 1, 6), (1, 5, 6)):
        words = refusal(read, saved(tmp_path / "a.nii", VALUES[:, :, :1].reshape(shape)))
        assert "drop the axes of one sample" in words
    signal = read(saved(tmp_path / "a.nii", VALUES[:, :, 0]))
    assert (signal.kind, signal.geometry.shape, signal.geometry.spacing) == ("array", (5, 6), (2.0, 3.0))


def test_vectors_and_colours_are_channels(tmp_path: Path) -> None:
    for count in (3, 6, 9):
        field = np.random.default_rng(0).normal(size=(5, 6, 7, 1, count)).astype(np.float32)
        signal = read(saved(tmp_path / "a.nii", field))
        assert signal.channels == tuple(f"channel {c + 1}" for c in range(count))
        np.testing.assert_array_equal(signal.grid_values, field[:, :, :, 0])
    colours = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3)).astype(np.uint8)
    packed = np.ascontiguousarray(colours).view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    signal = read(saved(tmp_path / "a.nii", packed))
    assert signal.channels == ("red", "green", "blue")
    np.testing.assert_array_equal(signal.grid_values, colours)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_every_real_type(tmp_path: Path, dtype: str) -> None:
    stored = (np.arange(210).reshape(5, 6, 7) % 100).astype(dtype)
    nibabel.save(nibabel.Nifti1Image(stored, SIZES, dtype=stored.dtype), tmp_path / "a.nii")
    np.testing.assert_array_equal(read(tmp_path / "a.nii").grid_values[..., 0], stored.astype(float))


@pytest.mark.parametrize(
    ("slope", "inter", "factor", "shift", "note"),
    [
        (2.0, 1.0, 2.0, 1.0, None),
        (0.0, 0.0, 1.0, 0.0, None),
        (0.0, 5.0, 1.0, 0.0, "values not scaled, since the file's slope is 0"),
        (np.nan, 5.0, 1.0, 0.0, "values not scaled, since the file's slope is nan"),
        (np.inf, 0.0, 1.0, 0.0, "values not scaled, since the file's slope is inf"),
    ],
)
def test_scales_of_values(
    tmp_path: Path, slope: float, inter: float, factor: float, shift: float, note: str | None
) -> None:
    signal = read(edited(tmp_path / "a.nii", 112, "ff", slope, inter))
    np.testing.assert_array_equal(signal.grid_values[..., 0], VALUES.astype(np.float64) * factor + shift)
    assert signal.notes == ((note,) if note else ())


def test_values_never_begin_within_the_header(tmp_path: Path) -> None:
    signal = read(edited(tmp_path / "a.nii", 108, "f", 0.0))
    np.testing.assert_array_equal(signal.grid_values[..., 0], VALUES)
    assert signal.notes == ("values read from byte 352, since the stored offset of 0 lies within the header",)
    for offset in (100.0, -5.0, np.nan, np.inf):
        assert "set it in the header, for a single file to 352 or more" in refusal(
            read, edited(tmp_path / "a.nii", 108, "f", offset)
        )
    assert "a complete file that contains a NIfTI volume" in refusal(
        read, edited(tmp_path / "a.nii", 108, "f", 1e9)
    )
    assert "got scl_slope 2 with scl_inter nan; set scl_inter" in refusal(
        read, edited(tmp_path / "a.nii", 112, "ff", 2.0, np.nan)
    )


@pytest.mark.parametrize("code", [0, 1, 255, 999, -7])
def test_types_that_are_not_read_are_named(tmp_path: Path, code: int) -> None:
    words = refusal(read, edited(tmp_path / "a.nii", 70, "h", code))
    assert f"values of a type that nibabel reads, got datatype {code}; convert it to float32" in words


def analyze(path: Path) -> None:
    nibabel.save(nibabel.AnalyzeImage(VALUES, None), path)


def cifti(path: Path) -> None:
    places = nibabel.cifti2.BrainModelAxis.from_mask(np.ones((3, 4, 5), bool), affine=np.eye(4))
    course = np.random.default_rng(0).normal(size=(10, 60)).astype(np.float32)
    nibabel.save(nibabel.Cifti2Image(course, (nibabel.cifti2.SeriesAxis(0, 1, 10), places)), path)


def radiance(path: Path) -> None:
    path.write_bytes(b"#?RADIANCE\n" + bytes(600))
    path.with_suffix(".img").write_bytes(b"x")


@pytest.mark.parametrize(
    ("make", "name", "words"),
    [
        (analyze, "a.img", "got an Analyze 7.5 volume, which does not say how"),
        (cifti, "a.dtseries.nii", "got a CIFTI-2 matrix of shape (10, 60)"),
        (radiance, "a.hdr", "got a Radiance picture; convert it to PFM or TIFF"),
    ],
)
def test_relatives_are_named(tmp_path: Path, make: Callable[[Path], None], name: str, words: str) -> None:
    make(tmp_path / name)
    assert words in refusal(volume, tmp_path / name)
    if make is cifti:
        assert array(nibabel.load(tmp_path / name).get_fdata()).geometry.shape == (10, 60)


@pytest.mark.parametrize("name", ["a.mgh", "a.mgz"])
def test_freesurfer_volumes(tmp_path: Path, name: str) -> None:
    nibabel.save(nibabel.MGHImage(VALUES, SIZES), tmp_path / name)
    signal = read(tmp_path / name)
    assert (signal.geometry.spacing, signal.geometry.units) == ((2.0, 3.0, 4.0), ("mm",) * 3)
    np.testing.assert_array_equal(signal.grid_values[..., 0], VALUES)


def test_a_code_for_no_data_is_told(tmp_path: Path) -> None:
    stored = (VALUES * 100).astype(np.int16)
    stored[0] = -32768
    words = "value holds -32768 in 42 of 210 samples, far from all others"
    (note,) = read(saved(tmp_path / "a.nii", stored)).notes
    assert words in note
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    raw[112:120] = np.array([0.5, 3.0], "<f4").tobytes()
    (tmp_path / "a.nii").write_bytes(raw)
    (note,) = read(tmp_path / "a.nii").notes
    assert words in note
