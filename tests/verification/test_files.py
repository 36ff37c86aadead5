"""Fields from files: Zarr, NetCDF, GRIB, groups, damage, units and calendars."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import overtone as ot
from overtone.errors import InputError
from overtone.verification._files import read_fields
from tests.cli.calling import ask
from tests.verification import globes

TRUTH = globes.globe(globes.harmonics(14))
FORECAST = globes.globe(globes.harmonics(14, keep=8.0))


@pytest.mark.parametrize("version", [2, 3])
def test_zarr_is_read_in_parts_and_has_the_figures_of_the_arrays(tmp_path, version):
    for name, data in (("forecast", FORECAST), ("truth", TRUTH)):
        data.to_dataset().to_zarr(
            tmp_path / f"{name}.zarr",
            zarr_format=version,
            consolidated=False,
            encoding={"t2m": {"chunks": (4, 25, 48)}},
        )
    forecast, truth = (read_fields(tmp_path / f"{name}.zarr") for name in ("forecast", "truth"))
    assert not truth.t2m._in_memory
    result = ot.verify(forecast, truth, memory="400kB")
    assert not truth.t2m._in_memory
    expected = ot.verify(FORECAST, TRUTH).scores[0]
    np.testing.assert_allclose(result.scores[0].residual, expected.residual, rtol=1e-12)
    answer = ask("verify", tmp_path / "forecast.zarr", tmp_path / "truth.zarr", "--json")
    assert answer.code == 0, answer.err


def test_groups_are_named_behind_two_colons(tmp_path):
    TRUTH.to_dataset().to_zarr(tmp_path / "a.zarr", group="era5", consolidated=False)
    TRUTH.to_dataset().to_netcdf(tmp_path / "a.nc", group="era5", engine="h5netcdf")
    for name in ("a.zarr", "a.nc"):
        assert list(read_fields(f"{tmp_path / name}::era5").data_vars) == ["t2m"]
        with pytest.raises(InputError, match=r"one of the groups era5.*FILE::GROUP"):
            read_fields(f"{tmp_path / name}::absent")
    TRUTH.to_dataset().to_netcdf(tmp_path / "b.nc", engine="scipy")
    with pytest.raises(InputError, match="version 3, which has none"):
        read_fields(f"{tmp_path / 'b.nc'}::era5")


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_files_cut_short_are_refused(tmp_path, engine):
    TRUTH.to_dataset().to_netcdf(tmp_path / "whole.nc", engine=engine)
    content = (tmp_path / "whole.nc").read_bytes()
    for share in (0.7, 0.01):
        (tmp_path / "cut.nc").write_bytes(content[: int(len(content) * share)])
        answer = ask("verify", tmp_path / "cut.nc", tmp_path / "whole.nc")
        assert answer.code == 2
        assert "complete NetCDF file" in answer.sentence


def test_values_that_cannot_be_read_are_refused(tmp_path):
    TRUTH.to_dataset().to_zarr(tmp_path / "a.zarr", consolidated=False)
    chunk = next(path for path in (tmp_path / "a.zarr" / "t2m" / "c").rglob("*") if path.is_file())
    chunk.write_bytes(chunk.read_bytes()[:100])
    with pytest.raises(InputError, match="truth, t2m: expected values that can be read"):
        ot.verify(FORECAST.to_dataset(), read_fields(tmp_path / "a.zarr"))


def test_packages_for_other_formats_are_named(tmp_path, monkeypatch):
    for package in ("cfgrib", "cftime"):
        monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "a.grib").write_bytes(b"GRIB")
    with pytest.raises(InputError, match="run: pip install cfgrib"):
        read_fields(tmp_path / "a.grib")
    early = TRUTH.copy(deep=True)
    early = early.assign_coords(
        time=("time", np.arange(14.0), {"units": "days since 0001-01-01", "calendar": "noleap"})
    )
    early.to_dataset().to_netcdf(tmp_path / "early.nc", engine="h5netcdf")
    with pytest.raises(InputError, match="run: pip install cftime"):
        read_fields(tmp_path / "early.nc")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="a folder of Zarr"):
        read_fields(tmp_path / "folder")


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
def test_packed_values_and_missing_values_follow_the_conventions(tmp_path, engine):
    """Packed as integers with scale, offset and a fill value, as centres write them."""
    packing = {"t2m": {"dtype": "i2", "scale_factor": 2e-4, "add_offset": 1.0, "_FillValue": -32767}}
    TRUTH.to_dataset().to_netcdf(tmp_path / "packed.nc", engine=engine, encoding=packing)
    result = ot.verify(read_fields(tmp_path / "packed.nc"), TRUTH.to_dataset())
    assert result.scores[0].residual.sum() < 1e-7
    holed = TRUTH.where(TRUTH.latitude < 80)
    holed.to_dataset().to_netcdf(tmp_path / "holed.nc", engine=engine, encoding=packing)
    assert np.isnan(read_fields(tmp_path / "holed.nc").t2m.values).any()


def test_units_that_mean_the_same_are_the_same():
    wind = TRUTH.assign_attrs(units="m s**-1")
    for unit in ("m s-1", "m/s", "m s^-1"):
        assert ot.verify(FORECAST.assign_attrs(units=unit), wind).scores
    with pytest.raises(InputError, match="the same unit in both"):
        ot.verify(FORECAST.assign_attrs(units="km h-1"), wind)
