"""Verification on HEALPix grids, stated or recognised by the metadata."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import overtone as ot
import overtone.verification
from overtone.errors import InputError
from overtone.spectra import HealpixGrid
from overtone.spectra._healpix import nested_to_ring
from tests.cli.calling import ask
from tests.spectra.test_healpix import synthesis
from tests.spectra.test_sphere import power_by_degree, random_harmonics
from tests.spectra.test_winds import gradient

RING, NESTED = HealpixGrid(4), HealpixGrid(4, nested=True)
COEFFICIENTS = [random_harmonics(7, seed, 2.0) for seed in range(5)]
GAIN = np.exp(-((np.arange(8) / 4) ** 2))
TRUTH, FORECAST = (np.stack([synthesis(c * g, *RING.positions()) for c in COEFFICIENTS]) for g in (1.0, GAIN))
ORDER = nested_to_ring(4)


def labelled(values: np.ndarray, **attributes: object) -> xr.DataArray:
    return xr.DataArray(values, {"time": np.arange(5)}, ("time", "cell"), "t2m", attributes)


def check(result: ot.verification.Verification) -> None:
    (score,) = result.scores
    expected = np.mean([power_by_degree(c) for c in COEFFICIENTS], 0)
    np.testing.assert_allclose(score.target[1:], expected[1:], rtol=1e-6)
    np.testing.assert_allclose(score.power_ratio[1:], GAIN[1:] ** 2, rtol=1e-6)


def test_arrays_in_ring_and_nested_order(tmp_path, monkeypatch):
    result = ot.verify(FORECAST[:, None], TRUTH[:, None], healpix="ring")
    check(result)
    assert result.estimator == "spherical harmonics, HEALPix grid in ring order"
    assert result.geometry.frequency_unit == "degree"
    check(ot.verify(FORECAST[:, None, ORDER], TRUTH[:, None, ORDER], healpix="nested"))
    monkeypatch.chdir(tmp_path)
    for name, values in (("f", FORECAST), ("t", TRUTH)):
        np.savez(f"{name}.npz", x=values[:, ORDER])
    answer = ask("verify", "f.npz", "t.npz", "--healpix", "nested", "--json", "--out", "page").json
    assert answer["geometry"] == {
        "kind": "sphere",
        "shape": [192],
        "spacing": pytest.approx([14.658], rel=1e-3),
        "periodic": [True],
    }
    assert "HEALPix grid in nested order" in (tmp_path / "page/report.html").read_text()


def test_metadata_of_cf_xdggs_and_statements():
    forecast, truth = (labelled(x[:, ORDER]) for x in (FORECAST, TRUTH))
    check(ot.verify(forecast, truth, healpix="nested"))
    check(ot.verify(forecast.rename(cell="p"), truth.rename(cell="p"), space=("p",), healpix="nested"))
    # A grid mapping beside the variable, in both spellings of its attributes.
    for attributes in (
        {"healpix_nside": 4, "healpix_order": "nest"},
        {"refinement_level": 2, "indexing_scheme": "nested"},
    ):
        crs = xr.DataArray(0, attrs={"grid_mapping_name": "healpix", **attributes})
        pair = [
            xr.Dataset({"t2m": x.assign_attrs(grid_mapping="crs"), "crs": crs}) for x in (forecast, truth)
        ]
        check(ot.verify(*pair))
    ids = ("cell", np.arange(192), {"grid_name": "healpix", "level": 2, "indexing_scheme": "nested"})
    forecast, truth = (x.assign_coords(cell_ids=ids) for x in (forecast, truth))
    check(ot.verify(forecast, truth))
    spectrum = truth.overtone.spectrum()
    assert spectrum.power.dims == ("degree", "time")
    np.testing.assert_allclose(spectrum.power[1:, 0], power_by_degree(COEFFICIENTS[0])[1:], rtol=1e-6)
    with pytest.raises(
        InputError, match=r"pixels 0 to 191 in order along cell.*sort them \(.sortby\('cell_ids'\)\)"
    ):
        ot.verify(forecast.isel(cell=slice(None, None, -1)), truth)
    with pytest.raises(InputError, match="pixels in nested order, as the metadata say, got 'ring'"):
        ot.verify(forecast, truth, healpix="ring")
    with pytest.raises(InputError, match="192 pixels along cell, got 100; pass all pixels"):
        ot.verify(forecast.isel(cell=slice(100)), truth.isel(cell=slice(100)))
    with pytest.raises(InputError, match="one HEALPix grid, got nside 4 in nested order and no such grid"):
        ot.verify(forecast, labelled(TRUTH), space=("cell",))


def test_sizes_alone_say_nothing():
    with pytest.raises(InputError, match="axes of latitude and longitude, or of x, y and z"):
        ot.verify(labelled(FORECAST), labelled(TRUTH))
    assert ot.verify(FORECAST[:, None], TRUTH[:, None]).geometry.kind.value == "box"


def test_winds_on_pixels():
    theta, phi = RING.positions()
    psi = random_harmonics(6, 1, 2.0)
    # Derivatives pixel by pixel: gradient() takes rows and columns.
    east, north = (np.diag(x) for x in gradient(psi, 90 - np.degrees(theta), np.degrees(phi)))
    truth = {"u": -north[None], "v": east[None]}
    result = ot.verify({name: 0.5 * x for name, x in truth.items()}, truth, winds=("u", "v"), healpix="ring")
    rotational, divergent = result.scores
    degree = np.arange(7)
    np.testing.assert_allclose(
        rotational.target, degree * (degree + 1) / 2 * power_by_degree(psi), rtol=1e-5, atol=1e-9
    )
    assert divergent.target.max() < 1e-9 * rotational.target.max()


@pytest.mark.parametrize(
    ("forecast", "options", "message"),
    [
        (FORECAST[:, None], {"healpix": "spiral"}, "one of the orders ring and nested"),
        (FORECAST[:, None, :100], {"healpix": "ring"}, "12 nside\\^2 values"),
        (FORECAST[:, None, None], {"healpix": "ring"}, "values \\(samples, channels, pixels\\)"),
        (FORECAST[:, None], {"healpix": "ring", "spacing": 2.0}, "beside healpix"),
        (np.where(FORECAST > 1, np.nan, FORECAST)[:, None], {"healpix": "ring"}, "values in every pixel"),
        (
            labelled(FORECAST).rename(cell="a"),
            {"healpix": "ring", "space": ("b",)},
            "one of the variables|one of the axes|none",
        ),
        (labelled(FORECAST[:, :96]), {"healpix": "ring"}, "variables|axis of 12 nside"),
    ],
)
def test_what_is_no_healpix_grid_is_refused(forecast, options, message):
    with pytest.raises(InputError, match=message):
        ot.verify(forecast, forecast, **options)
