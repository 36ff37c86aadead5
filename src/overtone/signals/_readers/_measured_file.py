"""Reader of `.npz` files that hold measurements: k-space, sinograms or blurred samples, recognised by their keys."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overtone.errors import InputError
from overtone.signals._geometry import Grid
from overtone.signals._measured import Measured
from overtone.signals._plausible import check_reference
from overtone.signals._readers._files import PathLike, check_size, decoding_errors, existing_file, is_zip

Arrays = dict[str, NDArray[Any]]

COMMON = ("noise", "reference", "spacing", "unit")
"""Keys of every kind, none of them required."""

KEYS = {
    "kspace": ("mask", "indices", "trajectory", "shape", "real", *COMMON),
    "sinogram": ("angles", "side", "source_distance", *COMMON),
    "blurred": ("kernel", "factor", *COMMON),
}
"""The key that a kind is recognised by, and its other keys."""

PARTNERS = {"kspace": ("mask", "indices", "trajectory"), "sinogram": ("angles",), "blurred": ("kernel",)}
"""Keys of which one accompanies that of the kind."""

KINDS = {"kspace": "k-space", "sinogram": "projections", "blurred": "blurred samples"}
"""Names of the kinds, for titles."""


def measured_kind(path: PathLike) -> str | None:
    """Return the key by which a file is one of measurements, None for all other files.

    Args:
        path: Any file; it may be missing.
    """
    names = _members(path)
    for kind, partners in PARTNERS.items():
        if kind in names and names & set(partners):
            return kind
    return None


def check_partners(path: PathLike) -> None:
    """Refuse a file with the key of a kind of measurements, but none of those that belong to it.

    Args:
        path: Any file; it may be missing.

    Raises:
        InputError: If there is such a key: taken for an array, the file would be fitted as a picture of itself.
    """
    names = _members(path)
    for kind, partners in PARTNERS.items():
        if kind in names and not names & set(partners):
            raise InputError(
                f"{' or '.join(partners)} beside {kind}",
                f"{kind} alone",
                f"add {' or '.join(partners)}, or rename the array",
                str(path),
            )


def _members(path: PathLike) -> set[str]:
    """Names of the arrays of a `.npz`; none of another file."""
    file = Path(path).expanduser()
    if not file.is_file() or file.stat().st_size == 0 or not is_zip(file):
        return set()
    try:
        with zipfile.ZipFile(file) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}
    except (OSError, zipfile.BadZipFile):
        return set()


def read_measured(path: PathLike) -> Measured:
    """Read a `.npz` file of k-space samples, a sinogram or blurred samples.

    k-space: `kspace` complex (*shape) with `mask` bool (*shape), or `kspace` (M,) with `indices` (M, d) and `shape`
    (d,), or `kspace` (readout, sample) with `trajectory` (readout, sample, d) in cycles per unit and `shape`; `real` is
    True where the picture is real. Frequency 0 is in the middle. Sinogram: `sinogram` (angle, detector)
    with `angles` in degrees; `side` and `source_distance` as in `projections`. Blur: `blurred` with `kernel`, and
    `factor`. All may have `noise` (its standard deviation), `reference` (the known picture, to measure against; never
    trained on), `spacing` and `unit`. Pickled objects are not loaded.

    Args:
        path: The file.

    Returns:
        The measured field.

    Raises:
        InputError: If a key is missing, unknown or of a wrong type or shape.

    Example:
        >>> import pathlib, tempfile
        >>> import numpy as np
        >>> from overtone import signals
        >>> path = pathlib.Path(tempfile.mkdtemp(), "scan.npz")
        >>> np.savez(path, sinogram=np.ones((6, 8)), angles=np.arange(0, 180, 30), noise=0.1)
        >>> signals.read_measured(path)
        <Measured 'scan.npz': 48 functionals on 64 samples>
    """
    file, source = existing_file(path), str(path)
    kind = measured_kind(file)
    if kind is None:
        raise InputError(
            "a .npz with kspace and mask (or indices, or trajectory), sinogram and angles, or blurred and kernel",
            "a file without them",
            "save it with numpy.savez under these keys",
            source,
        )
    arrays = _arrays(file, kind, source)
    reference = arrays.pop("reference", None)
    common: dict[str, Any] = {"name": file.name}
    for name in ("spacing", "noise"):
        if name in arrays:
            common[name] = _number(arrays, name, source, positive=True)
    if "unit" in arrays:
        common["unit"] = _text(arrays, "unit", source)
    try:
        problem = _BUILDERS[kind](arrays, common, source)
    except InputError as refused:
        if refused.source == source:
            raise
        # The constructors name their arguments; people look for the file.
        place = f"{source} ({refused.source})" if refused.source not in ("", file.name) else source
        raise InputError(refused.expected, refused.got, refused.do, place) from refused
    return problem if reference is None else with_reference(problem, reference, source)


def _arrays(file: Path, kind: str, source: str) -> Arrays:
    """All arrays of a file, whose headers are checked before anything is decoded."""
    known = (kind, *KEYS[kind])
    with decoding_errors(file, "NumPy arrays"), zipfile.ZipFile(file) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        for name in names:
            if name not in known:
                raise InputError(
                    f"the keys {', '.join(known)}", repr(name[:60]), "rename or remove it", source
                )
            with archive.open(f"{name}.npy") as stream:
                _check_header(stream, name, source)
        with np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in names}


def _check_header(stream: Any, name: str, source: str) -> None:
    version = np.lib.format.read_magic(stream)
    reader = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    shape, _, dtype = ((), False, np.dtype(object)) if reader is None else reader(stream)
    kinds = "U" if name == "unit" else "biufc" if name in ("kspace", "reference") else "biuf"
    if dtype.kind not in kinds:
        what = {"O": "an object array, which requires pickle", "c": "complex numbers"}
        raise InputError(
            f"{name} as {'a text' if name == 'unit' else 'numbers'}",
            what.get(dtype.kind, f"{dtype}"),
            "save it as a plain array",
            source,
        )
    check_size(shape, max(dtype.itemsize, 8), source)


def _number(arrays: Mapping[str, NDArray[Any]], name: str, source: str, *, positive: bool) -> float:
    value = arrays[name]
    if value.size != 1 or not np.isfinite(value).all() or (positive and not value.reshape(-1)[0] > 0):
        got = f"shape {value.shape}" if value.size != 1 else f"{value.reshape(-1)[0]}"
        raise InputError(f"{name} as one {'positive ' if positive else ''}number", got, "correct it", source)
    return float(value.reshape(-1)[0])


def _whole(arrays: Mapping[str, NDArray[Any]], name: str, source: str) -> int:
    value = _number(arrays, name, source, positive=True)
    if value != int(value):
        raise InputError(f"{name} as a whole number", f"{value:g}", "correct it", source)
    return int(value)


def _text(arrays: Mapping[str, NDArray[Any]], name: str, source: str) -> str:
    value = str(arrays[name].reshape(-1)[0]) if arrays[name].size == 1 else ""
    if not value or len(value) > 40 or not value.isprintable():
        raise InputError(f"{name} as a short text", f"{value[:40]!r}", 'save for instance "mm"', source)
    return value


def _kspace(arrays: Arrays, common: dict[str, Any], source: str) -> Measured:
    from overtone.signals._measurements import kspace, noncartesian_kspace

    data, mask = arrays["kspace"], arrays.get("mask")
    places = [name for name in PARTNERS["kspace"] if name in arrays]
    if len(places) > 1:
        raise InputError(f"{places[0]} or {places[1]}", "both", "remove one", source)
    if "indices" in arrays:
        data, mask = _scattered(data, arrays, source)
    elif "shape" in arrays and "trajectory" not in arrays:
        raise InputError(
            "indices or trajectory with shape", "shape alone", "add one of them, or remove shape", source
        )
    real = "real" in arrays and _number(arrays, "real", source, positive=False) != 0
    if "trajectory" in arrays:
        shape = _shape(arrays, "trajectory", source)
        return noncartesian_kspace(data, arrays["trajectory"], shape, complex_values=not real, **common)
    if mask is not None and mask.dtype != bool:
        if not np.isin(mask, (0, 1)).all():
            raise InputError("a mask of 0 and 1", "other numbers", "save it as bool", source)
        mask = mask.astype(bool)
    return kspace(data, mask, complex_values=not real, **common)


def _shape(arrays: Arrays, beside: str, source: str) -> tuple[int, ...]:
    """The samples per axis of a picture whose measurements are listed one by one."""
    if "shape" not in arrays:
        raise InputError(
            f"shape with {beside}", f"{beside} alone", "add the samples per axis as shape", source
        )
    shape = arrays["shape"].reshape(-1)
    if shape.dtype.kind not in "iu" or not 1 <= shape.size <= 3 or (shape < 2).any():
        raise InputError(
            "a shape of 1 to 3 whole numbers from 2", f"{shape.tolist()[:4]}", "correct it", source
        )
    sides = tuple(int(n) for n in shape)
    check_size(sides, 16, source)
    return sides


def _scattered(data: NDArray[Any], arrays: Arrays, source: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """The whole array and its mask from single coefficients and their indices."""
    indices = arrays["indices"]
    if indices.dtype.kind not in "iu":
        raise InputError(
            "whole numbers as indices (Cartesian k-space)",
            f"{indices.dtype}",
            "save the frequencies of other trajectories as trajectory, in cycles per unit",
            source,
        )
    shape = np.array(_shape(arrays, "indices", source))
    indices = indices[:, None] if indices.ndim == 1 else indices
    if indices.ndim != 2 or indices.shape[1] != shape.size or len(indices) != len(data):
        raise InputError(
            f"indices ({len(data)}, {shape.size}), one row per coefficient",
            f"shape {indices.shape}",
            "save one row per coefficient",
            source,
        )
    if (indices < 0).any() or (indices >= shape).any():
        raise InputError(
            f"indices from 0 to below the shape {tuple(shape.tolist())}", "others", "correct them", source
        )
    place = tuple(indices.T)
    mask = np.zeros(tuple(shape.tolist()), bool)
    mask[place] = True
    if mask.sum() != len(indices):
        raise InputError("each index once", "repeated ones", "average their coefficients", source)
    whole = np.zeros((*mask.shape, *data.shape[1:]), data.dtype)
    whole[place] = data
    return whole, mask


def _sinogram(arrays: Arrays, common: dict[str, Any], source: str) -> Measured:
    from overtone.signals._measurements import projections

    options = dict(common)
    if "side" in arrays:
        options["side"] = _whole(arrays, "side", source)
    if "source_distance" in arrays:
        options["source_distance"] = _number(arrays, "source_distance", source, positive=True)
    return projections(arrays["sinogram"], arrays["angles"], **options)


def _blurred(arrays: Arrays, common: dict[str, Any], source: str) -> Measured:
    from overtone.signals._measurements import blurred

    options = dict(common)
    if "factor" in arrays:
        options["factor"] = _whole(arrays, "factor", source)
    return blurred(arrays["blurred"], arrays["kernel"], **options)


_BUILDERS: dict[str, Callable[[Arrays, dict[str, Any], str], Measured]] = {
    "kspace": _kspace,
    "sinogram": _sinogram,
    "blurred": _blurred,
}


def with_reference(problem: Measured, values: NDArray[Any], source: str = "reference") -> Measured:
    """Return a problem on a grid with the values of its field as the reference.

    Args:
        problem: A field on a grid.
        values: (*shape) or (*shape, channel) values.
        source: Named in errors.

    Raises:
        InputError: If the shape is not the field's, a value is not finite, complex values are those of a real field, or
            its measurements are not those of the problem.
    """
    grid, channels = problem.geometry, len(problem.channels)
    assert isinstance(grid, Grid)
    if values.size != grid.samples * channels or values.shape[: grid.axes] != grid.shape:
        raise InputError(
            f"a reference of shape {grid.shape}", f"shape {values.shape}", "save the same samples", source
        )
    if not np.isfinite(values).all():
        raise InputError("a finite reference", "nan or infinity", "fill these samples", source)
    if values.dtype.kind == "c" and not problem.complex_values:
        raise InputError("a real reference of a real field", "complex values", "save the real part", source)
    kind = np.complex128 if problem.complex_values else np.float64
    known = values.astype(kind).reshape(*grid.shape, channels)
    (term,) = problem.terms

    def measure(field: NDArray[Any]) -> NDArray[Any]:
        samples = torch.from_numpy(np.ascontiguousarray(field)).reshape(-1, channels)
        return term.operator(term.points, samples).numpy()

    check_reference(known, measure, term.data.numpy(), term.noise, grid.axes, source)
    return replace(problem, reference=_Samples(grid, torch.from_numpy(known).reshape(-1, channels)))


class _Samples:
    """Values of a grid as a function of points: those of the nearest sample."""

    def __init__(self, grid: Grid, values: Tensor) -> None:
        self._grid, self._values = grid, values

    def __call__(self, points: Tensor) -> Tensor:
        index = torch.zeros(len(points), dtype=torch.int64, device="cpu")
        grid = self._grid
        for axis, (n, step, begin) in enumerate(zip(grid.shape, grid.spacing, grid.origin, strict=True)):
            place = ((points[:, axis].detach().cpu().double() - begin) / step).round().long()
            index = index * n + place.clamp(0, n - 1)
        return self._values[index]
