"""NIfTI volumes of both versions, in one file or as a pair, and FreeSurfer's: values, axes, distances, doubts."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from overtone.errors import InputError
from overtone.signals.assemble import check_shape, make_signal
from overtone.signals.geometry import Grid
from overtone.signals.readers.files import check_size, decoding, quiet
from overtone.signals.readers.nifti_file import check_length, opened, values_of
from overtone.signals.readers.numbers import check_numeric, real
from overtone.signals.readers.placement import grid_with_spacing
from overtone.signals.signal import Signal

VOLUMES = (".nii", ".nii.gz", ".hdr", ".hdr.gz", ".img", ".img.gz", ".mgh", ".mgz")
"""Endings of the names that `nifti` reads."""

_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 1e-3}
_TIMES = {
    8: (1.0, "s"),
    16: (1e-3, "s"),
    24: (1e-6, "s"),
    32: (1.0, "Hz"),
    40: (1.0, "ppm"),
    48: (1.0, "rad/s"),
}
_COLOURS = {"R": "red", "G": "green", "B": "blue", "A": "alpha"}
_CIFTI = range(3000, 3100)
_SAME = 1e-3
_KINDS = {1: "series", 2: "array", 3: "volume"}


def is_nifti_name(name: str) -> bool:
    """Whether a file's name ends like a NIfTI or FreeSurfer volume."""
    return name.lower().endswith(VOLUMES)


def read_nifti(path: Path, spacing: float | tuple[float, ...] | None, where: str) -> Signal:
    """The volume of a file, its values scaled as the header says and its axes those of the file.

    Args:
        path: An existing file whose name `is_nifti_name`.
        spacing: Distances in mm (of time: s) in place of the file's.
        where: The file, for messages.

    Raises:
        InputError: If it is damaged, announces too much, or holds other than 1 to 3 grid axes of real numbers.
    """
    with decoding(path, "a NIfTI volume"), quiet("nibabel.global"):
        picture, raw = opened(path, where)
        stored = picture.get_data_dtype()
        bands = tuple(stored.names or ())
        if not bands:
            check_numeric(stored, where)
        check_size(picture.shape, max(stored.itemsize, 4), where)
        axes, shape = _layout(picture, where)
        check_shape(shape, where)
        check_length(picture, raw)
        values, doubts = values_of(picture, raw)
        if bands:
            values = np.stack([values[name] for name in bands], -1)
        numbers = real(values, where).reshape(*shape, -1)
        distances, notes = _distances(picture, raw, axes)
    if spacing is not None:
        grid, notes = (
            grid_with_spacing("".join(a if a == "T" else "Z" for a in axes), shape, spacing, where),
            (),
        )
    else:
        grid = _grid(shape, distances, where)
    names = tuple(_COLOURS.get(name, name) for name in bands) or None
    return make_signal(
        torch.from_numpy(np.ascontiguousarray(numbers)).reshape(-1, numbers.shape[-1]),
        grid,
        kind=_KINDS[len(shape)],
        name=path.name,
        where=where,
        channels=names,
        notes=notes + doubts,
    )


def _layout(picture: Any, where: str) -> tuple[str, tuple[int, ...]]:
    """Letters and lengths of the grid axes; what is left over are channels."""
    shape, header = tuple(int(n) for n in picture.shape), picture.header
    intent = int(header["intent_code"]) if "intent_code" in header else 0
    if intent in _CIFTI:
        raise InputError(
            "a volume",
            f"a CIFTI-2 matrix of shape {tuple(n for n in shape if n > 1)}, whose columns are places on the cortex",
            "load it with nibabel and pass its values to signals.array or signals.points",
            where,
        )
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) == 5 and shape[3] == 1:
        shape = shape[:3]
    axes = "ijkT"[: len(shape)]
    if len(shape) == 4 and 1 in shape[:3]:
        left = [i for i, n in enumerate(shape) if n > 1]
        axes, shape = "".join(axes[i] for i in left), tuple(shape[i] for i in left)
    if not 1 <= len(shape) <= 3 or not axes:
        many = f", a series of {shape[3]} volumes" if len(shape) == 4 else ""
        raise InputError("three axes", f"shape {shape}{many}", "save one volume of the series", where)
    return axes, shape


def _distances(picture: Any, raw: Any, axes: str) -> tuple[list[tuple[float, str]], tuple[str, ...]]:
    """(distance, unit) of each axis, and notes on what the file leaves open or says twice."""
    header = picture.header
    units = int(header["xyzt_units"]) if "xyzt_units" in header else 2
    factor = _MM.get(units & 7)
    sizes = [abs(float(z)) for z in header.get_zooms()]
    notes = []
    if factor is None or units & 7 == 0:
        factor = 1.0
        notes.append("voxel size taken to be in mm, since the file names no unit")
    if "pixdim" in raw:
        sizes = [abs(float(z)) for z in raw["pixdim"][1 : len(sizes) + 1]]
    lengths, doubts = _lengths(header, sizes)
    doubts = doubts if set(axes) & set("ijk") else ()
    found = []
    for axis in axes:
        if axis != "T":
            found.append((lengths["ijk".index(axis)] * factor, "mm"))
            continue
        step, unit = _TIMES.get(units & 56, (0.0, "volume"))
        size = sizes[3] if len(sizes) > 3 else 0.0
        if step * size > 0:
            found.append((step * size, unit))
        else:
            found.append((1.0, "volume"))
            notes.append("the fourth axis is counted in volumes, since its step or its unit is not stored")
    listed = " and ".join(dict.fromkeys(unit for _, unit in found))
    if " and " in listed:
        notes.append(f"axes in {listed}: a band's frequency mixes the two, so it depends on these units")
    return found, (*notes, *doubts)


def _lengths(header: Any, sizes: list[float]) -> tuple[list[float], tuple[str, ...]]:
    """Voxel sizes, from the sform where it is valid, and notes where it disagrees or is skewed."""
    plain = (sizes + [1.0] * 3)[:3]
    if "sform_code" not in header or int(header["sform_code"]) <= 0 or len(sizes) < 3:
        return plain, ()
    matrix = np.asarray(header.get_sform(), np.float64)[:3, :3]
    norms = [float(n) for n in np.linalg.norm(matrix, axis=0)]
    if not all(math.isfinite(n) and n > 0 for n in norms):
        return plain, ("sform ignored, since it gives a voxel no size",)
    notes = []
    if any(abs(a - b) > _SAME * max(a, b) for a, b in zip(norms, plain, strict=True)):
        of_sform, of_header = (" x ".join(f"{s:g}" for s in each) for each in (norms, plain))
        notes.append(f"voxel size {of_sform} taken from the sform, which disagrees with pixdim's {of_header}")
    directions = matrix / np.asarray(norms)
    if np.abs(directions.T @ directions - np.eye(3)).max() > _SAME:
        notes.append("the sform's axes are not at right angles; taken as if they were")
    return norms, tuple(notes)


def _grid(shape: tuple[int, ...], distances: list[tuple[float, str]], where: str) -> Grid:
    if not all(math.isfinite(distance) and distance > 0 for distance, _ in distances):
        raise InputError(
            "voxels of a positive size",
            f"{' x '.join(f'{d:g}' for d, _ in distances)}",
            "pass spacing= (--spacing on the command line)",
            where,
        )
    n = len(shape)
    spacing, units = zip(*distances, strict=True)
    return Grid(shape, spacing, (0.0,) * n, units, (False,) * n)
