from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from overtone.signals import array, read
from tests.signals.refusals import refusal


@pytest.mark.parametrize(
    ("shape", "grid", "channels", "kind"),
    [
        ((7,), (7,), 1, "series"),
        ((7, 5), (7, 5), 1, "array"),
        ((7, 2), (7, 2), 1, "array"),
        ((7, 5, 3), (7, 5), 3, "array"),
        ((7, 5, 4), (7, 5), 4, "array"),
        ((7, 6, 5), (7, 6, 5), 1, "volume"),
        ((4, 6, 4), (4, 6, 4), 1, "volume"),
        ((6, 6, 5, 2), (6, 6, 5), 2, "volume"),
    ],
)
def test_the_rule_for_channels(
    tmp_path: Path, shape: tuple[int, ...], grid: tuple[int, ...], channels: int, kind: str
) -> None:
    data = np.random.default_rng(0).normal(size=shape)
    np.save(tmp_path / "a.npy", data)
    for signal in (array(data), array(torch.from_numpy(data)), read(tmp_path / "a.npy")):
        assert signal.geometry.shape == grid
        assert signal.values.shape[1] == channels
        assert signal.kind == kind
        np.testing.assert_array_equal(signal.values.numpy().ravel(), data.ravel())
        assert signal.geometry.extent == pytest.approx((1.0,) * len(grid))
        assert signal.geometry.frequency_unit == "cycles per array"


def test_a_channel_axis_overrides_the_rule() -> None:
    data = np.random.default_rng(0).normal(size=(2, 7, 5))
    signal = array(data, channel_axis=0)
    assert signal.geometry.shape == (7, 5)
    np.testing.assert_array_equal(signal.grid_values.numpy(), np.moveaxis(data, 0, -1))
    assert signal.channels == ("channel 1", "channel 2")
    assert "a channel axis within the 3 axes, got 3" in refusal(array, data, channel_axis=3)


def test_spacing_unit_and_periodicity() -> None:
    data = np.random.default_rng(0).normal(size=(4, 8))
    assert array(data, 0.5).geometry.spacing == (0.5, 0.5)
    grid = array(data, (0.5, 2.0), periodic=(True, False), unit="m").geometry
    assert grid.spacing == (0.5, 2.0)
    assert grid.periodic == (True, False)
    assert grid.frequency_unit == "cycles per m"
    assert array(data, periodic=True).geometry.periodic == (True, True)
    assert array(np.arange(9.0), 0.1, unit="s").geometry.frequency_unit == "Hz"
    assert "one spacing, or one per axis (2), got 3" in refusal(array, data, (1.0, 1.0, 1.0))
    assert "one periodic, or one per axis (2), got 1" in refusal(array, data, periodic=(True,))
    assert "a spacing with the unit, got unit 's' alone" in refusal(array, data, unit="s")


@pytest.mark.parametrize(
    ("given_type", "kept"),
    [
        ("bool", torch.float32),
        ("uint8", torch.float32),
        ("int16", torch.float32),
        ("uint16", torch.float32),
        ("int32", torch.float64),
        ("int64", torch.float64),
        ("float16", torch.float32),
        ("float32", torch.float32),
        (">f4", torch.float32),
        ("float64", torch.float64),
        (">f8", torch.float64),
    ],
)
def test_numbers_are_kept(tmp_path: Path, given_type: str, kept: torch.dtype) -> None:
    data = (np.arange(24) % 2).astype(given_type)
    np.save(tmp_path / "a.npy", data)
    for signal in (array(data), array(tmp_path / "a.npy")):
        assert signal.values.dtype == kept
        np.testing.assert_array_equal(signal.values[:, 0].numpy(), data.astype(float))


@given(hnp.arrays(np.int64, 5, elements=st.integers(-(2**53), 2**53), unique=True))
def test_wide_integers_lose_no_digit(data: np.ndarray) -> None:
    assert array(data).values[:, 0].long().tolist() == data.tolist()


def test_a_signal_does_not_share_memory_with_its_source() -> None:
    data = np.arange(6.0)
    for source in (data, torch.from_numpy(data)):
        signal = array(source)
        data[0] = -5
        assert float(signal.values[0]) == 0
        data[0] = 0


def test_what_holds_no_real_numbers_is_refused() -> None:
    assert "numbers, got an object array" in refusal(array, np.array([1, None], dtype=object))
    assert "real numbers, got complex numbers (complex128)" in refusal(array, np.ones(3) * 1j)
    assert "real numbers, got complex numbers" in refusal(array, torch.ones(3) * 1j)
    assert "numbers, got an array of <U1" in refusal(array, ["a", "b"])
    assert "numbers, got an array of datetime64[D]" in refusal(
        array, np.array(["2024-01-01"], "datetime64[D]")
    )
    assert "rows of unequal length" in refusal(array, [[1, 2], [3]])


def test_what_is_no_grid_is_refused() -> None:
    assert "1 to 3 grid axes, got 0 axes" in refusal(array, 3.0)
    assert "1 to 3 grid axes, got 4 axes, shape (5, 5, 5, 5)" in refusal(array, np.ones((5, 5, 5, 5)))
    assert "at least 2 samples along every axis, got shape (0,)" in refusal(array, [])
    assert "at least 2 samples along every axis, got shape (1, 5)" in refusal(array, np.ones((1, 5)))
    assert "array: expected values that vary, got a constant signal of value 1" in refusal(array, np.ones(5))


def test_bad_values_are_located() -> None:
    data = np.arange(24.0).reshape(2, 3, 4)
    data[1, 2, 3] = np.inf
    assert "finite values, got inf at index (1, 2, 3)" in refusal(array, data)
    assert "finite values, got nan at index 3" in refusal(array, [0.0, 1.0, 2.0, np.nan])
    assert "got inf at index (2, 3), channel 2" in refusal(array, data, channel_axis=0)


class Trap:
    """Unpickling this would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.path,))


def test_a_pickle_is_refused_and_never_executed(tmp_path: Path) -> None:
    trap = np.array([Trap(tmp_path / "sprung")], dtype=object)
    np.save(tmp_path / "a.npy", trap, allow_pickle=True)
    np.savez(tmp_path / "a.npz", trap)
    trap.dump(tmp_path / "b.npy")
    assert "numbers, got an object array, which requires pickle" in refusal(array, tmp_path / "a.npy")
    assert "numbers, got an object array" in refusal(array, tmp_path / "a.npz")
    assert "a NumPy .npy or .npz file, got a Python pickle" in refusal(array, tmp_path / "b.npy")
    assert not (tmp_path / "sprung").exists()
    np.load(tmp_path / "b.npy", allow_pickle=True)
    assert (tmp_path / "sprung").exists()


def test_one_of_several_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(5.0), y=np.arange(6.0))
    assert "one array, got 2 (x, y); name one with key=" in refusal(read, tmp_path / "a.npz")
    assert "an array named 'z', got x, y" in refusal(read, tmp_path / "a.npz", key="z")
    assert read(tmp_path / "a.npz", key="y").geometry.shape == (6,)
    np.savez_compressed(tmp_path / "b.npz", np.arange(5.0))
    assert read(tmp_path / "b.npz").geometry.shape == (5,)
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "one array, got 0 (no array)" in refusal(read, tmp_path / "c.npz")


def header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def test_bombs_are_refused_by_their_header(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(header((10**6, 10**6)))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", header((10**6, 10**6)))
    for name in ("a.npy", "a.npz"):
        text = refusal(array, tmp_path / name)
        assert "at most 4 GiB of samples, got a header that announces shape (1000000, 1000000)" in text


def test_broken_and_foreign_files_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(100.0))
    whole = (tmp_path / "a.npy").read_bytes()
    for cut in (len(whole) - 8, 40, 7):
        (tmp_path / "b.npy").write_bytes(whole[:cut])
        assert "a complete file that contains a NumPy array" in refusal(array, tmp_path / "b.npy")
    np.savez(tmp_path / "a.npz", np.arange(100.0))
    packed = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "b.npz").write_bytes(packed[: len(packed) // 2])
    assert "a complete file that contains NumPy arrays, got a zip archive" in refusal(
        array, tmp_path / "b.npz"
    )
    (tmp_path / "c.npy").write_text("1 2 3")
    assert "a NumPy .npy or .npz file, got text" in refusal(array, tmp_path / "c.npy")
    np.save(tmp_path / "d.npy", np.zeros(3, dtype=[("a", float)]))
    assert "numbers, got an array of [('a', '<f8')]" in refusal(array, tmp_path / "d.npy")
    with pytest.warns(UserWarning, match="format 3.0"):
        np.save(tmp_path / "d.npy", np.zeros(3, dtype=[("α", float)]))
    assert "an array of numbers, got an array of records" in refusal(array, tmp_path / "d.npy")


def test_an_archive_without_arrays_is_called_so(tmp_path: Path) -> None:
    np.savez(tmp_path / "none.npz")
    assert "expected one array, got 0 (no array)" in refusal(array, tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("shape", "note"),
    [
        (
            (3, 24, 30),
            "every axis of the shape (3, 24, 30) was read as an axis of the grid, none as channels",
        ),
        ((24, 30, 3), "the last axis of the shape (24, 30, 3) was read as the channels"),
        ((24, 30, 8), None),
        ((24, 30), None),
    ],
)
def test_a_shape_with_two_readings_says_which_was_taken(shape, note) -> None:
    values = np.random.default_rng(0).random(shape)
    assert array(values).notes == (() if note is None else (note,))
    assert len(shape) < 3 or array(values, channel_axis=-1).notes == ()


def test_a_file_of_two_arrays_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        np.save(file, np.arange(12.0))
        np.save(file, np.ones(12))
    assert "one array, got a second one behind it; save them under names" in refusal(read, tmp_path / "a.npy")
