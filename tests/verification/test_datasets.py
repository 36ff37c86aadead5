"""Pairs from xarray data: globes, regions, boxes, lead times, files, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import overtone as ot
from overtone.errors import InputError
from overtone.records.metrics._field_scores import NoteCode
from overtone.spectra._field_geometry import GeometryKind
from tests.cli.calling import ask
from tests.verification import globes
from tests.verification.globes import LATITUDE, LONGITUDE, globe

FIELDS = globes.harmonics(14)
TRUTH = globe(FIELDS)
FORECAST = globe(globes.harmonics(14, keep=8.0))


def test_a_blurred_globe_has_the_resolution_of_its_filter():
    """Gains exp(-(l/8)^2) leave an error ratio of 1/2 at l = 8 sqrt(-log(1 - sqrt(1/2))) = 8.87."""
    result = ot.verify(FORECAST, TRUTH)
    assert result.geometry.kind is GeometryKind.SPHERE
    assert result.to_json()["frequency_unit"] == "degree"
    (resolution,) = result.effective_resolution
    degree = 8 * np.sqrt(-np.log(1 - np.sqrt(0.5)))
    assert resolution.wavelength == pytest.approx(2 * np.pi * 6371 / degree, rel=0.02)
    np.testing.assert_allclose(result.scores[0].target, globes.power_by_degree(FIELDS), rtol=1e-9, atol=1e-15)
    assert any("blurred" in line for line in result.sentences)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.isel(latitude=slice(None, None, -1)),
        lambda d: d.roll(longitude=7, roll_coords=True),
        lambda d: d.assign_coords(longitude=(LONGITUDE + 180) % 360 - 180).sortby("longitude"),
        lambda d: d.transpose("longitude", "time", "latitude"),
        lambda d: d.rename(latitude="lat", longitude="lon"),
        lambda d: d.isel(time=slice(None, None, -1)),
        lambda d: d.astype(np.float32).astype(np.float64),
        lambda d: d.to_dataset(),
    ],
)
def test_pairs_are_made_by_coordinates(change):
    expected = ot.verify(FORECAST.to_dataset(), TRUTH.to_dataset()).scores[0]
    truth = change(TRUTH)
    result = ot.verify(FORECAST if isinstance(truth, xr.DataArray) else FORECAST.to_dataset(), truth).scores[
        0
    ]
    np.testing.assert_allclose(result.residual, expected.residual, rtol=1e-5, atol=1e-12)
    flipped = change(FORECAST)
    if isinstance(flipped, xr.DataArray):
        other = ot.verify(flipped, TRUTH).scores[0]
        np.testing.assert_allclose(other.residual, expected.residual, rtol=1e-5, atol=1e-12)


def test_parts_give_the_same_figure():
    whole = ot.verify(FORECAST, TRUTH).scores[0]
    parts = ot.verify(FORECAST, TRUTH, memory="400 kB").scores[0]
    np.testing.assert_allclose(parts.residual, whole.residual, rtol=1e-12)
    np.testing.assert_allclose(parts.error_interval.low, whole.error_interval.low, rtol=1e-9)


def test_arrays_with_latitudes_are_the_same_globe():
    labelled = ot.verify(FORECAST, TRUTH).scores[0]
    arrays = ot.verify(
        FORECAST.values[:, None], TRUTH.values[:, None], latitude=LATITUDE, longitude=LONGITUDE
    ).scores[0]
    np.testing.assert_allclose(arrays.residual, labelled.residual, rtol=1e-12)


def test_partial_overlap_is_paired_and_said():
    result = ot.verify(FORECAST.isel(time=slice(0, 10)), TRUTH.isel(time=slice(4, None)))
    assert result.scores[0].samples == 6
    assert result.notes[0].code is NoteCode.PARTLY_PAIRED
    assert "6 pairs were made of 10 samples of the forecast and 10 of the truth" in " ".join(result.sentences)


def test_lead_times_are_an_axis_of_the_answer_and_truth_is_taken_at_valid_times():
    leads = [0, 6, 12]
    # The forecast for a lead of j steps is the truth j steps later, with j tenths of it lost.
    runs = [TRUTH.values[j : j + 10] * (1 - 0.1 * j) for j in range(3)]
    forecast = xr.DataArray(
        np.stack(runs, 1),
        {
            "time": TRUTH.time.values[:10],
            "step": ("step", leads, {"units": "hours"}),
            "latitude": LATITUDE,
            "longitude": LONGITUDE,
        },
        ("time", "step", "latitude", "longitude"),
        "t2m",
    )
    result = ot.verify(forecast, TRUTH, lead="step")
    assert [score.lead for score in result.scores] == ["0 h", "6 h", "12 h"]
    for j, score in enumerate(result.scores):
        np.testing.assert_allclose(score.error_ratio[score.reported], (0.1 * j) ** 2, atol=1e-20)
    durations = forecast.assign_coords(
        step=np.array(leads) * np.timedelta64(1, "h").astype("timedelta64[ns]")
    )
    assert [s.lead for s in ot.verify(durations, TRUTH, lead="step").scores] == ["0 h", "6 h", "12 h"]
    # A truth that has the lead times itself is paired by them, also where their order differs.
    own = xr.concat([forecast.isel(step=j) / (1 - 0.1 * j) for j in (2, 0, 1)], "step")
    again = ot.verify(forecast, own, lead="step")
    for one, other in zip(again.scores, result.scores, strict=True):
        np.testing.assert_allclose(one.residual, other.residual, atol=1e-18)


def test_a_region_is_a_plane_at_its_central_latitude_and_a_box_has_its_own_unit():
    region = TRUTH.assign_coords(latitude=np.linspace(48, 36, 25), longitude=np.linspace(-10, 13.5, 48))
    result = ot.verify(region * 0.5, region)
    assert result.geometry.kind is GeometryKind.REGION
    assert result.geometry.spacing == pytest.approx(
        (0.5 * 111.19, 0.5 * 111.19 * np.cos(np.radians(42))), rel=1e-3
    )
    assert any(note.code is NoteCode.REGION for note in result.notes)
    box = xr.DataArray(
        FIELDS,
        {"y": ("y", np.arange(25) * 3.0, {"units": "m"}), "x": ("x", np.arange(48) * 3.0, {"units": "m"})},
        ("time", "y", "x"),
    )
    result = ot.verify(box * 0.5, box, periodic=(False, True))
    assert (result.geometry.unit, result.geometry.spacing) == ("m", (3.0, 3.0))
    assert result.geometry.periodic == (False, True)
    named = box.rename(y="a", x="b")
    assert ot.verify(named * 0.5, named, space=("a", "b")).geometry.shape == (25, 48)


@pytest.mark.parametrize(
    ("forecast", "truth", "options", "message"),
    [
        (FORECAST, TRUTH.isel(latitude=slice(0, 24)), {}, "places along latitude"),
        (
            FORECAST.isel(latitude=slice(0, 23)),
            TRUTH,
            {},
            "without -82.5, -90; add the missing rows with NaN",
        ),
        (FORECAST.isel(longitude=slice(0, 47)), TRUTH, {}, "cover 352.5 of 360 degrees"),
        (
            FORECAST.isel(longitude=slice(0, 20)),
            TRUTH,
            {},
            "length of a degree of longitude is about constant",
        ),
        (FORECAST.isel(latitude=slice(None, None, 2)), TRUTH, {}, "interpolate one of them"),
        (FORECAST, globe(FIELDS, start="2021-01-01"), {}, "2020-01-01.* in the forecast and 2021"),
        (FORECAST, globe(FIELDS, unit="degC"), {}, "'K' and 'degC'"),
        (FORECAST.to_dataset(), TRUTH.rename("t").to_dataset(), {}, "same name in both"),
        (FORECAST.to_dataset(), TRUTH.to_dataset(), {"variables": ["u"]}, "one of the variables t2m"),
        (FORECAST.expand_dims(member=2), TRUTH, {}, "one axis of samples beside"),
        (FORECAST, TRUTH.isel(time=0), {}, "samples along time in both"),
        (FORECAST, TRUTH, {"lead": "step"}, "one of the axes time, latitude, longitude"),
        (FORECAST, TRUTH, {"space": ("row",)}, "one of the axes"),
        (FORECAST, TRUTH, {"spacing": 2.0}, "coordinates state them"),
        (FORECAST, TRUTH.values, {}, "one of each"),
        (FORECAST.rename(latitude="row", longitude="column"), TRUTH, {}, "name the axes of space"),
        (FORECAST.drop_vars("time"), TRUTH.isel(time=slice(3)).drop_vars("time"), {}, "paired in order"),
    ],
)
def test_what_cannot_be_paired_is_refused_in_a_sentence(forecast, truth, options, message):
    with pytest.raises(InputError, match=message):
        ot.verify(forecast, truth, **options)


def test_an_array_of_the_shape_of_a_globe_gets_a_note():
    values = np.random.default_rng(0).standard_normal((2, 1, 65, 128))
    assert "latitudes and longitudes" in " ".join(ot.verify(values, values).sentences)
    assert "latitudes and" not in " ".join(ot.verify(values, values, spacing=1.0).sentences)


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
def test_the_command_reads_netcdf(tmp_path, engine):
    forecast = (
        FORECAST.astype(np.float32)
        .expand_dims(step=[6])
        .assign_coords(step=("step", [0], {"units": "hours"}))
    )
    forecast.to_dataset().to_netcdf(tmp_path / "forecast.nc", engine=engine)
    TRUTH.to_dataset().assign(u=TRUTH * 2).to_netcdf(tmp_path / "truth.nc", engine=engine)
    words = ("verify", tmp_path / "forecast.nc", tmp_path / "truth.nc", "--lead", "step")
    answer = ask(*words)
    assert answer.code == 0, answer.err
    assert "t2m, lead time 0 h" in answer.out
    assert "wavelength in km" in answer.out
    document = ask(*words, "--json").json
    assert document["geometry"]["kind"] == "sphere"
    assert document["scores"][0]["lead"] == "0 h"


def test_damaged_files_are_refused(tmp_path):
    TRUTH.to_dataset().to_netcdf(tmp_path / "truth.nc", engine="h5netcdf")
    (tmp_path / "cut.nc").write_bytes((tmp_path / "truth.nc").read_bytes()[:3000])
    (tmp_path / "text.nc").write_text("no fields")
    for name in ("cut.nc", "text.nc"):
        answer = ask("verify", tmp_path / name, tmp_path / "truth.nc")
        assert answer.code == 2
        assert "complete NetCDF file" in answer.sentence
