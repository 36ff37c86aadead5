"""Sources that are none: one sentence, exit 2, and nothing written, whatever the verb."""

from __future__ import annotations

import os
import struct
import zlib

import nibabel
import numpy as np
import pytest
import soundfile
import tifffile
from PIL import Image

from tests.cli.calling import TINY, listing, waves


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width, height):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def array(values):
    return lambda path: np.save(path, values)


def text(content):
    return lambda path: path.write_text(content)


def data(content):
    return lambda path: path.write_bytes(content)


def cut(write):
    def writing(path):
        write(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return writing


def picture(shape, value=None):
    pixels = np.full(shape, value, np.uint8) if value is not None else np.arange(np.prod(shape)) % 251
    return lambda path: Image.fromarray(pixels.reshape(shape).astype(np.uint8)).save(path)


def sound(samples):
    return lambda path: soundfile.write(path, samples, 8000)


def volume(values):
    return lambda path: nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)


def holed(value):
    values = waves()
    values[3, 4] = value
    return values


RNG = np.random.default_rng(0)
WIDE = RNG.standard_normal((5, 6, 7, 8))

CASES = {
    "missing": ("photo.png", None, "photo.png: expected a file, got nothing at this path"),
    "directory": (
        "photo.png",
        lambda path: path.mkdir(),
        "expected a file, got a directory; name one file in it",
    ),
    "empty": ("photo.png", data(b""), "expected a file with content, got an empty file"),
    "suffix": ("photo.xyz", data(b"x"), "expected a file of a known kind"),
    "truncated png": ("a.png", cut(picture((64, 64, 3))), "expected a complete file that contains a picture"),
    "truncated jpg": ("a.jpg", cut(picture((64, 64, 3))), "expected a complete file that contains a picture"),
    "truncated tif": (
        "a.tif",
        cut(lambda p: tifffile.imwrite(p, RNG.random((32, 32)))),
        "expected a complete file",
    ),
    "truncated wav": (
        "a.wav",
        cut(sound(RNG.random(4000))),
        "expected a complete recording, got a truncated one",
    ),
    "truncated flac": ("a.flac", cut(sound(RNG.random(4000))), "expected a"),
    "truncated npy": ("a.npy", cut(array(waves())), "expected a complete file that contains a NumPy array"),
    "truncated npz": (
        "a.npz",
        cut(lambda p: np.savez(p, waves())),
        "expected a complete file that contains NumPy arrays",
    ),
    "truncated nii": (
        "a.nii",
        cut(volume(RNG.random((6, 6, 6)))),
        "expected a complete file that contains a NIfTI",
    ),
    "truncated nii.gz": (
        "a.nii.gz",
        cut(volume(RNG.random((6, 6, 6)))),
        "expected a complete file that contains a NIfTI",
    ),
    "text as png": (
        "a.png",
        text("not a picture"),
        "expected a complete file that contains a picture, got text",
    ),
    "text as wav": (
        "a.wav",
        text("not a recording"),
        "expected a complete file that contains a recording, got text",
    ),
    "text as npy": ("a.npy", text("1 2 3"), "expected a NumPy .npy or .npz file, got text"),
    "text as nii": (
        "a.nii",
        text("no volume" * 50),
        "expected a complete file that contains a NIfTI volume, got text",
    ),
    "binary as csv": ("a.csv", data(bytes(range(256))), "expected"),
    "bomb": ("bomb.png", data(png_of(60_000, 60_000)), "at most 89 million pixels"),
    "1 x 1 picture": (
        "dot.png",
        picture((1, 1)),
        "expected at least 2 samples along every axis, got shape (1, 1)",
    ),
    "1 x n picture": (
        "line.png",
        picture((1, 9)),
        "expected at least 2 samples along every axis, got shape (1, 9)",
    ),
    "n x 1 picture": (
        "line.png",
        picture((9, 1)),
        "expected at least 2 samples along every axis, got shape (9, 1)",
    ),
    "constant picture": (
        "flat.png",
        picture((9, 9, 3), 7),
        "expected values that vary, got a constant signal",
    ),
    "constant array": (
        "flat.npy",
        array(np.full(9, 2.5)),
        "expected values that vary, got a constant signal of value 2.5",
    ),
    "silence": (
        "quiet.wav",
        sound(np.zeros(800)),
        "expected values that vary, got a constant signal of value 0",
    ),
    "NaN": ("a.npy", array(holed(np.nan)), "expected finite values, got nan at index (3, 4)"),
    "infinity": ("a.npy", array(holed(-np.inf)), "expected finite values, got -inf at index (3, 4)"),
    "empty csv": ("a.csv", text(""), "expected a file with content, got an empty file"),
    "blank csv": ("a.csv", text("\n\n"), "expected"),
    "header alone": ("a.csv", text("t,v\n"), "expected rows of numbers, got only a header"),
    "one column": ("a.csv", text("t\n1\n2\n"), "expected a time column and at least one value column"),
    "text in a column": (
        "a.csv",
        text("t,v\n0,1\n1,two\n2,3\n"),
        "expected a number in column 'v', got the text 'two' on line 3",
    ),
    "earlier time": (
        "a.csv",
        text("t,v\n0,1\n2,2\n1,3\n"),
        "expected times that increase, got an earlier time (1) on line 4",
    ),
    "same time": (
        "a.csv",
        text("t,v\n0,1\n1,2\n1,3\n"),
        "expected times that increase, got the same time again (1) on line 4",
    ),
    "uneven times": ("a.csv", text("t,v\n0,1\n1,2\n2,3\n4,1\n"), "expected evenly spaced times"),
    "no sound": ("a.wav", sound(np.zeros((0, 1))), "expected a recording with samples, got one of length 0"),
    "four axes": ("a.npy", array(WIDE), "expected 1 to 3 grid axes, got 4 axes, shape (5, 6, 7, 8)"),
    "no axis": ("a.npy", array(np.float64(3)), "expected"),
    "no samples": ("a.npy", array(np.zeros((0, 4))), "expected"),
    "complex": ("a.npy", array(waves().astype(complex)), "expected real numbers, got complex numbers"),
    "strings": ("a.npy", array(np.array(["a", "b"])), "expected"),
    "records": ("a.npy", array(np.zeros(3, [("a", float)])), "expected"),
    "several arrays": (
        "a.npz",
        lambda p: np.savez(p, x=waves(), y=waves()),
        "got 2 (x, y); name one with --key",
    ),
}


@pytest.mark.parametrize("verb", [("scan",), ("fit", *TINY, "--steps", "2")], ids=["scan", "fit"])
@pytest.mark.parametrize("case", CASES)
def test_a_bad_source_is_one_sentence_and_leaves_nothing(call, tmp_path, case, verb):
    name, write, expected = CASES[case]
    if write is not None:
        write(tmp_path / name)
    before = listing(tmp_path)
    answer = call(*verb, name)
    assert answer.code == 2
    assert expected in answer.sentence
    assert answer.sentence.startswith(name)
    assert answer.out == ""
    assert listing(tmp_path) == before


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("verb", [("scan",), ("fit", *TINY, "--steps", "2")], ids=["scan", "fit"])
def test_pickles_are_refused_and_never_executed(call, tmp_path, verb):
    trap = np.array([Trap(str(tmp_path / "sprung"))], dtype=object)
    np.save(tmp_path / "a.npy", trap, allow_pickle=True)
    np.savez(tmp_path / "b.npz", trap)
    trap.dump(tmp_path / "c.npy")
    before = listing(tmp_path)
    for name in ("a.npy", "b.npz", "c.npy"):
        answer = call(*verb, name)
        assert answer.code == 2
        assert "pickle" in answer.sentence
    assert listing(tmp_path) == before
    np.load(tmp_path / "a.npy", allow_pickle=True)
    assert (tmp_path / "sprung").is_dir()


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (
            ["--alpha", "drop"],
            "waves.npy: expected flags that apply to this kind of file, got --alpha; leave it out.",
        ),
        (["--columns", "v"], "waves.npy: expected flags that apply to this kind of file, got --columns"),
        (
            ["--time-column", "t"],
            "waves.npy: expected flags that apply to this kind of file, got --time-column",
        ),
        (["--spacing", "1,2,3"], "expected one spacing, or one per axis (2), got 3"),
        (["--spacing", "0"], "--spacing: expected positive finite distances between samples"),
        (["--unit", "mm"], "expected a spacing with the unit, got unit 'mm' alone; pass --spacing too"),
        (["--channel-axis", "7"], "expected a channel axis within the 2 axes, got 7"),
        (["--device", "abacus"], "--device: expected a device that is there, got 'abacus'"),
        (["--device", "meta"], "--device: expected a device that is there, got 'meta'"),
    ],
)
@pytest.mark.parametrize("verb", ["scan", "fit"])
def test_a_flag_that_does_not_fit_the_source_is_named(call, tmp_path, source, flags, text, verb):
    answer = call(verb, source.name, *flags)
    assert answer.code == 2
    assert text in answer.sentence
    assert listing(tmp_path) == ["waves.npy"]


def test_a_flag_without_a_source_to_read_is_refused(call):
    assert "expected a SOURCE, which --periodic describes, got none" in call("scan", "--periodic").sentence


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (waves()[:-1], "--clean: expected a clean reference of shape (480, 1), got (460, 1)"),
        (holed(np.nan), "clean.npy: expected finite values, got nan at index (3, 4)"),
    ],
)
def test_a_bad_clean_reference(call, tmp_path, source, values, text):
    np.save(tmp_path / "clean.npy", values)
    answer = call("fit", source, "--clean", "clean.npy", *TINY)
    assert answer.code == 2
    assert text in answer.sentence
    assert listing(tmp_path) == ["clean.npy", "waves.npy"]
