"""Reader of volumes with three grid axes, in mm if the file contains the voxel size."""

from __future__ import annotations

import gzip
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from overtone._utils.optional import OptionalModule
from overtone.errors import InputError
from overtone.signals._construction import check_shape, make_signal
from overtone.signals._geometry import Grid
from overtone.signals._readers._array import ArrayLattice, load_numpy, on_lattice
from overtone.signals._readers._described import refuse_described
from overtone.signals._readers._files import (
    PathLike,
    check_size,
    decoding_errors,
    existing_file,
    is_tiff,
    silenced_logger,
)
from overtone.signals._readers._numbers import check_numeric, require_real, tensor
from overtone.signals._readers._pixels import stored_marks
from overtone.signals._readers._raster import grid_with_spacing, raster_signal, stored_values
from overtone.signals._readers._tiff import tiff_outline
from overtone.signals._signal import Signal

if TYPE_CHECKING:
    import nibabel
else:
    nibabel = OptionalModule("nibabel", "volumes")


def _opened_nifti(path: Path, location: str) -> tuple[Any, Any]:
    """Open an image with the class of its header; also return the stored header without repairs.

    Args:
        path: An existing file, or either file of a pair.
        location: File name in error messages.

    Returns:
        nibabel's image, and its header (empty for FreeSurfer's).

    Raises:
        InputError: If one file of a pair is missing, or the header is invalid.
    """
    name = path.name.lower()
    if name.endswith((".mgh", ".mgz")):
        return nibabel.MGHImage.from_filename(path), {}
    head_file = path
    if name.endswith((".img", ".img.gz")):
        head_file = _partner(path, ".img", ".hdr", "header", location)
    elif name.endswith((".hdr", ".hdr.gz")):
        _partner(path, ".hdr", ".img", "values", location)
    # nibabel silently repairs invalid headers; the raw header contains the stored fields.
    kind = _kind(_head(head_file), location)
    with nibabel.openers.ImageOpener(str(head_file)) as stream:
        raw = kind.header_class.from_fileobj(stream, check=False)
    _check_numbers(raw, location)
    return kind.from_filename(head_file), raw


def _kind(head: bytes, location: str) -> Any:
    """Return nibabel's class for the first bytes of a header."""
    if head[4:7] in (b"n+2", b"ni2"):
        return nibabel.Nifti2Image if head[4:7] == b"n+2" else nibabel.Nifti2Pair
    if head[344:347] in (b"n+1", b"ni1"):
        return nibabel.Nifti1Image if head[344:347] == b"n+1" else nibabel.Nifti1Pair
    if head[:4] in (b"\x00\x00\x01\x5c", b"\x5c\x01\x00\x00"):
        raise InputError(
            "a NIfTI volume",
            "an Analyze 7.5 volume, which does not say how its values are scaled and its axes run",
            "convert it to NIfTI",
            location,
        )
    if head[:2] == b"#?":
        raise InputError("a NIfTI volume", "a Radiance picture", "convert it to PFM or TIFF", location)
    raise ValueError("no NIfTI header")


def _partner(path: Path, mine: str, other: str, what: str, location: str) -> Path:
    at = path.name.lower().rindex(mine)
    for ending in (path.name[at + 4 :], "", ".gz"):
        for middle in (other, other.upper()):
            candidate = path.with_name(path.name[:at] + middle + ending)
            if candidate.exists():
                return existing_file(candidate)
    raise InputError(
        f"a pair of {mine} and {other} files",
        f"no {path.name[:at]}{other} beside it, which holds the {what}",
        "put both into one folder",
        location,
    )


def _head(path: Path) -> bytes:
    """Read the first bytes of a header, decompressed if the name ends in .gz.

    Raises:
        InputError: If the suffix .gz does not match the content, which nibabel would report as damage.
    """
    with path.open("rb") as stream:
        head = stream.read(540)
    packed, named = head[:2] == b"\x1f\x8b", path.name.lower().endswith(".gz")
    if packed and named:
        with gzip.open(path) as unpacked:
            return unpacked.read(540)
    known = head[4:7] in (b"n+2", b"ni2") or head[344:347] in (b"n+1", b"ni1")
    if packed or (named and known):
        right = path.name[:-3] if named else path.name + ".gz"
        raise InputError(
            "a name that ends in .gz for gzip data, and only for them",
            "gzip data without" if packed else "plain data with one",
            f"rename it to {right}",
            str(path),
        )
    return head


def _check_numbers(raw: Any, location: str) -> None:
    """Raise an error for headers with an unsupported type, scale or offset of the values."""
    if not _reads_type(raw):
        raise InputError(
            "values of a type that nibabel reads",
            f"datatype {int(raw['datatype'])}",
            "convert it to float32",
            location,
        )
    slope, inter, start = (float(raw[name]) for name in ("scl_slope", "scl_inter", "vox_offset"))
    if math.isfinite(slope) and slope != 0 and not math.isfinite(inter):
        raise InputError(
            "a finite scale of values",
            f"scl_slope {slope:g} with scl_inter {inter:g}",
            "set scl_inter to a number in the header",
            location,
        )
    if not (math.isfinite(start) and (start == 0 or start >= _first_byte(raw))):
        raise InputError(
            "a valid position of the first value",
            f"vox_offset {start:g}",
            "set it in the header, for a single file to 352 or more",
            location,
        )


def _reads_type(raw: Any) -> bool:
    try:
        dtype = raw.get_data_dtype()
    except (KeyError, nibabel.spatialimages.HeaderDataError):
        return False
    return dtype.kind != "V" or bool(dtype.names)


def _check_length(picture: Any, raw: Any) -> None:
    """Raise an error for a file shorter than its header specifies, before memory is allocated.

    Raises:
        ValueError: If it is too short.
    """
    file = Path(picture.file_map["image"].filename)
    if "vox_offset" not in raw or file.name.lower().endswith(".gz"):
        return
    required = math.prod(picture.shape) * picture.get_data_dtype().itemsize + max(
        int(raw["vox_offset"]), _first_byte(raw)
    )
    if file.stat().st_size < required:
        raise ValueError(f"{required} bytes announced, {file.stat().st_size} there")


def _first_byte(raw: Any) -> int:
    """Return the lowest valid offset of the values, which is after the header in a single file."""
    return int(raw.single_vox_offset) if raw.is_single else 0


def _scaled_values(picture: Any, raw: Any) -> tuple[np.ndarray, tuple[str, ...], bool]:
    """Return the scaled values, notes on implausible header fields, and whether there are probable sentinels.

    Args:
        picture: Image of `_opened_nifti`.
        raw: Header of `_opened_nifti`.
    """
    if "vox_offset" not in raw:
        return np.asanyarray(picture.dataobj), (), False
    notes: list[str] = []
    marks: tuple[str, ...] = ()
    slope, offset = float(raw["scl_slope"]), float(raw["scl_inter"])
    if not math.isfinite(slope) or (slope == 0 and offset != 0):
        notes.append(f"values not scaled, since the file's slope is {slope:g}")
    elif (slope not in (0, 1) or offset != 0) and picture.get_data_dtype().names is None:
        marks = stored_marks(np.asanyarray(picture.dataobj.get_unscaled())[..., None])
        notes += marks
    start, first_byte = float(raw["vox_offset"]), _first_byte(raw)
    # Some writers store an offset within the header by mistake; the values begin after the header.
    if not start < first_byte:
        return np.asanyarray(picture.dataobj), tuple(notes), bool(marks)
    notes.append(
        f"values read from byte {first_byte}, since the stored offset of {start:g} lies within the header"
    )
    file = picture.file_map["image"].filename
    scale = picture.header.get_slope_inter()
    spec = (
        picture.shape,
        picture.get_data_dtype(),
        first_byte,
        *(1.0 if scale[0] is None else scale[0], scale[1] or 0.0),
    )
    return np.asanyarray(nibabel.arrayproxy.ArrayProxy(file, spec)), tuple(notes), bool(marks)


VOLUMES = (".nii", ".nii.gz", ".hdr", ".hdr.gz", ".img", ".img.gz", ".mgh", ".mgz")
"""Suffixes of the files that `read_nifti` reads."""

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
    """Return whether a file name has the suffix of a NIfTI or FreeSurfer volume."""
    return name.lower().endswith(VOLUMES)


def read_nifti(path: Path, spacing: float | tuple[float, ...] | None, location: str) -> Signal:
    """Read a NIfTI or FreeSurfer file with the scale of its header and its stored axes.

    Args:
        path: An existing file with a NIfTI or FreeSurfer suffix.
        spacing: Distances in mm (s for time), in place of those of the file.
        location: File name in error messages.

    Raises:
        InputError: If it is damaged or too large, or does not contain 1 to 3 grid axes of real numbers.
    """
    with decoding_errors(path, "a NIfTI volume"), silenced_logger("nibabel.global"):
        picture, raw = _opened_nifti(path, location)
        stored = picture.get_data_dtype()
        bands = tuple(stored.names or ())
        if not bands:
            check_numeric(stored, location)
        check_size(picture.shape, max(stored.itemsize, 4), location)
        axes, shape = _layout(picture, location)
        check_shape(shape, location)
        _check_length(picture, raw)
        values, doubts, marks = _scaled_values(picture, raw)
        if bands:
            values = np.stack([values[name] for name in bands], -1)
        numbers = require_real(values, location).reshape(*shape, -1)
        distances, notes = _distances(picture, raw, axes)
    if spacing is not None:
        grid, notes = (
            grid_with_spacing("".join(a if a == "T" else "Z" for a in axes), shape, spacing, location),
            (),
        )
    else:
        grid = _grid(shape, distances, location)
    names = tuple(_COLOURS.get(name, name) for name in bands) or None
    return make_signal(
        torch.from_numpy(np.ascontiguousarray(numbers)).reshape(-1, numbers.shape[-1]),
        grid,
        kind=_KINDS[len(shape)],
        name=path.name,
        location=location,
        channels=names,
        notes=notes + doubts,
        find_sentinels=not marks,
    )


def _layout(picture: Any, location: str) -> tuple[str, tuple[int, ...]]:
    """Return the letters and lengths of the grid axes; all other axes are channels."""
    shape, header = tuple(int(n) for n in picture.shape), picture.header
    intent = int(header["intent_code"]) if "intent_code" in header else 0
    if intent in _CIFTI:
        raise InputError(
            "a volume",
            f"a CIFTI-2 matrix of shape {tuple(n for n in shape if n > 1)}, whose columns are points on the cortex",
            "load it with nibabel and pass its values to signals.array or signals.points",
            location,
        )
    # Trailing axes of one sample are dropped; a fourth axis of length 1 before vectors is time.
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
        raise InputError("three axes", f"shape {shape}{many}", "save one volume of the series", location)
    return axes, shape


def _distances(picture: Any, raw: Any, axes: str) -> tuple[list[tuple[float, str]], tuple[str, ...]]:
    """Return the (distance, unit) of each axis, and notes on missing or contradictory fields."""
    header = picture.header
    units = int(header["xyzt_units"]) if "xyzt_units" in header else 2
    # xyzt_units: the lower 3 bits are the unit of space, the next 3 the unit of time.
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
    distances = []
    for axis in axes:
        if axis != "T":
            distances.append((lengths["ijk".index(axis)] * factor, "mm"))
            continue
        step, unit = _TIMES.get(units & 56, (0.0, "volume"))
        size = sizes[3] if len(sizes) > 3 else 0.0
        if step * size > 0:
            distances.append((step * size, unit))
        else:
            distances.append((1.0, "volume"))
            notes.append("the fourth axis is counted in volumes, since its step or its unit is not stored")
    listed = " and ".join(dict.fromkeys(unit for _, unit in distances))
    if " and " in listed:
        notes.append(f"axes in {listed}: a band's frequency mixes the two, so it depends on these units")
    return distances, (*notes, *doubts)


def _lengths(header: Any, sizes: list[float]) -> tuple[list[float], tuple[str, ...]]:
    """Return the voxel sizes, from the sform if it is valid, and notes if it is inconsistent or skewed."""
    plain = (sizes + [1.0] * 3)[:3]
    if "sform_code" not in header or int(header["sform_code"]) <= 0 or len(sizes) < 3:
        return plain, ()
    # Columns of the sform are the steps between voxels; their lengths are the voxel sizes for any rotation.
    matrix = np.asarray(header.get_sform(), np.float64)[:3, :3]
    norms = [float(n) for n in np.linalg.norm(matrix, axis=0)]
    if not all(math.isfinite(n) and n > 0 for n in norms):
        return plain, ("sform ignored, since it gives a voxel no size",)
    notes = []
    if any(abs(a - b) > _SAME * max(a, b) for a, b in zip(norms, plain, strict=True)):
        of_sform, of_header = (" x ".join(f"{s:g}" for s in each) for each in (norms, plain))
        notes.append(f"voxel size {of_sform} taken from the sform, which disagrees with pixdim's {of_header}")
    # Orthogonal axes make the product of their directions the identity.
    directions = matrix / np.asarray(norms)
    if np.abs(directions.T @ directions - np.eye(3)).max() > _SAME:
        notes.append("the sform's axes are not at right angles; taken as if they were")
    return norms, tuple(notes)


def _grid(shape: tuple[int, ...], distances: list[tuple[float, str]], location: str) -> Grid:
    if not all(math.isfinite(distance) and distance > 0 for distance, _ in distances):
        raise InputError(
            "voxels of a positive size",
            f"{' x '.join(f'{d:g}' for d, _ in distances)}",
            "pass spacing= (--spacing on the command line)",
            location,
        )
    n = len(shape)
    spacing, units = zip(*distances, strict=True)
    return Grid(shape, spacing, (0.0,) * n, units, (False,) * n)


def volume(
    source: object | PathLike,
    spacing: float | tuple[float, float, float] | None = None,
    key: str | None = None,
) -> Signal:
    """Read a volume: NIfTI (.nii, .nii.gz, .hdr with .img), FreeSurfer (.mgz), a TIFF stack, `.npy`, `.npz` or array.

    NIfTI values are scaled according to the header. The axes are those of the file (i, j, k), and the
    coordinates are voxel sizes times indices in mm (the rotation to scanner space is not applied). The voxel
    size is that of a valid sform, or of the header. The time axis of a series of pictures is in s if the file
    contains the time step, else in frames. Channels of a stack are channels of the signal.

    Args:
        source: Path of the file, or the array.
        spacing: Distance of voxels in mm (s for time), a single value or one per axis, in place of that of
            the file. Without any, coordinates are in [0, 1) per axis.
        key: Name of the array in a `.npz` of several.

    Returns:
        A signal of kind "volume" in the values' physical unit: float32, or float64 if the source or
            its scaling needs it.

    Raises:
        InputError: If the source is missing, damaged, too large, or not a volume of finite values that vary.

    Example:
        >>> import numpy as np
        >>> from overtone import signals
        >>> body = signals.volume(np.arange(24.0).reshape(2, 3, 4), spacing=(2.0, 1.0, 1.0))
        >>> body.geometry.extent, body.geometry.units[0]
        ((4.0, 3.0, 4.0), 'mm')
    """
    if not isinstance(source, str | os.PathLike):
        refuse_described(source, "array")
        return _bare(tensor(source, "array"), spacing, "array", "array")
    path, location = existing_file(source), str(source)
    if is_nifti_name(path.name):
        return read_nifti(path, spacing, location)
    if not is_tiff(path):
        return _bare(tensor(load_numpy(path, key), location), spacing, path.name, location)
    axes = tiff_outline(path).axes
    if len(axes) == 2:
        raise InputError("a stack of slices", "one picture", "read it with signals.read", location)
    stored = stored_values(path)
    shape = stored.samples.shape[:-1]
    grid = None if spacing is None else grid_with_spacing(stored.axes, shape, spacing, location)
    return raster_signal(stored, grid=grid, name=path.name, location=location)


def _bare(values: Tensor, spacing: float | tuple[float, ...] | None, name: str, location: str) -> Signal:
    if values.ndim != 3:
        raise InputError(
            "three axes",
            f"shape {tuple(values.shape)}",
            "pass one volume, or read it with signals.array",
            location,
        )
    lattice = ArrayLattice(spacing, unit=None if spacing is None else "mm")
    return on_lattice(values.unsqueeze(-1), lattice, name=name, location=location)
