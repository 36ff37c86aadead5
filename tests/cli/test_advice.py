"""What a refusal of a file advises works on the command line, as it is written."""

from __future__ import annotations

import struct

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image

ROWS, COLUMNS = np.mgrid[0:16, 0:20]
HEIGHTS = 300 + 200 * np.sin(ROWS / 3) + 100 * np.cos(COLUMNS / 4)
MOVIE = np.stack([HEIGHTS + 40 * np.sin(t) for t in range(6)]).astype(np.uint16)


def gray_with_other_numbers(path):
    tifffile.imwrite(path / "a.tif", HEIGHTS.astype(np.int16), photometric="minisblack")
    return "a.tif"


def movie(path):
    tifffile.imwrite(path / "a.tif", MOVIE, imagej=True, metadata={"axes": "TYX"})
    return "a.tif"


def voxels_without_size(path):
    nibabel.save(nibabel.Nifti1Image(MOVIE.astype(np.float32), None), path / "a.nii")
    raw = bytearray((path / "a.nii").read_bytes())
    struct.pack_into("<fff", raw, 80, 0.0, 1.0, 1.0)
    struct.pack_into("<hh", raw, 252, 0, 0)
    (path / "a.nii").write_bytes(raw)
    return "a.nii"


def bright_float_map(path):
    values = HEIGHTS.astype("<f4")
    (path / "a.pfm").write_bytes(b"Pf\n20 16\n-1.0\n" + values.tobytes())
    return "a.pfm"


def picture(path):
    Image.fromarray((HEIGHTS / 3).astype(np.uint8)).save(path / "a.png")
    return "a.png"


ADVICE = [
    (
        gray_with_other_numbers,
        ["--alpha", "drop"],
        "--full-range",
        ["--alpha", "drop", "--full-range", "0,700"],
    ),
    (bright_float_map, ["--alpha", "drop"], "--full-range", ["--alpha", "drop", "--full-range", "0,700"]),
    (movie, ["--spacing", "2"], "pass 3 numbers, in s for axis 1", ["--spacing", "0.1,2,2"]),
    (voxels_without_size, [], "--spacing on the command line", ["--spacing", "2,1,1"]),
    (picture, ["--full-range", "255,0"], "pass black first", ["--full-range", "0,255"]),
    (picture, ["--full-range", "9"], "write for instance 0,4095", ["--full-range", "0,4095"]),
    (picture, ["--channel-axis", "0"], "omit it", []),
]


@pytest.mark.parametrize(("make", "wrong", "words", "right"), ADVICE)
def test_the_advice_of_a_refusal_works(call, tmp_path, make, wrong, words, right):
    name = make(tmp_path)
    for verb in ("scan", "predict"):
        refused = call(verb, name, *wrong)
        assert refused.code == 2
        assert words in refused.sentence
    answer = call("scan", name, *right, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["shape"]


def test_the_first_axis_may_hold_channels(call, tmp_path):
    np.save(tmp_path / "a.npy", MOVIE[:3])
    answer = call("scan", "a.npy", "--channel-axis", "0", "--json")
    assert (answer.json["shape"], len(answer.json["channels"])) == ([16, 20], 3)
