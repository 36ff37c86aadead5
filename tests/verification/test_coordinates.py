"""Grids around the globe with missing, repeated and reversed rows and columns: measured rightly, or refused with advice
that helps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.special import roots_legendre

import overtone as ot
from overtone.errors import InputError
from overtone.spectra import SphereGrid, SphereTransform
from overtone.spectra._field_geometry import FieldGeometry, GeometryKind
from tests.spectra.test_sphere import power_by_degree, random_harmonics, synthesis

LATITUDES = {
    "poles": np.linspace(90, -90, 19),
    "cells": np.arange(85.0, -90, -10),
    "Gauss": np.degrees(np.arcsin(roots_legendre(18)[0][::-1])),
}
LONGITUDES = np.arange(0, 360, 10.0)

ROWS = {
    "all": lambda x: x,
    "no first": lambda x: x[1:],
    "no last": lambda x: x[:-1],
    "no first and last": lambda x: x[1:-1],
    "no first two": lambda x: x[2:],
    "no middle": lambda x: np.delete(x, 7),
    "band": lambda x: x[4:],
    "region": lambda x: x[7:11],
    "twice": lambda x: np.insert(x, 3, x[3]),
}
COLUMNS = {
    "all": lambda x: x,
    "repeated": lambda x: np.append(x, x[0] + 360),
    "repeated as 0": lambda x: np.append(x, x[0]),
    "two repeated": lambda x: np.append(x, [360.0, 370.0]),
    "no last": lambda x: x[:-1],
    "no middle": lambda x: np.delete(x, [11, 20]),
    "a third": lambda x: x[5:17],
    "twice": lambda x: np.insert(x, 4, x[4]),
    "from -180": lambda x: x - 180,
    "with a jump": lambda x: (x + 180) % 360 - 180,
}
MISSING = {"no first", "no last", "no first and last", "no first two", "no middle", "band"}
WHOLE = {"all", "repeated", "repeated as 0", "from -180", "with a jump"}


def measured(kind: str, rows: str, columns: str) -> GeometryKind | None:
    """What a grid is measured as, or None if it is refused."""
    if rows == "region":
        return (
            GeometryKind.REGION
            if columns in {*WHOLE, "no last", "a third"} - {"repeated", "repeated as 0"}
            else None
        )
    if columns not in WHOLE:
        return None
    poles = kind == "poles" and rows in ("no first", "no last", "no first and last")
    return GeometryKind.SPHERE if rows == "all" or poles else None


@pytest.mark.parametrize(
    ("kind", "rows", "columns"),
    list(itertools.product(LATITUDES, ROWS, COLUMNS)),
    ids=lambda x: x.replace(" ", "_"),
)
def test_each_grid_is_measured_rightly_or_refused_with_advice_that_helps(kind, rows, columns):
    latitude, longitude = ROWS[rows](LATITUDES[kind]), COLUMNS[columns](LONGITUDES)
    expected = measured(kind, rows, columns)
    for flipped in (False, True):
        y, x = (latitude[::-1], longitude[::-1]) if flipped else (latitude, longitude)
        if expected is None:
            with pytest.raises(InputError) as caught:
                FieldGeometry.of_coordinates(y, x)
            assert followed(str(caught.value), y, x), str(caught.value)
            continue
        geometry = FieldGeometry.of_coordinates(y, x)
        assert geometry.kind is expected
        if geometry.kind is GeometryKind.REGION:
            assert geometry.periodic == (False, columns in WHOLE)
            continue
        transform = geometry.transform(torch.zeros(1, *geometry.shape))[0]
        coefficients = random_harmonics(transform.degree, 1)
        values = torch.from_numpy(synthesis(coefficients, y, x))[..., None]
        result = transform.coefficients(values)
        np.testing.assert_allclose(
            transform.by_degree(result)[:, 0], power_by_degree(coefficients), rtol=1e-9
        )
        np.testing.assert_allclose(
            float(transform.mean_square(values)), power_by_degree(coefficients).sum(), rtol=1e-9
        )
        torch.testing.assert_close(transform.synthesis(result), values, rtol=0, atol=1e-9)


def followed(message: str, latitude: np.ndarray, longitude: np.ndarray) -> bool:
    """Whether the advice of a refusal, and of those after it, leads to a grid that is measured."""
    for _ in range(4):
        if "remove the repeated rows" in message:
            latitude = latitude[np.append(True, np.diff(latitude) != 0)]
        elif "remove the repeated columns" in message:
            longitude = longitude[np.append(True, np.diff(longitude) != 0)]
        elif "remove them" in message:
            count = 2 if "last 2 repeat" in message else 1
            longitude = longitude[: len(longitude) - count]
        elif "NaN in" in message:
            # The grid that the missing lines belong to.
            rows = next(x for x in LATITUDES.values() if np.isclose(latitude[:, None], x).any(1).all())
            if "missing rows" in message or "complete the globe" in message:
                latitude = rows
            if "missing columns" in message or "complete the globe" in message:
                longitude = np.arange(0, 360, 10.0) + longitude[0]
        else:
            return False
        try:
            FieldGeometry.of_coordinates(latitude, longitude)
        except InputError as error:
            message = str(error)
            continue
        return True
    return False


@pytest.mark.parametrize(
    ("latitude", "longitude", "message"),
    [
        (
            np.linspace(90, -90, 19)[2:],
            LONGITUDES,
            "all 19 latitudes of the equiangular with poles grid.*without 90, 80",
        ),
        (LATITUDES["Gauss"][1:-1], LONGITUDES, r"all 18 latitudes of the Gauss grid.*without 82.5\d+, -82.5"),
        (
            np.linspace(88, -84, 44),
            LONGITUDES,
            "all 45 latitudes of the equiangular without poles grid.*without -88",
        ),
        (np.linspace(89, -86, 36), LONGITUDES, "one step or half a step away"),
        (LATITUDES["poles"], np.arange(36) * 9.7, "divides 360"),
        (LATITUDES["poles"], np.cumsum(1 + np.arange(36) % 2) * 6.6, "another step after"),
        (LATITUDES["poles"], LONGITUDES[[0, 2, 1, *range(3, 36)]], "sort the columns"),
        (np.arange(-30, 31, 5.0), np.arange(20, 100, 5.0)[[0, 2, 1, 3]], "sort the columns"),
        (np.arange(20, 100, 5.0), np.arange(-30, 31, 5.0), "latitudes first"),
    ],
)
def test_sentences_name_what_is_wrong(latitude, longitude, message):
    with pytest.raises(InputError, match=message):
        FieldGeometry.of_coordinates(latitude, longitude)


def test_values_at_absent_poles_add_little_to_the_power_of_noise():
    """White noise has structure up to the last wave of the grid, which the value at a pole cannot follow."""
    noise = torch.randn(31, 60, 200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise[[0, -1]] = noise[[0, -1]].mean(1, keepdim=True)
    latitude, longitude = np.linspace(90, -90, 31), np.arange(60) * 6.0
    whole, cut = (SphereTransform(SphereGrid.of(y, longitude)) for y in (latitude, latitude[1:-1]))
    expected = whole.by_degree(whole.coefficients(noise)).mean(1)[: cut.degree + 1]
    power = cut.by_degree(cut.coefficients(noise[1:-1])).mean(1)
    np.testing.assert_allclose(power[1:], expected[1:], rtol=0.03)


def test_verification_without_rows_of_poles_is_that_with_them_and_cropped_globes_count_as_gaps():
    latitude, longitude = LATITUDES["poles"], LONGITUDES
    time = np.arange(6)
    coefficients = [random_harmonics(16, seed, 2.0) for seed in range(12)]
    fields = np.stack([synthesis(c, latitude, longitude) for c in coefficients])
    truth = xr.DataArray(
        fields[:6],
        {"time": time, "latitude": latitude, "longitude": longitude},
        ("time", "latitude", "longitude"),
    )
    forecast = truth + 0.3 * fields[6:]
    whole = ot.verify(forecast, truth)
    cut = ot.verify(forecast.isel(latitude=slice(1, None)), truth)
    np.testing.assert_allclose(cut.scores[0].target[:15], whole.scores[0].target[:15], rtol=1e-9)
    assert [note.code.value for note in cut.notes] == ["rows of poles absent", "few effective samples"]
    assert any("row of one pole is absent" in sentence for sentence in cut.sentences)
    cropped = forecast.sel(latitude=slice(90, -60))
    with pytest.raises(InputError, match="reindex"):
        ot.verify(cropped, truth)
    completed = ot.verify(cropped.reindex(latitude=latitude), truth)
    assert "missing cells" in [note.code.value for note in completed.notes]
    (score,) = completed.scores
    assert score.reported.any()
    np.testing.assert_allclose(score.error_ratio[score.reported], 0.09, rtol=1)
    # Pole rows that are absent and land: the same figures as with NaN there.
    holes = truth.where((truth.longitude < 200) | (truth.latitude > -20))
    holed = ot.verify(forecast.isel(latitude=slice(1, -1)), holes)
    padded = ot.verify(forecast.isel(latitude=slice(1, -1)).reindex(latitude=latitude), holes)
    np.testing.assert_allclose(holed.scores[0].target, padded.scores[0].target, rtol=1e-8)
