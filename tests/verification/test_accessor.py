"""Spectra of xarray's arrays by their accessor."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

import overtone.verification  # noqa: F401
from overtone.errors import InputError
from overtone.verification import _pairs
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


def test_an_absent_axis_and_infinite_cells_are_refused() -> None:
    field = globes.globe(globes.harmonics(1))
    with pytest.raises(InputError, match="one of the axes time, latitude, longitude"):
        field.overtone.spectrum(dims=("y", "x"))
    with pytest.raises(InputError, match="cells infinite"):
        field.where(field.latitude > 0, np.inf).overtone.spectrum()
    with pytest.raises(InputError, match="cells that are valid"):
        (field * np.nan).overtone.spectrum()


def test_missing_cells_leave_the_spectrum_of_the_whole_field() -> None:
    """The mean over 40 fields under two masks; one field has no value at all."""
    whole = globes.globe(globes.harmonics(40))
    island = np.hypot(whole.latitude, whole.longitude - 180) > 40
    coast = (whole.latitude < 30) | (whole.longitude < 240)
    early = whole.time < whole.time[20]
    holed = whole.where(island & early | coast & ~early)
    holed[3] = np.nan
    spectrum, expected = holed.overtone.spectrum(), whole.overtone.spectrum()
    assert set(spectrum.data_vars) == {"power", "filled"}
    assert np.isnan(spectrum.power[:, 3]).all()
    assert "missing cells" in spectrum.estimator
    power = spectrum.power.mean("time")
    for low, high, value in zip(spectrum.low.values, spectrum.high.values, power.values, strict=True):
        inside = (expected.degree >= low) & (expected.degree < high)
        if 2 < low < 16:
            assert value == pytest.approx(float(expected.power[inside].sum("degree").mean("time")), rel=0.15)
    # Samples with one of the masks alone are measured as they are alone, on the same bands.
    alone = holed[:3].overtone.spectrum()
    np.testing.assert_allclose(alone.power, spectrum.power[:, :3], rtol=1e-9, atol=1e-12)
    x = xr.DataArray(np.random.default_rng(0).standard_normal((5, 64)), dims=("run", "x"))
    x[2, 10:20] = np.nan
    box = x.overtone.spectrum(dims=("x",), periodic=True)
    assert box.power.dims == ("frequency", "run")
    assert float(box.power.sum("frequency").mean()) == pytest.approx(1, rel=0.2)


class Counting(BackendArray):
    """Fields that are made when they are read, and remember how many were read at once."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.dtype, self.sizes = shape, np.dtype(np.float64), []

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[int | slice, ...]) -> np.ndarray:
        starts = [k if isinstance(k, int) else range(n)[k] for k, n in zip(key, self.shape, strict=True)]
        grids = np.meshgrid(*(np.atleast_1d(s) for s in starts), indexing="ij")
        values = np.sin(sum((i + 1) * grid.astype(float) ** 2 for i, grid in enumerate(grids)))
        self.sizes.append(values.size)
        return values.reshape([len(s) for s in starts if not isinstance(s, int)])


def test_files_are_read_in_blocks_and_the_figures_are_those_of_the_whole(monkeypatch) -> None:
    source = Counting((3, 5, 4, 16, 16))
    lazy = xr.DataArray(indexing.LazilyIndexedArray(source), dims=("run", "time", "level", "y", "x"))
    expected = lazy.copy(data=source[indexing.BasicIndexer((slice(None),) * 5)]).overtone.spectrum()
    source.sizes.clear()
    monkeypatch.setattr(_pairs, "CHUNK", 3 * 256)
    spectrum = lazy.overtone.spectrum()
    assert np.allclose(spectrum.power, expected.power)
    assert max(source.sizes) <= 3 * 256
    assert sum(source.sizes) == 3 * 5 * 4 * 256
    source.sizes.clear()
    chunked = lazy.chunk(run=1, time=1).overtone.spectrum()
    assert np.allclose(chunked.power, expected.power)
    assert max(source.sizes) <= 4 * 256
