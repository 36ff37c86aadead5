"""Spectra of xarray's arrays by their accessor."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import overtone.verification  # noqa: F401
from overtone.errors import InputError
from tests.verification import globes


def test_degrees_sum_to_the_area_weighted_mean_square() -> None:
    field = globes.globe(globes.harmonics(3))
    spectrum = field.overtone.spectrum(dims=("latitude", "longitude"))
    assert spectrum.power.dims == ("degree", "time")
    assert np.allclose(spectrum.power.values.mean(1), globes.power_by_degree(field.values))
    # A product of two fields has twice their degree: the mean square is integrated exactly by Gauss's weights.
    nodes, weights = np.polynomial.legendre.leggauss(40)
    gauss = xr.DataArray(np.degrees(np.arcsin(nodes)), dims="latitude")
    wave = 2 + 3 * np.sin(np.radians(gauss)) + 0 * xr.DataArray(np.arange(0, 360, 4.5), dims="longitude")
    wave = wave.assign_coords(latitude=gauss.values, longitude=np.arange(0, 360, 4.5))
    mean_square = float((wave.mean("longitude") ** 2 * weights / 2).sum())
    assert float(wave.overtone.spectrum().power.sum()) == pytest.approx(mean_square, rel=1e-9)
    turned = field.transpose("longitude", "time", "latitude").isel(latitude=slice(None, None, -1))
    again = turned.overtone.spectrum(dims=("longitude", "latitude"))
    assert np.allclose(again.power, spectrum.power)
    assert spectrum.power.units == "K^2"
    assert spectrum.wavelength.units == "km"
    assert float(spectrum.wavelength.sel(degree=10)) == pytest.approx(4003, abs=1)
    assert (spectrum.time == field.time).all()


@pytest.mark.parametrize("shape", [(12, 15), (33, 28)])
@pytest.mark.parametrize("periodic", [True, False])
def test_frequencies_sum_to_the_mean_square(shape: tuple[int, int], periodic: bool) -> None:
    values = np.random.default_rng(0).standard_normal((2, *shape)) + 1
    coordinates = {"y": 5.0 * np.arange(shape[0]), "x": 5.0 * np.arange(shape[1])}
    field = xr.DataArray(values, coordinates, ("run", "y", "x"))
    field["x"].attrs["units"] = field["y"].attrs["units"] = "km"
    spectrum = field.overtone.spectrum(periodic=periodic)
    assert np.allclose(spectrum.power.sum("frequency"), (values**2).mean((1, 2)))
    assert spectrum.frequency.units == "cycles/km"
    assert "units" not in spectrum.power.attrs
    assert spectrum.estimator == ("periodic" if periodic else "even extension")


def test_an_absent_axis_and_missing_cells_are_refused() -> None:
    field = globes.globe(globes.harmonics(1))
    with pytest.raises(InputError, match="one of the axes time, latitude, longitude"):
        field.overtone.spectrum(dims=("y", "x"))
    with pytest.raises(InputError, match="missing cells"):
        field.where(field.latitude > 0).overtone.spectrum()
