"""Plots of what the network predicts, from snapshots."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from overtone.errors import InputError
from overtone.plots import Curve, Picture, Slices, Spectrogram
from overtone.plots import _encode as encode
from overtone.plots import _snapshots as reconstruction
from overtone.records import Snapshots, load, snapshots
from tests.reports import gallery


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def opened(path: Path) -> tuple[xr.Dataset, Snapshots]:
    return load(path), snapshots(path)


@pytest.fixture(scope="module")
def photo(folder: Path) -> tuple[xr.Dataset, Snapshots]:
    return opened(gallery.picture(folder / "photo", 32, steps=200))


@pytest.fixture(scope="module")
def recording(folder: Path) -> tuple[xr.Dataset, Snapshots]:
    return opened(gallery.audio(folder / "recording", 4000, 1.0))


@pytest.fixture(scope="module")
def body(folder: Path) -> tuple[xr.Dataset, Snapshots]:
    return opened(gallery.volume(folder / "body", 12))


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=40, unique=True), st.integers(2, 6))
def test_moments_are_some_of_the_steps_with_both_ends(steps: list[int], most: int) -> None:
    kept = reconstruction.moments(np.array(steps), most)
    assert set(kept) <= set(steps)
    assert kept.size == min(most, len(steps))
    assert (np.diff(kept) > 0).all()
    assert (kept[0], kept[-1]) == (min(steps), max(steps))


def test_moments_spread_evenly_over_orders_of_magnitude() -> None:
    assert reconstruction.moments(np.arange(10_001)).tolist() == [0, 9, 99, 999, 10_000]


def test_arrays_come_on_the_lattice_with_coordinates(photo: tuple[xr.Dataset, Snapshots]) -> None:
    d = reconstruction.snapshot_data(*photo)
    assert d.prediction.dims == ("moment", "axis_0", "axis_1", "channel")
    assert d.prediction.shape == (5, 32, 32, 3)
    np.testing.assert_allclose(d.axis_1, np.arange(32) / 32)


def test_final_psnr_is_that_of_the_record(photo: tuple[xr.Dataset, Snapshots]) -> None:
    record = photo[0]
    shown = float(Picture(*photo).data.psnr[-1])
    # snapshots are float32: relative rounding 6e-8 of values near one against errors near 0.05
    assert shown == pytest.approx(-10 * np.log10(float(record.train_error[-1])), abs=1e-4)


def test_pictures_are_pixels_of_the_right_colour(photo: tuple[xr.Dataset, Snapshots]) -> None:
    d = Picture(*photo).data
    assert d.target.dtype == np.uint8
    truth = np.clip(photo[1].get("target", -1), 0, 1)
    np.testing.assert_allclose(d.target / 255, truth, atol=0.5001 / 255)
    assert d.prediction.shape == (5, 32, 32, 3)


def test_pictures_of_one_channel_are_grey_and_stretched(folder: Path) -> None:
    values = np.linspace(-5, 9, 36).reshape(6, 6, 1)
    path = gallery.write_run(folder / "grey", values, (1, 1), "mm", "array", noise=0.0, bands=4, steps=10)
    d = Picture(*opened(path)).data
    assert (int(d.target.min()), int(d.target.max())) == (0, 255)
    assert (d.target.isel(rgb=0) == d.target.isel(rgb=2)).all()


def test_difference_is_orange_above_and_blue_below() -> None:
    pixels = encode.diverging(np.array([[-1.0, 0.0, 1.0, np.nan]]), 1.0)[0]
    assert pixels[0, 2] > pixels[0, 0]
    assert pixels[1].tolist() == [255, 255, 255]
    assert pixels[2, 0] > pixels[2, 2]
    assert pixels[3].tolist() == [255, 255, 255]


def decoded(uri: str) -> bytes:
    return base64.b64decode(uri.partition(",")[2])


def test_small_pictures_are_embedded_exactly_large_ones_reduced() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    image = Image.open(io.BytesIO(decoded(encode.picture_uri(pixels))))
    np.testing.assert_array_equal(np.asarray(image), pixels)
    wide = Image.open(io.BytesIO(decoded(encode.picture_uri(np.zeros((100, 2000), np.uint8)))))
    assert wide.size == (640, 32)


def test_sound_survives_to_sixteen_bits_and_is_cut() -> None:
    wave = np.sin(np.arange(8000) / 7)[:, None] * 0.9
    values, rate = soundfile.read(io.BytesIO(decoded(encode.sound_uri(wave, 4000, seconds=1.0))))
    assert rate == 4000
    assert values.shape == (4000,)
    np.testing.assert_allclose(values, wave[:4000, 0], atol=2**-15)


def test_sound_beyond_full_scale_is_clipped_and_gaps_are_silent() -> None:
    values, _ = soundfile.read(
        io.BytesIO(decoded(encode.sound_uri(np.array([[3.0], [np.nan], [-3.0]]), 8000)))
    )
    np.testing.assert_allclose(values, [1, 0, -1], atol=2**-14)


def test_spectrogram_finds_a_tone_at_its_frequency(folder: Path) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 500 * np.arange(4000) / 4000)[:, None]
    path = gallery.write_run(
        folder / "tone", tone, (1 / 4000,), "s", "audio", noise=0.0, steps=1000, speed=1e9
    )
    d = Spectrogram(*opened(path)).data
    middle = d.target.isel(time=d.sizes["time"] // 2)
    resolution = float(d.frequency[1])
    assert abs(float(d.frequency[int(np.argmax(middle.values))]) - 500) <= resolution
    assert float(d.target.max()) == pytest.approx(0, abs=1e-9)
    assert float(d.target.min()) >= -80


def test_spectrogram_refuses_a_few_samples(folder: Path) -> None:
    path = gallery.write_run(
        folder / "short", np.ones((8, 1)), (1.0,), "s", "audio", noise=0.1, bands=3, steps=10
    )
    with pytest.raises(InputError, match="expected a recording of at least 16 samples, got 8"):
        Spectrogram(*opened(path))


def test_long_curves_show_neighbours_where_most_happens(folder: Path) -> None:
    values = np.zeros((5000, 1))
    values[3000:3400, 0] = np.sin(np.arange(400))
    path = gallery.write_run(folder / "burst", values, (1.0,), "day", "series", noise=0.0, bands=5, steps=10)
    d = Curve(*opened(path))
    assert d.data.sizes["x"] == 1000
    assert np.allclose(np.diff(d.data.x), 1.0)
    assert float(d.data.x[0]) <= 3000
    assert float(d.data.x[-1]) >= 3399
    assert "1,000 of 5,000 samples" in d.describe()


def test_slices_cut_the_middle_of_each_axis(body: tuple[xr.Dataset, Snapshots]) -> None:
    d, target = Slices(*body).data, body[1].get("target", -1)
    np.testing.assert_array_equal(d.target_0, target[6, :, :, 0])
    np.testing.assert_array_equal(d.target_1, target[:, 6, :, 0])
    np.testing.assert_array_equal(d.target_2, target[:, :, 6, 0])
    np.testing.assert_allclose(d.difference_1, d.prediction_1 - d.target_1)
    assert d.attrs["at"] == [3.0, 3.0, 3.0]


def test_every_reconstruction_can_be_drawn(
    photo: tuple[xr.Dataset, Snapshots],
    recording: tuple[xr.Dataset, Snapshots],
    body: tuple[xr.Dataset, Snapshots],
) -> None:
    for plot, opened_run in ((Picture, photo), (Spectrogram, recording), (Curve, recording), (Slices, body)):
        assert plot(*opened_run).plotly().to_json()
        assert plot(*opened_run).describe().endswith(".")


def test_records_without_predictions_say_where_to_find_them(folder: Path) -> None:
    path = gallery.picture(folder / "blind", 16, steps=20, bands=5, snapshots=False)
    with pytest.raises(InputError, match="expected snapshots named 'target' and 'prediction', got none"):
        reconstruction.snapshot_data(*opened(path))


def test_snapshots_off_the_lattice_are_refused(photo: tuple[xr.Dataset, Snapshots]) -> None:
    record, kept = photo
    wrong = record.assign_attrs(geometry={"shape": [7, 9]})
    with pytest.raises(InputError, match="expected snapshots on a lattice of shape"):
        reconstruction.snapshot_data(wrong, kept)
