"""Bands beyond the last step: "not learned" is said only where the interval excludes learning."""

from __future__ import annotations

import numpy as np
import pytest

from overtone.records import Header
from overtone.theory.dynamics._extrapolation import PredictionInterval
from overtone.theory.dynamics._findings import FindingCode, band_findings
from overtone.theory.dynamics._wording import finding_sentence

STEPS = 100
RECORDED = [0, 10, 50, 100, 200, 400]


def record(times):
    """Bands with residuals exp(-step / time), each learned at time * ln 4, where its relative error is one half."""
    low = np.arange(len(times), dtype=float)
    power = np.ones((len(times), 1))
    header = Header(low, low + 1, ["value"], {"target_power": power}, {"frequency_unit": "cycles per array"})
    residual = np.exp(-np.array(RECORDED)[:, None] / np.asarray(times))[..., None]
    return header.record(RECORDED, {"residual_power": residual, "cross_power": 1 - residual})


def interval(times, changing=False):
    one = record(times)
    return PredictionInterval(one, one, one, 10, changing)


def findings(this):
    until = this.determined(STEPS)
    return {
        finding.code: finding.values
        for finding in band_findings(until, this.undetermined, this.earliest, this.latest, STEPS)
    }


def test_a_band_learned_soon_after_the_last_step_is_not_called_unlearned():
    told = findings(interval([5, 20, 120]))
    assert told.keys() == {FindingCode.BANDS_LATER}
    values = told[FindingCode.BANDS_LATER]
    assert (values["count"], values["low"], values["steps"]) == (1, 2.0, STEPS)
    assert STEPS < values["first"] <= values["last"] <= 4 * STEPS


def test_a_band_beyond_four_times_the_steps_is_not_learned():
    told = findings(interval([5, 20, 1e9]))
    assert told.keys() == {FindingCode.BANDS_NOT_LEARNED}
    assert told[FindingCode.BANDS_NOT_LEARNED]["low"] == 2.0


@pytest.mark.parametrize("time", [1e4, 1e9])
def test_while_features_change_such_a_band_is_undetermined(time):
    this = interval([5, 20, time], changing=True)
    assert this.undetermined.tolist() == [False, False, True]
    until = this.determined(STEPS)
    assert until.residual_power.isel(band=2, step=-1).isnull().all()
    assert until.residual_power.isel(band=2, step=0).notnull().all()
    assert until.residual_power.isel(band=1).notnull().all()
    assert findings(this).keys() == {FindingCode.BANDS_UNDETERMINED}


def test_features_that_change_leave_learned_bands_determined():
    assert not interval([5, 20, 60], changing=True).undetermined.any()


def test_sentences_name_steps_and_bands():
    this = interval([5, 120, 1e9])
    sentences = [
        finding_sentence(finding)
        for finding in band_findings(
            this.determined(STEPS), this.undetermined, this.earliest, this.latest, STEPS
        )
    ]
    assert len(sentences) == 2
    assert "predicted to be learned after step 100, at about step 200" in sentences[0]
    assert "not learned within 100 steps, nor within four times as many" in sentences[1]
