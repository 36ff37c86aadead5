"""The plain sentences: each claim follows from the record, and what is unknown is called so."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from overtone import reports
from overtone._utils.noise_wording import NoiseFacts, noise_wording
from overtone.errors import InputError
from overtone.records import metrics
from overtone.reports._findings import gather
from tests.records.toy import toy_record

EVIDENCE = ("held_out_error", "clean_error")


def without(record: xr.Dataset, *names: str) -> xr.Dataset:
    out = record.copy(deep=True)
    for name in names:
        out[name][:] = np.nan
    return out


def test_four_questions_have_four_answers() -> None:
    answers = reports.verdict(toy_record())
    assert len(answers) == len(reports.QUESTIONS) == 4
    assert all(answer.endswith(".") for answer in answers)


def test_reach_share_and_counts_are_those_of_the_record() -> None:
    record = toy_record()
    learned, missed, _, _ = reports.verdict(record)
    error = metrics.relative_error(record).isel(step=-1, channel=0).values[1:]
    power = record.target_power.isel(channel=0).values[1:]
    assert f"{(error < 0.5).sum()} of {error.size} bands" in learned
    assert f"up to {float(metrics.highest_learned(record)):.3g} cycles per picture height" in learned
    share = 100 * power[error >= 0.5].sum() / power.sum()
    assert f"{share:.2g}%" in missed


def test_missed_bands_above_the_noise_are_rightly_missed() -> None:
    record = toy_record(steps=300, noise=0.3)
    found = gather(record)
    assert found.noise_from is not None
    cut = record.copy(deep=True)
    quiet = record.band_low.values < found.noise_from
    cut.residual_power[-1] = np.where(quiet[:, None], 0.0, record.target_power)
    assert "as it should be" in reports.verdict(cut)[1]
    cut.residual_power[-1] = record.target_power
    assert "as it should be" not in reports.verdict(cut)[1]


def test_everything_learned_leaves_nothing() -> None:
    record = toy_record()
    record.residual_power[-1] = 1e-6 * record.target_power
    learned, missed, _, _ = reports.verdict(record)
    assert "all 7 bands: everything up to Nyquist (64 cycles per picture height) and the corner" in learned
    assert missed.startswith("Nothing: the largest relative error is 0.001")


def test_averaged_weights_of_the_last_step_are_said_to_be_so() -> None:
    record = toy_record()
    last = int(record.step[-1])
    assert reports.verdict(record)[0].startswith(f"At step {last:,}, it has")
    record.attrs |= {"averaged": True, "kept": last, "steps": last}
    assert reports.verdict(record)[0].startswith(
        f"At step {last:,}, whose averaged weights were restored, it has"
    )


def test_nothing_learned_yet() -> None:
    learned, _, _, advice = reports.verdict(toy_record().isel(step=[0]))
    assert "nothing yet" in learned
    assert "a single recorded row shows no trend" in advice


def test_a_gap_at_the_bottom_is_not_called_reach() -> None:
    record = toy_record()
    record.residual_power[-1, :3] = record.target_power[:3]
    assert "but not the lowest ones" in reports.verdict(record)[0]


def test_noise_onset_is_the_derived_one() -> None:
    record = toy_record(steps=20_000)
    onset = metrics.noise_onset(record)
    assert onset is not None
    assert reports.verdict(record)[2].startswith(f"At step {onset:,}")


def test_noise_not_reached_yet() -> None:
    record = toy_record(steps=20)
    assert metrics.noise_onset(record) is None
    assert reports.verdict(record)[2].startswith("Not by step 20")


def test_noise_below_the_signal_everywhere_cannot_be_told() -> None:
    record = toy_record(noise=1e-4)
    assert reports.verdict(record)[2].startswith("Cannot tell: the noise")


def test_no_noise_is_said_plainly() -> None:
    assert reports.verdict(toy_record(noise=0.0))[2].startswith("It did not: the target shows no noise")


@pytest.mark.parametrize(
    "attrs", [{"noise_verdict": "cannot_tell"}, {"noise_verdict": None}, {"noise_verdict": "odd"}]
)
def test_unknown_noise_is_called_unknown(attrs: dict[str, object]) -> None:
    assert reports.verdict(toy_record(**attrs))[2].startswith("Cannot tell")


def test_the_numbers_of_an_undecided_noise_floor_are_worded() -> None:
    undecided = NoiseFacts("cannot tell", ("cannot tell",), (0.02,), (0.0,), (0.04,), (1.0,), (False,))
    record = toy_record(noise_verdict="cannot tell", noise_channels=undecided.to_json())
    assert NoiseFacts.from_json(json.loads(json.dumps(undecided.to_json()))) == undecided
    assert reports.verdict(record)[2].startswith(noise_wording(undecided))
    assert "up to 0.04, 4.0% of the values' range" in reports.verdict(record)[2]


def test_the_sentence_of_an_older_record_is_shown_as_it_is() -> None:
    stored = "Cannot tell: the estimates disagree by a factor of 4."
    record = toy_record(noise_verdict="cannot_tell", noise_sentence=stored)
    assert reports.verdict(record)[2].startswith(stored)


def test_the_sentence_on_noise_of_an_older_record_is_shown_as_stored() -> None:
    stored = "Cannot tell: the estimates disagree by a factor of 4."
    record = toy_record(noise_verdict="cannot_tell", noise_sentence=stored)
    assert reports.verdict(record)[2].startswith(stored)
    assert reports.verdict(toy_record(noise_verdict="cannot_tell"))[2].startswith(
        "Cannot tell: the record does not"
    )


def test_rising_error_asks_to_stop_where_the_record_says() -> None:
    record = toy_record(steps=20_000)
    best = metrics.stop(record)
    _, _, noise, advice = reports.verdict(record)
    assert f"Stop at step {best.step:,}" in advice
    assert f"rising since step {best.step:,}" in noise


def test_no_stop_without_evidence() -> None:
    advice = reports.verdict(without(toy_record(steps=20_000), *EVIDENCE))[3]
    assert "Stop at" not in advice
    assert "Hold out some samples" in advice


def test_a_network_that_fits_only_what_it_saw_is_told_so() -> None:
    record = toy_record(steps=50, noise=0.0).drop_vars("clean_error")
    record["clean_error"] = record.train_error * float("nan")
    level = float(record.train_error[-1]) * 20
    stuck = record.assign(held_out_error=record.train_error * 0 + level)
    assert reports.verdict(stuck)[3].startswith("Lower the bandwidth")
    assert "20 times that on training samples" in reports.verdict(stuck)[3]
    close = record.assign(held_out_error=record.train_error * 0 + float(record.train_error[-1]) * 2)
    assert not reports.verdict(close)[3].startswith("Lower the bandwidth")


def test_the_trend_is_that_of_unseen_samples() -> None:
    record = toy_record(steps=50, noise=0.0)
    record["clean_error"] = record.train_error * float("nan")
    assert float(record.train_error[-1]) < float(record.train_error[-5])
    flat = record.assign(held_out_error=record.train_error * 0 + float(record.train_error[-1]))
    assert not reports.verdict(flat)[3].startswith("Train longer")


def test_falling_error_asks_for_more_steps() -> None:
    assert reports.verdict(toy_record(steps=50, noise=0.0))[3].startswith("Train longer")


def test_stalled_below_the_signal_asks_for_bandwidth() -> None:
    record = without(toy_record(noise=0.0, bandwidth=[8.0, 8.0]), *EVIDENCE)
    record["train_error"][-20:] = record["train_error"][-20]
    advice = reports.verdict(record)[3]
    assert advice.startswith("Increase the bandwidth (it is 8 cycles per picture height now)")


@pytest.mark.parametrize(("times", "keeps"), [(1.1, True), (1.5, False)])
@pytest.mark.parametrize("stated", ["noise", "cannot tell"])
def test_an_error_that_the_noise_explains_asks_for_nothing_more(
    times: float, keeps: bool, stated: str
) -> None:
    record = without(toy_record(noise=0.0, bandwidth=[8.0, 8.0]), "clean_error")
    level = float(record.train_error[-1])
    record["held_out_error"] = record.train_error * 0 + level
    record.attrs |= {"noise_verdict": stated, "noise_std": (level / times) ** 0.5}
    advice = reports.verdict(record)[3]
    assert advice.startswith("Keep it: the error on held-out samples no longer falls") == (
        keeps and stated == "noise"
    )
    assert ("noise alone explains it" in advice) == (keeps and stated == "noise")


def test_done_is_done() -> None:
    record = without(toy_record(noise=0.0), *EVIDENCE)
    record["train_error"][-20:] = record["train_error"][-20]
    record.residual_power[-1] = 1e-6 * record.target_power
    assert reports.verdict(record)[3].startswith("Keep it")


@pytest.mark.parametrize("broken", ["infinite residual", "infinite loss", "blown up"])
def test_divergence_comes_before_everything(broken: str) -> None:
    record = toy_record()
    if broken == "infinite residual":
        record.residual_power[-1] = np.inf
    elif broken == "infinite loss":
        record.loss[-2:] = [np.inf, np.nan]
    else:
        record.residual_power[-1] = 1e4 * record.target_power
    learned, missed, _, advice = reports.verdict(record)
    assert "diverged" in learned
    assert "trusted" in missed
    assert "learning rate" in advice


def test_a_missing_loss_is_not_divergence() -> None:
    assert "diverged" not in reports.verdict(without(toy_record(), "loss"))[0]
    for unknown in (slice(-1, None), slice(3, None), slice(None, -1), slice(2, 9)):
        record = toy_record()
        record.loss[unknown] = np.nan
        assert "diverged" not in reports.verdict(record)[0]


def test_a_loss_that_was_infinite_once_and_recovered_is_not_divergence() -> None:
    record = toy_record()
    record.loss[4] = np.inf
    assert "diverged" not in reports.verdict(record)[0]


def test_a_constant_has_nothing_to_learn() -> None:
    record = toy_record()
    record.target_power[1:] = 0
    assert "constant" in reports.verdict(record)[0]


def test_predictions_are_called_predictions() -> None:
    assert reports.verdict(toy_record(origin="predicted"))[0].startswith(
        "This is a prediction; nothing was trained."
    )


def test_records_of_many_runs_or_none_are_refused() -> None:
    with pytest.raises(InputError, match="at least one row"):
        reports.verdict(toy_record().isel(step=slice(0, 0)))


def expecting(record: xr.Dataset, above: float) -> str:
    """The first answer on a run that was expected to end around a level above the one that it reached."""
    (reached,) = (level.psnr for level in metrics.levels(record) if level.name == "held_out")
    middle = reached + above
    record.attrs |= {"complete": True, "expected": {"psnr": middle, "low": middle - 2, "high": middle + 2}}
    return reports.verdict(record)[0]


def test_a_run_that_ends_outside_of_its_expectation_is_told_so_with_the_cause() -> None:
    record = toy_record()
    plain = reports.verdict(record)[0]
    assert expecting(record.copy(deep=True), 1.5) == plain
    below = expecting(record.copy(deep=True), 6.0)
    assert below.startswith(f"{plain} It ended at ")
    assert " dB on held-out samples, below the " in below
    assert " expected before: " in below
    falling = without(record, "clean_error")
    falling.held_out_error[:] = np.geomspace(1.0, 0.01, falling.sizes["step"])
    falling.train_error[:] = falling.held_out_error
    assert "its error was still falling at the last step" in expecting(falling, 6.0)
    free = without(record, "clean_error")
    free.held_out_error[:] = 0.1
    free.train_error[:] = 0.01
    assert "its error there is 10 times that on training samples" in expecting(free, 6.0)
    assert "above the" in (text := expecting(record.copy(deep=True), -6.0))
    assert "training found features that short runs do not show" in text
    # Of a run that was interrupted, the end is not known.
    record.attrs["complete"] = False
    assert reports.verdict(record)[0] == plain
