from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from overtone.signals import read, volume
from tests.signals.refusals import refusal


def values(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape)


def nifti(path: Path, data: np.ndarray, zooms: tuple[float, ...], unit: str | None = "mm") -> Path:
    picture = nibabel.Nifti1Image(data, np.diag([*zooms[:3], 1.0]))
    picture.header.set_zooms(zooms)
    picture.header.set_xyzt_units(unit)
    nibabel.save(picture, path)
    return path


@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
def test_nifti_voxels_are_in_mm(tmp_path: Path, suffix: str) -> None:
    data = values(4, 5, 6).astype(np.float32)
    signal = read(nifti(tmp_path / f"a.{suffix}", data, (0.5, 1.0, 2.5)))
    assert signal.kind == "volume"
    assert signal.geometry.shape == (4, 5, 6)
    assert signal.geometry.spacing == (0.5, 1.0, 2.5)
    assert signal.geometry.frequency_unit == "cycles per mm"
    assert signal.geometry.nyquist == (1.0, 0.5, 0.2)
    assert signal.values.dtype == torch.float32
    np.testing.assert_array_equal(signal.grid_values[..., 0].numpy(), data)
    assert signal.peak == pytest.approx(float(data.max() - data.min()))
    assert signal.notes == ()


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000.0), ("micron", 1e-3), ("mm", 1.0)])
def test_nifti_units(tmp_path: Path, unit: str, factor: float) -> None:
    signal = volume(nifti(tmp_path / "a.nii", values(3, 3, 3), (1.0, 2.0, 4.0), unit))
    assert signal.geometry.spacing == pytest.approx((factor, 2 * factor, 4 * factor))


def test_a_nifti_without_a_unit_says_so_and_a_spacing_overrides(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", values(3, 3, 3), (2.0, 2.0, 2.0), None)
    assert volume(path).notes == ("voxel size taken to be in mm, since the file names no unit",)
    given = volume(path, spacing=(1.0, 2.0, 3.0))
    assert given.geometry.spacing == (1.0, 2.0, 3.0)
    assert given.notes == ()


def test_nifti_values_are_scaled_to_physical_ones(tmp_path: Path) -> None:
    stored = np.arange(27, dtype=np.int16).reshape(3, 3, 3)
    picture = nibabel.Nifti1Image(stored, np.eye(4))
    picture.header.set_slope_inter(2.0, -1000.0)
    nibabel.save(picture, tmp_path / "a.nii")
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    raw[112:120] = np.array([2.0, -1000.0], "<f4").tobytes()
    (tmp_path / "a.nii").write_bytes(raw)
    found = volume(tmp_path / "a.nii").grid_values[..., 0].numpy()
    raw_values = np.asarray(nibabel.load(tmp_path / "a.nii").dataobj.get_unscaled())
    np.testing.assert_array_equal(found, raw_values * 2.0 - 1000.0)


def test_trailing_axes_of_one_sample_are_dropped_and_series_refused(tmp_path: Path) -> None:
    assert volume(nifti(tmp_path / "a.nii", values(3, 4, 5, 1), (1.0, 1.0, 1.0, 1.0))).geometry.shape == (
        3,
        4,
        5,
    )
    path = nifti(tmp_path / "b.nii", values(3, 4, 5, 2), (1.0, 1.0, 1.0, 1.0))
    assert "three axes, got shape (3, 4, 5, 2)" in refusal(volume, path)
    path = nifti(tmp_path / "c.nii", values(3, 4, 1), (1.0, 1.0, 1.0))
    assert "at least 2 samples along every axis, got shape (3, 4, 1)" in refusal(volume, path)


def test_broken_nifti_files_are_refused(tmp_path: Path) -> None:
    whole = nifti(tmp_path / "a.nii", values(6, 6, 6), (1.0, 1.0, 1.0)).read_bytes()
    (tmp_path / "b.nii").write_bytes(whole[:800])
    assert "a complete file that contains a NIfTI volume" in refusal(volume, tmp_path / "b.nii")
    (tmp_path / "c.nii.gz").write_bytes(gzip.compress(whole)[:500])
    assert "a complete file that contains a NIfTI volume, got gzip data" in refusal(
        volume, tmp_path / "c.nii.gz"
    )
    (tmp_path / "d.nii").write_text("no volume")
    assert "a complete file that contains a NIfTI volume, got text" in refusal(volume, tmp_path / "d.nii")


def test_a_nifti_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    raw = bytearray(nifti(tmp_path / "a.nii", values(3, 3, 3), (1.0, 1.0, 1.0)).read_bytes())
    raw[42:48] = np.array([3000, 3000, 3000], "<i2").tobytes()
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(raw))
    text = refusal(volume, tmp_path / "b.nii.gz")
    assert "at most 4 GiB of samples, got a header that announces shape (3000, 3000, 3000), 201 GiB" in text


def test_complex_nifti_is_refused(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", values(3, 3, 3).astype(np.complex64), (1.0, 1.0, 1.0))
    assert "real numbers, got complex numbers (complex64)" in refusal(volume, path)


def test_npy_and_arrays_have_no_channels_here(tmp_path: Path) -> None:
    data = values(5, 6, 3)
    np.save(tmp_path / "a.npy", data)
    for source in (tmp_path / "a.npy", data, torch.from_numpy(data)):
        signal = volume(source)
        assert signal.geometry.shape == (5, 6, 3)
        assert signal.geometry.frequency_unit == "cycles per array"
        assert signal.values.dtype == torch.float64
        assert volume(source, spacing=2.0).geometry.frequency_unit == "cycles per mm"
    np.savez(tmp_path / "a.npz", one=data, two=data + 1)
    assert float(volume(tmp_path / "a.npz", key="two").values[0]) == data[0, 0, 0] + 1
    assert "three axes, got shape (5, 6)" in refusal(volume, data[..., 0])
    assert "one spacing, or one per axis (3), got 2" in refusal(volume, data, spacing=(1.0, 2.0))
