"""Targets with missing cells in the view of fields."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import overtone as ot
from overtone import records
from overtone.errors import InputError
from overtone.probes import Probe, views

K = torch.hypot(
    *torch.meshgrid(torch.fft.fftfreq(32, 1 / 32), torch.fft.rfftfreq(32, 1 / 32), indexing="ij")
).clamp(min=1)
Y, X = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
LAND = (torch.hypot(Y - 9.0, X - 12.0) < 6) | (torch.hypot(Y - 25.0, X - 24.0) < 4)


def drawn(samples: int, seed: int) -> torch.Tensor:
    """(samples, 1, 32, 32) periodic fields with power ~ k^-2 per unit of k."""
    noise = torch.randn(
        samples, 1, 32, 32, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    return torch.fft.irfft2(torch.fft.rfft2(noise) / K**1.5)


CLEAN = drawn(24, 0)


def test_powers_are_those_of_the_whole_fields_and_outputs_on_land_do_not_count():
    view = views.fields(CLEAN, CLEAN.masked_fill(LAND, torch.nan), periodic=True)
    whole = views.fields(CLEAN, CLEAN, periodic=True)
    assert "coupling of modes by the missing cells" in view.estimator
    error = 0.3 * drawn(24, 1)
    outputs = CLEAN + error
    row = view.compare(outputs.masked_fill(LAND, torch.inf))
    expected = view.compare(outputs.masked_fill(LAND, -1e6))
    for name in ("residual_power", "cross_power"):
        np.testing.assert_array_equal(row[name], expected[name])
    assert row["train_error"] == pytest.approx(float(error[:, 0, ~LAND].square().mean()), rel=1e-9)
    reported = np.array(view.header({}).attrs["fields"]["reported"])
    assert reported.sum() > 8
    ratio = (row["residual_power"] / view.target_power)[reported, 0]
    # The same from the fields without gaps, on the same bands.
    sums = ot.spectra.PairSums(ot.spectra.GridTransform((32, 32), 1.0, True, view.transform.bands), 1)
    sums.update(outputs, CLEAN)
    np.testing.assert_allclose(ratio, sums.compute().error_ratio[reported, 0], rtol=0.25)
    np.testing.assert_allclose(view.target_power[reported], sums.compute().target[reported], rtol=0.3)
    assert whole.estimator == "periodic"


def test_masks_differ_by_sample_and_channel_and_may_leave_samples_empty():
    targets = torch.cat([CLEAN, 2 * CLEAN], 1)
    targets[::2, 0].masked_fill_(LAND, torch.nan)
    targets[5] = torch.nan
    view = views.fields(targets.nan_to_num(), targets.numpy(), periodic=True, channels=["a", "b"])
    row = view.compare(0.5 * torch.cat([CLEAN, 2 * CLEAN], 1))
    reported = np.array(view.header({}).attrs["fields"]["reported"])
    assert row["train_error"] > 0
    # Half of each field is left over, whatever the mask.
    np.testing.assert_allclose((row["residual_power"] / view.target_power)[reported], 0.25, rtol=1e-9)
    with pytest.raises(InputError, match="a sample with values in each channel, got NaN alone"):
        views.fields(CLEAN, torch.full_like(CLEAN, torch.nan), periodic=True)


def test_the_globe_and_sampling():
    latitude, longitude = np.linspace(87, -87, 30), np.arange(0, 360, 6.0)
    targets = torch.randn(20, 1, 30, 60, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    whole = targets.clone()
    targets[..., 8:14, 10:30] = torch.nan
    view = views.fields(whole, targets, coordinates=(latitude, longitude), samples=12)
    assert view.header({}).attrs["fields"]["missing"]["share"] == pytest.approx(120 / 1800)
    row = view.compare(0.5 * view.target.values.movedim(-1, 1))
    reported = np.array(view.header({}).attrs["fields"]["reported"])
    assert reported.sum() > 10
    np.testing.assert_allclose((row["residual_power"] / view.target_power)[reported], 0.25, rtol=1e-9)


def test_healpix_pixels_are_measured_by_degree(tmp_path):
    grid = ot.spectra.HealpixGrid(4, nested=True)
    colatitude, east = (torch.from_numpy(x) for x in grid.positions())
    waves = torch.stack([colatitude.cos(), colatitude.sin() ** 3 * (3 * east).cos()])
    targets = torch.einsum("nk,kp->np", torch.randn(16, 2, dtype=torch.float64), waves)[:, None].float()
    with Probe(
        views.fields(targets, targets, coordinates=grid), nn.Conv1d(1, 1, 1), tmp_path / "run"
    ) as probe:
        for step in range(2):
            probe(step)
    record = records.load(tmp_path / "run")
    power = record.target_power.isel(channel=0).values
    assert set(np.flatnonzero(power[1:] > 1e-6 * power.max()) + 1) == {1, 3}
    assert record.attrs["frequency_unit"] == "degree"
    stored = records.snapshots(tmp_path / "run")
    assert not set(stored.names) & {"target", "prediction"}
    with pytest.raises(InputError, match="pictures of fields"):
        ot.plots.FieldPictures(record, stored)
    ot.report(tmp_path / "run", tmp_path / "run.html")
    with pytest.raises(InputError, match=r"targets \(samples, channels, 192 pixels\)"):
        views.fields(targets, targets[..., :100], coordinates=grid)


def test_a_run_says_how_many_cells_are_missing(tmp_path):
    targets = CLEAN.float().masked_fill(LAND, torch.nan)
    network = nn.Conv2d(1, 1, 1)
    with Probe(views.fields(CLEAN.float(), targets, periodic=True), network, tmp_path / "run") as probe:
        for step in range(2):
            probe(step)
    note = records.load(tmp_path / "run").attrs["fields"]["missing"]
    assert note["share"] == pytest.approx(float(LAND.double().mean()))
    assert note["bias_median"] < 0.1
    page = ot.report(tmp_path / "run", tmp_path / "run.html")
    text = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert page is not None
    assert "15% of the targets&#39; cells are missing" in text
