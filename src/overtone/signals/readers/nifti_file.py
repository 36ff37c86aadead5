"""NIfTI and FreeSurfer files as nibabel opens them, with the doubts that it keeps to itself."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from overtone.errors import InputError
from overtone.signals.readers.files import existing
from overtone.signals.readers.stored_marks import stored_marks


def opened(path: Path, where: str) -> tuple[Any, Any]:
    """The image of the class that its header calls for, and the header as stored, without repairs.

    Args:
        path: An existing file, of a pair either of the two.
        where: The file, for messages.

    Returns:
        nibabel's image, and its header (empty for FreeSurfer's).

    Raises:
        InputError: If half of a pair is missing, or the header cannot be meant.
    """
    name = path.name.lower()
    if name.endswith((".mgh", ".mgz")):
        return nibabel.MGHImage.from_filename(path), {}
    head_file = path
    if name.endswith((".img", ".img.gz")):
        head_file = _partner(path, ".img", ".hdr", "header", where)
    elif name.endswith((".hdr", ".hdr.gz")):
        _partner(path, ".hdr", ".img", "values", where)
    kind = _kind(_head(head_file), where)
    with nibabel.openers.ImageOpener(str(head_file)) as stream:
        raw = kind.header_class.from_fileobj(stream, check=False)
    _check_numbers(raw, where)
    return kind.from_filename(head_file), raw


def _kind(head: bytes, where: str) -> Any:
    """The class for what a header's first bytes say it is."""
    if head[4:7] in (b"n+2", b"ni2"):
        return nibabel.Nifti2Image if head[4:7] == b"n+2" else nibabel.Nifti2Pair
    if head[344:347] in (b"n+1", b"ni1"):
        return nibabel.Nifti1Image if head[344:347] == b"n+1" else nibabel.Nifti1Pair
    if head[:4] in (b"\x00\x00\x01\x5c", b"\x5c\x01\x00\x00"):
        raise InputError(
            "a NIfTI volume",
            "an Analyze 7.5 volume, which does not say how its values are scaled and its axes run",
            "convert it to NIfTI",
            where,
        )
    if head[:2] == b"#?":
        raise InputError("a NIfTI volume", "a Radiance picture", "convert it to PFM or TIFF", where)
    raise ValueError("no NIfTI header")


def _partner(path: Path, mine: str, other: str, what: str, where: str) -> Path:
    at = path.name.lower().rindex(mine)
    for ending in (path.name[at + 4 :], "", ".gz"):
        for middle in (other, other.upper()):
            found = path.with_name(path.name[:at] + middle + ending)
            if found.exists():
                return existing(found)
    raise InputError(
        f"a pair of {mine} and {other} files",
        f"no {path.name[:at]}{other} beside it, which holds the {what}",
        "put both into one folder",
        where,
    )


def _head(path: Path) -> bytes:
    """The first bytes of a header, unpacked if they are packed and the name says so.

    Raises:
        InputError: If the name and the content disagree on that, which nibabel would take for damage.
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
            "gzip data under a name in .gz, and under no other",
            "gzip data without" if packed else "plain data with one",
            f"rename it to {right}",
            str(path),
        )
    return head


def _check_numbers(raw: Any, where: str) -> None:
    """Refuse headers whose type, scale or place of the values are none that can be used."""
    if not _reads_type(raw):
        raise InputError(
            "values of a type that nibabel reads",
            f"datatype {int(raw['datatype'])}",
            "convert it to float32",
            where,
        )
    slope, inter, start = (float(raw[name]) for name in ("scl_slope", "scl_inter", "vox_offset"))
    if math.isfinite(slope) and slope != 0 and not math.isfinite(inter):
        raise InputError(
            "a finite scale of values",
            f"scl_slope {slope:g} with scl_inter {inter:g}",
            "set scl_inter to a number in the header",
            where,
        )
    if not (math.isfinite(start) and (start == 0 or start >= _first_byte(raw))):
        raise InputError(
            "a place in the file where the values begin",
            f"vox_offset {start:g}",
            "set it in the header, for a single file to 352 or more",
            where,
        )


def _reads_type(raw: Any) -> bool:
    try:
        found = raw.get_data_dtype()
    except (KeyError, nibabel.spatialimages.HeaderDataError):
        return False
    return found.kind != "V" or bool(found.names)


def check_length(picture: Any, raw: Any) -> None:
    """Refuse a file too short for what its header announces before memory for all of it is taken.

    Raises:
        ValueError: If it is too short.
    """
    file = Path(picture.file_map["image"].filename)
    if "vox_offset" not in raw or file.name.lower().endswith(".gz"):
        return
    need = math.prod(picture.shape) * picture.get_data_dtype().itemsize + max(
        int(raw["vox_offset"]), _first_byte(raw)
    )
    if file.stat().st_size < need:
        raise ValueError(f"{need} bytes announced, {file.stat().st_size} there")


def _first_byte(raw: Any) -> int:
    """Where values can begin at the earliest: behind the header, if both are in one file."""
    return int(raw.single_vox_offset) if raw.is_single else 0


def values_of(picture: Any, raw: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """The scaled values, and notes on what of the header could not be meant.

    Args:
        picture: From `opened`.
        raw: From `opened`.
    """
    if "vox_offset" not in raw:
        return np.asanyarray(picture.dataobj), ()
    notes = []
    slope, offset = float(raw["scl_slope"]), float(raw["scl_inter"])
    if not math.isfinite(slope) or (slope == 0 and offset != 0):
        notes.append(f"values not scaled, since the file's slope is {slope:g}")
    elif (slope not in (0, 1) or offset != 0) and picture.get_data_dtype().names is None:
        notes += stored_marks(np.asanyarray(picture.dataobj.get_unscaled())[..., None])
    start, least = float(raw["vox_offset"]), _first_byte(raw)
    if not start < least:
        return np.asanyarray(picture.dataobj), tuple(notes)
    notes.append(
        f"values read from byte {least}, since the stored offset of {start:g} lies within the header"
    )
    file = picture.file_map["image"].filename
    scale = picture.header.get_slope_inter()
    spec = (
        picture.shape,
        picture.get_data_dtype(),
        least,
        *(1.0 if scale[0] is None else scale[0], scale[1] or 0.0),
    )
    return np.asanyarray(nibabel.arrayproxy.ArrayProxy(file, spec)), tuple(notes)
