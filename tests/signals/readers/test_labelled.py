"""What xarray, pandas, netCDF and quantities say of an array is used, or refused, or told: never dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from overtone import signals
from overtone.signals import array, read
from tests.signals.refusals import refusal

VALUES = np.sin(np.add.outer(np.arange(18.0) / 3, np.arange(36) / 5))
LAT, LON = np.linspace(85, -85, 18), np.arange(36) * 10.0
GLOBE = xr.DataArray(
    VALUES,
    {"lat": ("lat", LAT, {"units": "degrees_north"}), "lon": ("lon", LON, {"units": "degrees_east"})},
    ("lat", "lon"),
    "t2m",
    {"units": "K", "history": "made"},
)


def along(name: str, places: Any, **attributes: str) -> xr.DataArray:
    return xr.DataArray(VALUES[0, : len(places)], {name: (name, places, attributes)}, (name,))


def has(found: Any, words: str) -> bool:
    return any(words in note for note in found.notes)


def test_a_field_on_the_globe() -> None:
    found = array(GLOBE)
    grid = found.geometry
    assert (grid.shape, grid.units, grid.periodic) == (
        (18, 36),
        ("degrees_north", "degrees_east"),
        (False, True),
    )
    assert (grid.spacing, grid.origin) == (pytest.approx((10.0, 10.0)), (-85.0, 0.0))
    assert (found.channels, found.value_unit, found.name) == (("t2m",), "K", "t2m")
    # each sample lies where its label says
    for (lat, lon), value in zip(found.coords.tolist()[::37], found.values[::37, 0].tolist(), strict=True):
        assert value == float(GLOBE.sel(lat=lat, lon=lon, method="nearest"))
    assert has(found, "lat is descending and was reversed")
    assert has(found, "lon goes once around and is periodic")
    assert has(found, "attributes that are not used: history")
    assert has(found, "axes in the order lat, lon")
    assert array(GLOBE.T).geometry.periodic == (True, False)
    assert array(GLOBE, periodic=False).geometry.periodic == (False, False)
    assert array(GLOBE[:, :18]).geometry.periodic == (False, False)


def test_a_meridian_at_both_ends_is_told_and_the_advice_works() -> None:
    doubled = along("longitude", np.arange(13) * 30.0)
    assert array(doubled).geometry.periodic == (False,)
    assert has(array(doubled), "drop the last one, and the axis is periodic")
    assert array(doubled[:-1]).geometry.periodic == (True,)
    assert array(along("longitude", np.arange(12) * 30.0, units="m")).geometry.periodic == (False,)


def test_longitudes_that_begin_again_are_counted_on() -> None:
    rolled = along("lon", np.r_[np.arange(180, 360, 10.0), np.arange(0, 180, 10.0)])
    found = array(rolled)
    assert (found.geometry.origin, found.geometry.periodic) == ((180.0,), (True,))
    assert has(found, "lon was continued across the meridian where it starts again")
    assert found.values[:, 0].tolist() == rolled.values.tolist()


def test_a_bare_variable_and_a_unit_alone() -> None:
    assert array(xr.Variable(("x",), VALUES[0], {"units": "K"})).value_unit == "K"
    for bare in (xr.DataArray(VALUES), pd.Series(VALUES[0]), VALUES):
        assert "a spacing with the unit, got unit 'm' alone" in refusal(array, bare, unit="m")
    assert array(pd.Series(VALUES[0]), spacing=2.0, unit="m").geometry.frequency_unit == "cycles per m"


HOURS = pd.date_range("2020-01-01", periods=36, freq="h")


@pytest.mark.parametrize(
    ("given", "unit", "spacing", "origin", "words"),
    [
        (along("time", HOURS), "days", 1 / 24, 0.0, "time counted from 2020-01-01"),
        (
            along("time", pd.date_range("2020-01-31", periods=36, freq="ME")),
            "months",
            1,
            0.0,
            "months of the calendar",
        ),
        (
            along("time", pd.date_range("2020-01-01", periods=36, freq="YS")),
            "years",
            1,
            0.0,
            "years of the calendar",
        ),
        (
            along("lag", pd.timedelta_range("1h", periods=36, freq="30min")),
            "days",
            1 / 48,
            1 / 24,
            "time passed",
        ),
        (
            along("t", np.arange(36) * 6, units="hours since 1990-01-01"),
            "h",
            6,
            0.0,
            "t counted from 1990-01-01",
        ),
        (along("t", np.arange(36) * 0.1, units="seconds"), "s", 0.1, 0.0, ""),
        (along("depth", np.arange(36) * -2.0, units="m"), "m", 2, -70.0, "depth is descending"),
        (pd.Series(VALUES[0], HOURS), "days", 1 / 24, 0.0, "time counted from 2020-01-01"),
        (
            pd.Series(VALUES[0], HOURS.tz_localize("Europe/Berlin")),
            "days",
            1 / 24,
            0.0,
            "counted from 2019-12-31T23",
        ),
        (
            pd.Series(VALUES[0], pd.period_range("2020-01", periods=36, freq="M")),
            "months",
            1,
            0.0,
            "of the calendar",
        ),
        (pd.Series(VALUES[0], pd.Index(np.arange(36) * 0.5, name="x")), "x", 0.5, 0.0, ""),
        (pd.DataFrame({"a": VALUES[0]}, HOURS), "days", 1 / 24, 0.0, "time counted from 2020-01-01"),
    ],
)
def test_coordinates_of_one_axis(given: Any, unit: str, spacing: float, origin: float, words: str) -> None:
    found = array(given)
    assert found.geometry.units == (unit,)
    assert found.geometry.spacing == pytest.approx((spacing,))
    assert found.geometry.origin == pytest.approx((origin,))
    assert not words or has(found, words)


def test_the_unit_of_dates_can_be_chosen() -> None:
    assert array(along("time", HOURS), unit="h").geometry.spacing == pytest.approx((1.0,))
    assert "a unit of dates among days, h, min, s, got 'week'" in refusal(
        array, along("time", HOURS), unit="week"
    )


def test_uneven_coordinates_are_refused_and_each_advice_works() -> None:
    places = np.arange(36.0) ** 2
    uneven = along("z", places)
    text = refusal(array, uneven)
    assert "expected evenly spaced coordinates z" in text
    assert array(uneven.interp(z=np.linspace(0, 1225, 50))).geometry.spacing == (25.0,)
    counted = array(uneven, spacing=1.0)
    assert has(counted, "the coordinates z are not used, as spacing= is given")
    assert signals.points(uneven.z.values, uneven.values).geometry.samples == 36
    dated = pd.Series(
        VALUES[0], pd.DatetimeIndex(np.datetime64("2020-01-01") + places.astype("timedelta64[D]"))
    )
    assert "evenly spaced coordinates time" in refusal(array, dated)
    assert "objects such as (0, 0)" in refusal(
        array, pd.Series(VALUES[0], pd.MultiIndex.from_product([range(6), range(6)]))
    )


def test_axes_without_coordinates() -> None:
    bare = array(xr.DataArray(VALUES, dims=("y", "x")))
    assert (bare.geometry, bare.notes) == (array(VALUES).geometry, ())
    half = array(xr.DataArray(VALUES, {"y": np.arange(18) * 2.0}, ("y", "x")))
    assert (half.geometry.units, half.geometry.spacing) == (("y", "sample of x"), (2.0, 1.0))
    assert has(half, "x has no coordinates and counts samples")
    assert array(pd.Series(VALUES[0])).geometry == array(VALUES[0]).geometry
    assert array(pd.DataFrame(VALUES)).geometry == array(VALUES).geometry


def test_named_entries_are_channels() -> None:
    stack = np.stack([VALUES, 2 * VALUES, 3 * VALUES])
    for labels, names in ((["r", "g", "b"], ("r", "g", "b")), ([1, 2, 3], ("band 1", "band 2", "band 3"))):
        found = array(xr.DataArray(stack, {"band": labels}, ("band", "y", "x")))
        assert (found.channels, found.geometry.shape) == (names, (18, 36))
        assert found.values[:, 1].tolist() == (2 * VALUES).ravel().tolist()
        assert has(found, "the axis band was read as the channels")
    frame = pd.DataFrame({"a [m]": VALUES[0], "b [m]": 1e6 * VALUES[1]}, HOURS)
    found = array(frame)
    assert (found.channels, found.value_unit, found.kind) == (("a", "b"), "m", "series")
    assert found.normalisation.per_channel
    two = xr.DataArray(stack[:2, :3], {"p": ["a", "b"], "q": ["c", "d", "e"]}, ("p", "q", "x"))
    assert "one axis of names, got 2 (p, q); select one entry along the other axes" in refusal(array, two)
    assert array(two.sel(p="a")).channels == ("c", "d", "e")


def test_packed_values_are_unpacked_and_marked_ones_refused() -> None:
    stored = (100 * VALUES).round().astype(np.int16)
    attributes = {"scale_factor": 0.01, "add_offset": 5.0, "_FillValue": np.int16(-9999)}
    found = array(xr.DataArray(stored, dims=("y", "x"), attrs=attributes))
    np.testing.assert_allclose(found.values[:, 0].numpy(), stored.ravel() * 0.01 + 5, rtol=1e-14)
    assert has(found, "multiplied by scale_factor = 0.01 and shifted by add_offset = 5.0")
    stored[2, 3] = -9999
    text = refusal(array, xr.DataArray(stored, dims=("y", "x"), attrs=attributes))
    assert "got 1 of 648 marked as missing by _FillValue = -9999, the first at index (2, 3)" in text
    low = xr.DataArray(VALUES, dims=("y", "x"), attrs={"valid_range": np.array([-0.5, 2.0])})
    assert "marked as missing by the valid range -0.5 to 2.0" in refusal(array, low)
    there = VALUES >= -0.5
    assert signals.points(np.argwhere(there), VALUES[there]).geometry.samples == there.sum()
    assert "got nan at index 17 (lat = -85.0), 9 (lon = 90.0)" in refusal(array, GLOBE.where(GLOBE < 0.9))


def test_what_is_not_used_is_told() -> None:
    more = GLOBE.assign_coords(height=2.0, area=(("lat", "lon"), VALUES))
    assert has(array(more), "coordinates beside the axes are not used: height = 2.0, area (lat, lon)")


def test_datasets() -> None:
    one = GLOBE.to_dataset()
    assert array(one).channels == ("t2m",)
    bounds = one.assign(lat_bnds=(("lat", "side"), np.zeros((18, 2))), crs=0)
    bounds["lat"].attrs["bounds"] = "lat_bnds"
    assert array(bounds).channels == ("t2m",)
    two = one.assign(u=2 * GLOBE)
    assert "one variable of numbers, got 2 (t2m, u); pass key=" in refusal(array, two)
    assert array(two, key="u").channels == ("u",)
    assert "a variable named 'v', got t2m, u" in refusal(array, two, key="v")


@pytest.mark.parametrize(("engine", "form"), [("h5netcdf", "NETCDF4"), ("scipy", "NETCDF3_CLASSIC")])
def test_netcdf_files(tmp_path: Path, engine: str, form: str) -> None:
    path = tmp_path / "a.nc"
    GLOBE.to_netcdf(path, engine=engine, format=form)
    found = read(path)
    assert found.geometry == array(GLOBE).geometry
    assert found.values.tolist() == array(GLOBE).values.tolist()
    packing = {"t2m": {"dtype": "i2", "scale_factor": 0.001, "_FillValue": -32767}}
    GLOBE.where(GLOBE < 0.9).to_netcdf(path, engine=engine, format=form, encoding=packing)
    assert "got nan at index 17 (lat = -85.0)" in refusal(read, path)
    years = xr.DataArray(VALUES[0], {"time": ("time", np.arange(36) * 30.0)}, ("time",), "q")
    years["time"].attrs.update(units="days since 2000-01-01", calendar="360_day")
    years.to_netcdf(path, engine=engine, format=form)
    assert (read(path).geometry.spacing, read(path).geometry.units) == ((30.0,), ("days",))
    path.write_bytes(path.read_bytes()[:300])
    assert "that could not be read" in refusal(read, path)


def test_hdf5_files(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"], file["b"] = VALUES, 2 * VALUES
    assert "pass key=" in refusal(read, tmp_path / "a.h5")
    assert read(tmp_path / "a.h5", key="b").values[:, 0].tolist() == (2 * VALUES).ravel().tolist()


def test_lengths_of_several_units_are_expressed_in_one() -> None:
    coords = {
        "y": ("y", np.arange(18) * 2.0, {"units": "km"}),
        "x": ("x", np.arange(36) * 500.0, {"units": "metres"}),
    }
    found = array(xr.DataArray(VALUES, coords, ("y", "x")))
    assert (found.geometry.spacing, found.geometry.units) == (pytest.approx((2.0, 0.5)), ("km", "km"))
    assert has(found, "x was converted from metres to km")
    timed = array(
        xr.DataArray(VALUES, {"t": ("t", np.arange(18.0), {"units": "s"}), "x": coords["x"]}, ("t", "x"))
    )
    assert timed.geometry.units == ("s", "metres")


def test_variables_in_groups_of_files(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["scan/one/values"] = VALUES
        file["scan/title"] = "a scan"
        file["scan/again"] = file["scan/one"]
    assert read(path).values[:, 0].tolist() == VALUES.ravel().tolist()
    with h5py.File(path, "a") as file:
        file["other"] = 2 * VALUES
    assert read(path, key="scan/one/values").values[:, 0].tolist() == VALUES.ravel().tolist()
    assert read(path).values[:, 0].tolist() == (2 * VALUES).ravel().tolist()
    with h5py.File(path, "a") as file:
        file.move("other", "more/other")
    assert "2 in groups (more/other, scan/again/values); name one with its groups" in refusal(read, path)
    nested = tmp_path / "b.nc"
    globe = GLOBE.to_dataset(name="height")
    xr.DataTree.from_dict({"/": globe.drop_vars("height"), "run": globe.drop_vars(["lat", "lon"])}).to_netcdf(
        nested, engine="h5netcdf"
    )
    assert read(nested, key="run/height").geometry == read(nested).geometry == array(GLOBE).geometry


def test_columns_that_are_no_numbers_are_named_and_the_advice_works() -> None:
    frame = pd.DataFrame({"when": HOURS, "v": VALUES[0], "place": ["a", "b", "c"] * 12})
    assert "dates in column 'when'; make it the index (frame.set_index('when'))" in refusal(array, frame)
    dated = frame.set_index("when")
    assert "text in column 'place'; drop it" in refusal(array, dated)
    assert array(dated.drop(columns="place")).geometry.units == ("days",)


class Quantity:
    """As of pint."""

    magnitude, units = VALUES, "kelvin"

    def to(self, unit: str) -> None: ...


def test_quantities_keep_their_unit() -> None:
    found = array(Quantity())
    assert (found.value_unit, found.geometry) == ("kelvin", array(VALUES).geometry)


def test_scattered_frames_keep_their_names() -> None:
    frame = pd.DataFrame({"x": VALUES[0], "y": VALUES[1], "T": VALUES[2]}, HOURS)
    found = signals.points(frame[["x", "y"]], frame["T"])
    assert (found.geometry.units, found.channels) == (("x", "y"), ("T",))
    assert has(found, "the time of the coords is not used")


@pytest.mark.parametrize("reader", [signals.image, signals.volume])
def test_readers_of_bare_arrays_refuse_labels_and_the_advice_works(reader: Any) -> None:
    cube = 0.5 + 0.4 * np.stack([VALUES] * 18)
    given = (
        GLOBE / 3 + 0.5
        if reader is signals.image
        else xr.DataArray(cube, {"z": np.arange(18.0)}, ("z", "y", "x"))
    )
    assert "pass it to signals.array, which uses them, or pass its numbers alone" in refusal(reader, given)
    assert array(given).geometry.shape == given.shape
    assert reader(np.asarray(given)).geometry.shape == given.shape
