"""Volumes: three grid axes, in mm where the file says how large a voxel is."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.signals.assemble import assemble, check_shape
from overtone.signals.readers import numpy_file, tiff_file
from overtone.signals.readers.array import Lattice, on_lattice
from overtone.signals.readers.files import PathLike, check_size, decoding, existing, is_tiff
from overtone.signals.readers.numbers import check_numeric, real, tensor
from overtone.signals.signal import Signal

_MM = {"mm": 1.0, "meter": 1000.0, "micron": 1e-3, "unknown": 1.0}


def volume(
    source: object | PathLike,
    spacing: float | tuple[float, float, float] | None = None,
    key: str | None = None,
) -> Signal:
    """A volume: NIfTI (.nii, .nii.gz), a TIFF stack, a `.npy` or `.npz` file, or an array of three axes.

    NIfTI values are scaled as the header says; the axes are those of the file (i, j, k) and the coordinates
    are voxel sizes times indices, in mm (the rotation to scanner space is not applied).

    Args:
        source: Path of the file, or the array.
        spacing: Distance of voxels in mm, one or one per axis; overrides the file. If neither says,
            coordinates are in [0, 1) per axis.
        key: Name of the array in a `.npz` of several.

    Returns:
        A signal of kind "volume" in the values' physical unit: float32, or float64 if the source or its
        scaling needs
            it.

    Raises:
        InputError: If the source is missing, damaged, announces too much, or is no volume of finite values
            that vary.
    """
    if not isinstance(source, str | os.PathLike):
        return _bare(tensor(source, "array"), spacing, "array", "array")
    path, where = existing(source), str(source)
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return _nifti(path, spacing, where)
    if not is_tiff(path):
        return _bare(tensor(numpy_file.load(path, key), where), spacing, path.name, where)
    stored, size = tiff_file.read_stack(path)
    mm = spacing if spacing is not None or size is None else size.volume
    samples = torch.from_numpy(real(stored, where))
    read = on_lattice(samples, Lattice(mm, unit=None if mm is None else "mm"), name=path.name, where=where)
    if size is not None and mm is None:
        return replace(read, notes=("pixel size ignored, since the distance of the slices is not stored",))
    return read


def _bare(values: Tensor, spacing: float | tuple[float, ...] | None, name: str, where: str) -> Signal:
    if values.ndim != 3:
        raise InputError(
            "three axes",
            f"shape {tuple(values.shape)}",
            "pass one volume, or read it with signals.array",
            where,
        )
    lattice = Lattice(spacing, unit=None if spacing is None else "mm")
    return on_lattice(values.unsqueeze(-1), lattice, name=name, where=where)


def _nifti(path: Path, spacing: float | tuple[float, ...] | None, where: str) -> Signal:
    with decoding(path, "a NIfTI volume"):
        picture = nibabel.Nifti1Image.from_filename(path)
        check_numeric(picture.get_data_dtype(), where)
        check_size(picture.shape, max(picture.get_data_dtype().itemsize, 4), where)
        shape = picture.shape
        while len(shape) > 3 and shape[-1] == 1:
            shape = shape[:-1]
        if len(shape) != 3:
            raise InputError("three axes", f"shape {shape}", "save one volume of the series", where)
        check_shape(shape, where)
        values = real(np.asanyarray(picture.dataobj), where).reshape(shape)
        unit = picture.header.get_xyzt_units()[0]
        sizes = tuple(float(z) * _MM[unit] for z in picture.header.get_zooms()[:3])
    mm = sizes if spacing is None else spacing
    assumed = ("voxel size taken to be in mm, since the file names no unit",) * (
        unit == "unknown" and spacing is None
    )
    return assemble(
        torch.from_numpy(values).reshape(-1, 1),
        Lattice(mm, unit="mm").grid(shape, where),
        kind="volume",
        name=path.name,
        where=where,
        notes=assumed,
    )
