"""Volumes: three grid axes, in mm where the file says how large a voxel is."""

from __future__ import annotations

import os

from torch import Tensor

from overtone.errors import InputError
from overtone.signals.readers.array import ArrayLattice, on_lattice
from overtone.signals.readers.described import refuse_described
from overtone.signals.readers.files import PathLike, existing, is_tiff
from overtone.signals.readers.nifti import is_nifti_name, read_nifti
from overtone.signals.readers.numbers import tensor
from overtone.signals.readers.numpy_file import load_numpy
from overtone.signals.readers.placement import grid_with_spacing
from overtone.signals.readers.raster import raster_signal, stored_values
from overtone.signals.readers.tiff_file import tiff_outline
from overtone.signals.signal import Signal


def volume(
    source: object | PathLike,
    spacing: float | tuple[float, float, float] | None = None,
    key: str | None = None,
) -> Signal:
    """A volume: NIfTI (.nii, .nii.gz, .hdr with .img), FreeSurfer's (.mgz), a TIFF stack, `.npy`, `.npz` or an array.

    NIfTI values are scaled as the header says; the axes are those of the file (i, j, k) and the coordinates
    are voxel sizes times indices, in mm (the rotation to scanner space is not applied). The size of a voxel is
    that of a valid sform, else that of the header. In series of pictures the axis of time is in s where the file
    says how long a step is, else in frames. Channels of a stack become the signal's.

    Args:
        source: Path of the file, or the array.
        spacing: Distance of voxels in mm, one or one per axis (of time: in s); overrides the file. If neither says,
            coordinates are in [0, 1) per axis.
        key: Name of the array in a `.npz` of several.

    Returns:
        A signal of kind "volume" in the values' physical unit: float32, or float64 if the source or
            its scaling needs it.

    Raises:
        InputError: If the source is missing, damaged, announces too much, or is no volume of finite values
            that vary.
    """
    if not isinstance(source, str | os.PathLike):
        refuse_described(source, "array")
        return _bare(tensor(source, "array"), spacing, "array", "array")
    path, where = existing(source), str(source)
    if is_nifti_name(path.name):
        return read_nifti(path, spacing, where)
    if not is_tiff(path):
        return _bare(tensor(load_numpy(path, key), where), spacing, path.name, where)
    axes = tiff_outline(path).axes
    if len(axes) == 2:
        raise InputError("a stack of slices", "one picture", "read it with signals.read", where)
    stored = stored_values(path)
    shape = stored.samples.shape[:-1]
    grid = None if spacing is None else grid_with_spacing(stored.axes, shape, spacing, where)
    return raster_signal(stored, grid=grid, name=path.name, where=where)


def _bare(values: Tensor, spacing: float | tuple[float, ...] | None, name: str, where: str) -> Signal:
    if values.ndim != 3:
        raise InputError(
            "three axes",
            f"shape {tuple(values.shape)}",
            "pass one volume, or read it with signals.array",
            where,
        )
    lattice = ArrayLattice(spacing, unit=None if spacing is None else "mm")
    return on_lattice(values.unsqueeze(-1), lattice, name=name, where=where)
