"""Verification of winds by their rotational and divergent part."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import overtone as ot
from overtone.errors import InputError
from tests.cli.calling import ask
from tests.spectra.test_sphere import random_harmonics
from tests.spectra.test_winds import winds

LATITUDE, LONGITUDE = np.linspace(90, -90, 15), np.arange(0, 360, 15.0)
DEGREES = np.arange(12)


def dataset(blur: float, samples: int = 4) -> xr.Dataset:
    """Winds whose streamfunction is blurred, and a scalar."""
    fields = []
    for seed in range(samples):
        psi, chi = (random_harmonics(11, 10 * seed + part, 4.0) for part in (0, 1))
        fields.append(winds(psi * np.exp(-((DEGREES / blur) ** 2)), chi, LATITUDE, LONGITUDE))
    axes = {"time": np.arange(samples), "latitude": LATITUDE, "longitude": LONGITUDE}
    u, v = np.stack(fields).transpose(3, 0, 1, 2)
    units = {"units": "m/s"}
    return xr.Dataset(
        {"u": (tuple(axes), u, units), "v": (tuple(axes), v, units), "t": (tuple(axes), u + 280)}, axes
    )


TRUTH, FORECAST = dataset(np.inf), dataset(5.0)


def test_the_part_that_is_blurred_is_named():
    result = ot.verify(FORECAST, TRUTH, winds=("u", "v"))
    assert [score.variable for score in result.scores] == ["rotational wind", "divergent wind", "t"]
    rotational, divergent, scalar = result.scores
    centre = np.sqrt(rotational.low * rotational.high)[1:]
    np.testing.assert_allclose(rotational.power_ratio[1:], np.exp(-2 * (centre / 5) ** 2), rtol=0.05)
    assert np.nanmax(divergent.error_ratio) < 1e-10
    alone = ot.verify(FORECAST[["t"]], TRUTH[["t"]]).scores[0]
    np.testing.assert_allclose(scalar.target[1:], alone.target[1 : len(scalar.target)], rtol=1e-9)
    text = " ".join(result.sentences)
    assert "rotational wind: the effective resolution is" in text
    assert "kinetic energy per mass" in text
    assert result.estimator.endswith("winds split into a rotational and a divergent part")
    values = result.to_json()
    assert [score["variable"] for score in values["scores"]] == ["rotational wind", "divergent wind", "t"]
    assert values["notes"][0] == {"code": "winds split", "values": {"mean": False}}


def test_arrays_ensembles_and_reversed_grids_give_the_same_figures(tmp_path, monkeypatch):
    result = ot.verify(FORECAST[["u", "v"]], TRUTH[["u", "v"]], winds=("u", "v"))
    expected = [score.residual for score in result.scores]
    forecast, truth = ({name: data[name].values for name in "uv"} for data in (FORECAST, TRUTH))
    place = {"latitude": LATITUDE, "longitude": LONGITUDE}
    same = ot.verify(forecast, truth, winds=("u", "v"), **place)
    stacked = [np.stack([data["u"], data["v"]], 1) for data in (forecast, truth)]
    counted = ot.verify(*stacked, winds=("0", 1), **place)
    turned = ot.verify(
        FORECAST[["v", "u"]].isel(latitude=slice(None, None, -1)), TRUTH, winds=("u", "v"), variables="vu"
    )
    members = xr.concat([FORECAST + 0.1 * TRUTH, FORECAST - 0.1 * TRUTH], "member")
    ensemble = ot.verify(members[["u", "v"]], TRUTH[["u", "v"]], member="member", winds=("u", "v"))
    for other in (same, counted, turned, ensemble):
        residuals = {score.variable: score.residual for score in other.scores}
        np.testing.assert_allclose(residuals["rotational wind"], expected[0], rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(residuals["divergent wind"], expected[1], rtol=1e-6, atol=1e-9)
    assert {e.variable for e in ensemble.ensembles} == {"rotational wind", "divergent wind"}
    monkeypatch.chdir(tmp_path)
    for name, data in (("f", forecast), ("t", truth)):
        np.savez(f"{name}.npz", **data)
    answer = ask("verify", "f.npz", "t.npz", "--winds", "u,v", "--periodic", "--json").json
    assert [score["variable"] for score in answer["scores"]] == ["rotational wind", "divergent wind"]


@pytest.mark.parametrize(
    ("forecast", "winds", "message"),
    [
        (FORECAST, ("u", "w"), "one of the variables u, v, t, got 'w'"),
        (FORECAST, ("u",), "two components"),
        (FORECAST, "uv", "two components"),
        (FORECAST, ("u", "u"), "'u' twice"),
        (FORECAST, ("u", "t"), None),
        (
            FORECAST.assign(u=FORECAST.u.assign_attrs(standard_name="northward_wind")),
            ("u", "v"),
            "exchange them",
        ),
        (FORECAST.assign(v=FORECAST.v.assign_attrs(units="km/h")), ("u", "v"), "one unit|same unit"),
        (FORECAST.where(FORECAST.latitude < 60), ("u", "v"), "values in every cell for winds"),
        (FORECAST.isel(latitude=7), ("u", "v"), "two axes of space"),
    ],
)
def test_what_is_no_wind_is_refused(forecast, winds, message):
    truth = TRUTH if "latitude" in forecast.dims else TRUTH.isel(latitude=7)
    space = {} if "latitude" in forecast.dims else {"space": ("longitude",)}
    if message is None:
        assert len(ot.verify(forecast, truth, winds=winds).scores) == 3
        return
    with pytest.raises(InputError, match=message):
        ot.verify(forecast, truth, winds=winds, **space)
