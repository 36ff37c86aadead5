"""Plots that need a record alone: what they would draw, and that they can be drawn from every odd record."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest
import xarray as xr
from scipy import stats

from overtone.plots import PSNR, LearningOrder, LearningStep, Loss, Plot, RunComparison, Spectra
from overtone.records import metrics
from tests.records.toy import toy_record

PLOTS = [LearningOrder, LearningStep, Loss, PSNR, Spectra]


def odd_records() -> dict[str, xr.Dataset]:
    plain = toy_record()
    unknown = plain.copy(deep=True)
    for name in (
        "cross_power",
        "noise_power",
        "train_error",
        "held_out_error",
        "clean_error",
        "time",
        "loss",
    ):
        unknown[name][:] = np.nan
    diverged = plain.copy(deep=True)
    diverged.residual_power[-3:] = np.inf
    diverged.loss[-3:] = np.nan
    constant = plain.copy(deep=True)
    constant.target_power[1:] = 0
    bare = plain.copy()
    bare.attrs = {"schema": 1}
    return {
        "plain": plain,
        "colour": toy_record(channels=3, bands=12),
        "first row only": plain.isel(step=[0]),
        "last row only": plain.isel(step=[-1]),
        "nothing learned": plain.isel(step=slice(0, 1)),
        "unknown": unknown,
        "diverged": diverged,
        "constant": constant,
        "no attributes": bare,
        "no mean band": plain.isel(band=slice(1, None)),
        "one band": plain.isel(band=[2]),
    }


@pytest.mark.parametrize("name", odd_records())
@pytest.mark.parametrize("plot", PLOTS, ids=lambda p: p.__name__)
def test_every_plot_draws_every_odd_record(plot: type[Plot], name: str) -> None:
    record = odd_records()[name]
    before = record.copy(deep=True)
    figure = plot(record).plotly()
    assert isinstance(figure, go.Figure)
    figure.to_json()
    assert plot(record).describe().endswith(".")
    xr.testing.assert_identical(record, before)


@pytest.mark.parametrize("plot", PLOTS, ids=lambda p: p.__name__)
def test_axes_have_titles_with_units(plot: type[Plot]) -> None:
    layout = plot(toy_record(value_unit="Pa")).plotly().layout
    titles = [layout[a].title.text for a in layout.to_plotly_json() if a.startswith(("xaxis", "yaxis"))]
    assert any(
        title and title.startswith(("Training step", "Frequency (cycles per picture height)"))
        for title in titles
    )
    assert layout.yaxis.title.text


def test_learning_order_holds_relative_error_and_marks() -> None:
    record = toy_record(channels=3)
    d = LearningOrder(record).data
    together = record.sum("channel")
    expected = np.sqrt(together.residual_power / together.target_power).transpose("step", "band")
    np.testing.assert_allclose(d.relative_error, expected, rtol=1e-12)
    assert d.sizes["edge"] == d.sizes["band"] + 1
    assert d.sizes["moment"] == d.sizes["step"] + 1
    assert (np.diff(d.step_edge) > 0).all()
    assert d.attrs["best_step"] == metrics.stop(record).step
    assert d.attrs["nyquist"] == 64.0


def test_every_step_lies_inside_its_column() -> None:
    d = LearningOrder(toy_record()).data
    steps = d.step.values[1:]
    assert (d.step_edge.values[1:-1] < steps).all()
    assert (d.step_edge.values[2:] > steps).all()


def test_colours_end_at_zero_and_one_whatever_the_error() -> None:
    record = toy_record()
    record.residual_power[:] *= 100
    heat = LearningOrder(record).plotly().data[0]
    assert (heat.zmin, heat.zmax) == (0, 1)
    assert np.nanmax(heat.z) <= 1


def test_no_best_step_is_marked_without_evidence() -> None:
    record = toy_record()
    record["clean_error"][:] = np.nan
    record["held_out_error"][:] = np.nan
    assert LearningOrder(record).data.attrs["best_step"] is None
    assert PSNR(record).data.attrs["best_step"] is None


def test_learning_step_fits_the_power_law_it_is_given() -> None:
    record = toy_record(steps=100_000, bands=30, noise=0.0)
    d = LearningStep(record).data
    frequency, steps = d.frequency.values, d.learning_step.values[0]
    kept = (steps > 0) & (frequency < 64)
    slope = stats.linregress(np.log(frequency[kept]), np.log(steps[kept])).slope
    # toy rates fall as 1 / (1 + f^2): an exponent below 2 that nears it; centres differ by the kind of mean alone
    assert d.attrs["exponent"] == pytest.approx(slope, abs=0.1)
    assert d.attrs["low"] < d.attrs["exponent"] < d.attrs["high"]


def test_learning_step_of_several_seeds_has_its_interval_over_runs() -> None:
    d = LearningStep([toy_record(seed=s, bands=16) for s in (1, 2, 3)])
    assert d.data.sizes["run"] == 3
    assert d.data.attrs["fitted_runs"] == 3
    assert "over the runs" in d.describe()
    assert len(LearningStep([toy_record(seed=s) for s in (1, 2)]).plotly().data) >= 3


def test_learning_step_leaves_out_the_mean_and_empty_bands() -> None:
    record = toy_record()
    record.target_power[3] = 0
    assert LearningStep(record).data.sizes["band"] == record.sizes["band"] - 2


def test_bands_not_learned_are_drawn_apart() -> None:
    names = [trace.name for trace in LearningStep(toy_record()).plotly().data]
    assert "not learned yet" in names


def test_spectra_recover_the_power_of_a_known_prediction() -> None:
    rng = np.random.default_rng(0)
    target, prediction = rng.standard_normal((2, 8, 5, 1))
    record = toy_record().isel(step=[-1]).copy(deep=True)
    record.target_power[:] = (target**2).sum(1)
    record.residual_power[0] = ((prediction - target) ** 2).sum(1)
    record.cross_power[0] = (prediction * target).sum(1)
    d = Spectra(record).data
    # five products of order one, added and subtracted four times: some 50 roundings of 2.2e-16
    np.testing.assert_allclose(d.prediction, (prediction**2).sum((1, 2))[1:], rtol=1e-13, atol=1e-13)


def test_spectra_at_a_step_take_the_nearest_row() -> None:
    record = toy_record()
    assert Spectra(record, step=0).data.attrs["step"] == 0
    assert Spectra(record).data.attrs["step"] == 2000
    assert float(Spectra(record, step=0).data.prediction.sum()) == 0


def test_psnr_is_unknown_without_a_peak() -> None:
    assert np.isnan(PSNR(toy_record(peak=None)).data.train).all()
    assert np.isfinite(PSNR(toy_record()).data.train).all()


def test_comparison_keeps_each_record_on_its_own_bands_and_steps() -> None:
    compared = RunComparison([toy_record(bands=8), toy_record(bands=12, steps=500, channels=3)], ["a", "b"])
    assert [d.sizes["band"] for d in compared.data] == [7, 11]
    figures = [
        compared.learning_steps(),
        compared.psnr_curves(),
        compared.final_spectra(),
    ]
    assert [len(f.data) for f in figures] == [2, 2, 3]
    assert all(sentence.endswith(".") for sentence in compared.describe())


def test_comparison_falls_back_to_training_error_for_all() -> None:
    blind = toy_record()
    blind["held_out_error"][:] = np.nan
    assert RunComparison([toy_record(), blind], ["a", "b"]).psnr_shown() == "train"
    assert RunComparison([toy_record(), toy_record()], ["a", "b"]).psnr_shown() == "held_out"


def test_comparison_refuses_mixed_units_and_unclear_labels() -> None:
    with pytest.raises(
        ValueError, match="expected records of one frequency unit, got Hz and cycles per picture height"
    ):
        RunComparison([toy_record(), toy_record(frequency_unit="Hz")], ["a", "b"])
    with pytest.raises(ValueError, match="expected one distinct label per record"):
        RunComparison([toy_record(), toy_record()], ["a", "a"])


def test_labels_cannot_carry_markup_into_figures() -> None:
    compared = RunComparison([toy_record(), toy_record()], ["<img src=x onerror=alert(1)>", "b"])
    assert "<img" not in compared.psnr_curves().to_json()


def test_a_loss_that_begins_late_is_described_from_where_it_begins() -> None:
    record = toy_record()
    record.loss[0] = np.nan
    assert Loss(record).describe().startswith("The training loss goes from 0.2")
    assert "at step 1 to" in Loss(record).describe()
    record.loss[:] = np.nan
    assert Loss(record).describe() == "No loss was recorded up to step 2,000."
