"""Joining records along runs and seeds."""

from __future__ import annotations

import numpy as np
import pytest
import xarray

from overtone.errors import InputError, RunError
from overtone.records import concat, load, to_netcdf
from tests.records.toy import toy_record


def test_seeds_join_with_their_seeds_and_nan_where_nothing_was_recorded():
    short, long = toy_record(steps=100, seed=4), toy_record(steps=3000, seed=9)
    joined = concat([short, long], dim="seed")
    assert joined.seed.values.tolist() == [4, 9]
    assert joined.step.values.tolist() == sorted({*short.step.values.tolist(), *long.step.values.tolist()})
    for seed, record in ((4, short), (9, long)):
        one = joined.sel(seed=seed, drop=True)
        for name in record.data_vars:
            part = one[name].sel(step=record.step) if "step" in record[name].dims else one[name]
            np.testing.assert_array_equal(part.values, record[name].values)
        absent = ~np.isin(joined.step.values, record.step.values)
        assert absent.any()
        assert np.isnan(one.residual_power.values[absent]).all()
        assert np.isnan(one.loss.values[absent]).all()
    assert joined.attrs["varying"] == {"seed": [4, 9]}
    assert joined.attrs["signal"] == "toy"
    assert "seed" not in joined.attrs


def test_runs_are_numbered_or_labelled_and_join_again():
    records = [toy_record(steps=10, seed=s, network=n) for n in ("relu", "sine") for s in (0, 1)]
    seeds = [concat(records[:2], dim="seed"), concat(records[2:], dim="seed")]
    both = concat(seeds, labels=["relu", "sine"])
    assert both.residual_power.dims == ("run", "seed", "step", "band", "channel")
    assert both.run.values.tolist() == ["relu", "sine"]
    assert both.attrs["varying"] == {"network": ["relu", "sine"]}
    assert concat(records).run.values.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(
        both.sel(run="sine", seed=1).cross_power.values, records[3].cross_power.values
    )


def test_seeds_that_repeat_are_numbered():
    assert concat([toy_record(steps=5), toy_record(steps=5)], dim="seed").seed.values.tolist() == [0, 1]


def test_rounding_of_band_edges_does_not_split_bands():
    record = toy_record(steps=5)
    close = record.assign_coords(
        band=record.band * (1 + 1e-12),
        band_low=record.band_low * (1 + 1e-12),
        band_high=record.band_high * (1 + 1e-12),
    )
    joined = concat([record, close])
    assert joined.sizes["band"] == 8
    assert joined.residual_power.notnull().all()


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (
            toy_record(steps=5, bands=9),
            r"record 1: expected the bands of record 0 \(8 up to 90.5\d* cycles per picture "
            r"height\), got different ones \(9 up to 90.5\d* cycles per picture height\); "
            r"measure all runs with the same bands",
        ),
        (toy_record(steps=5, frequency_unit="Hz"), r"got different ones \(8 up to 90.5\d* Hz\)"),
        (
            toy_record(steps=5, channels=3),
            r"record 1: expected the channels \['c0'\], got \['red', 'green', 'blue'\]",
        ),
        (xarray.Dataset(), "record 1: expected a record from load or concat, got Dataset"),
    ],
)
def test_what_does_not_fit_is_refused(other, text):
    with pytest.raises(InputError, match=text):
        concat([toy_record(steps=5), other])


def test_wrong_arguments():
    one = toy_record(steps=5)
    with pytest.raises(InputError, match="expected at least one record"):
        concat([])
    with pytest.raises(InputError, match="expected the name of a new dimension, got 'band'"):
        concat([one], dim="band")
    for labels in (["a"], ["a", "a"]):
        with pytest.raises(InputError, match="expected 2 distinct labels"):
            concat([one, one], labels=labels)


def test_joined_records_survive_export(tmp_path):
    joined = concat([toy_record(steps=50, seed=s, note=n) for s, n in ((1, None), (2, [1, "ä"]))], dim="seed")
    for record in (joined, concat([toy_record(steps=9), toy_record(steps=5)], labels=["a", "ß b"])):
        to_netcdf(record, tmp_path / "new" / "joined.nc")
        again = load(tmp_path / "new" / "joined.nc")
        assert again.identical(record)
        assert again.attrs == record.attrs
        assert [p.name for p in (tmp_path / "new").iterdir()] == ["joined.nc"]


def test_exports_read_elsewhere(tmp_path):
    """Another reader sees numbers, units and the plain attributes."""
    import h5py

    to_netcdf(toy_record(), tmp_path / "record.nc")
    with h5py.File(tmp_path / "record.nc") as file:
        np.testing.assert_array_equal(file["residual_power"][:], toy_record().residual_power.values)
        assert file["time"].attrs["units"] == "s"
        assert (file.attrs["signal"], file.attrs["peak"], file.attrs["schema"]) == ("toy", 1.0, 1)


def test_export_says_what_is_wrong(tmp_path):
    with pytest.raises(InputError, match="expected a record from load or concat"):
        to_netcdf(xarray.Dataset(), tmp_path / "a.nc")
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="expected a file that can be written"):
        to_netcdf(toy_record(), tmp_path / "file" / "a.nc")
    xarray.Dataset({"a": 1}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(InputError, match="expected a netCDF file written by overtone"):
        load(tmp_path / "other.nc")
