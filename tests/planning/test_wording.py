"""Sentences of reasons never contradict their numbers."""

from __future__ import annotations

import json

import pytest

from overtone.planning import ReasonCode
from overtone.planning._held_out import ExpectedPSNR
from overtone.planning._plan import outcome_reasons
from overtone.planning._reasons import Reason, read_reasons, sentences
from overtone.planning._run_size import RunSize


def outcome(gain: float = 0.5) -> list[Reason]:
    size = RunSize(256, 3, 256, 2000, None, 1e-3)
    return outcome_reasons(gain, True, ExpectedPSNR(30.0, 28.0, 33.0), size)


@pytest.mark.parametrize("gain", [0.02, 0.5, 0.9949, 0.996, 0.99999, 1.0])
def test_no_share_is_rounded_to_all(gain: float) -> None:
    assert ("100%" in str(outcome(gain)[0])) == (gain == 1.0)


def test_the_expectation_is_stated_with_its_interval() -> None:
    assert str(outcome()[1]) == "Expected on held-out samples: 30.0 dB (28.0 to 33.0)."


CANDIDATES = {
    "candidates": 9,
    "first": (0.25,),
    "last": (64.0,),
    "chosen": (8.0,),
    "worst": (64.0,),
    "worst_db": 9.0,
    "samples": 230,
    "held_out": 26,
    "tried": (),
    "trial_psnr": (),
    "trial_steps": 0,
    "spent_steps": 0,
    "steps": 400,
    "ranking": "fourier",
    "shortlist_counts": True,
    "uncertainty_db": 0.8,
    "quick": True,
    "enough_steps": 120,
}


@pytest.mark.parametrize(
    ("changed", "present", "absent"),
    [
        ({}, "8 is used, the best by regression alone; about 0.8 dB may be lost", "too few"),
        ({}, "with the ridge for 400 steps)", "first"),
        ({"quick": False, "steps": 90}, "90 steps are too few for short trainings", "were then trained"),
        (
            {"tried": ((8.0,), (4.0,)), "trial_psnr": (28.1, None), "trial_steps": 50, "spent_steps": 100},
            "The best 2 were then trained for 50 steps each, 25% of the run in all (8: 28.1 dB, 4: diverged on",
            "alone",
        ),
        (
            {"tried": ((8.0,),), "trial_psnr": (28.1,), "spent_steps": 50, "shortlist_counts": False},
            "8 is used, the best by its trial",
            "regression together",
        ),
        (
            {
                "tried": ((4.0,), (2.0,)),
                "trial_psnr": (20.0, 18.0),
                "outlook_psnr": (31.0, 30.0),
                "trial_steps": 50,
                "spent_steps": 100,
                "shortlist_counts": False,
                "takes_lowest": True,
                "multiplies_frequencies": True,
                "best_by_regression": (16.0,),
            },
            "16 was best. Layers with such activations multiply frequencies while they learn, so that trained networks "
            "do best one to three octaves below. 2 of them were then trained for 50 steps each, 25% of the run in all, "
            "and extrapolated by regression with their tangent kernels (4: 31.0 dB, 2: 30.0 dB on held-out "
            "samples). 8 is used, the lowest within half a dB of the best;",
            "18.0 dB",
        ),
        (
            {"multiplies_frequencies": True, "best_by_regression": (32.0,)},
            "8 is used, two octaves below it if that was compared; about 0.8 dB may be lost",
            "by regression alone",
        ),
        (
            {"multiplies_frequencies": True, "best_by_regression": (16.0,), "untried_octaves": 1},
            "8 is used, an octave below it if",
            "two octaves",
        ),
        (
            {"localised": True, "best_by_regression": (4.0,), "untried_octaves": -1},
            "networks do best up to two octaves above. 8 is used, an octave above it if",
            "below",
        ),
        ({"fixed": True}, "fixed rule: 8 Hz is used, 8 cycles per extent or the", "trial of"),
        (
            {"fixed": True, "outlook_psnr": (21.5,), "trial_steps": 50},
            "0.8 dB may be lost, as measured. A trial of 50 steps, extrapolated",
            "compared",
        ),
    ],
)
def test_the_choice_is_told_as_it_was_made(changed: dict, present: str, absent: str) -> None:
    text = str(Reason(ReasonCode.CANDIDATES, CANDIDATES | changed, "Hz"))
    assert present in text
    assert absent not in text


COMPARISON = {
    "candidates": 3,
    "first": (1.0,),
    "last": (4.0,),
    "tied_low": (1.0,),
    "tied_high": (2.0,),
    "tolerance_db": 0.2,
    "worst": (4.0,),
    "worst_db": 3.0,
    "rejected_gain_db": 0.5,
    "plain_db": -1.0,
    "samples": 500,
    "choice": "highest",
    "steps": 300,
    "time_limit_steps": 300,
}

VALUES: dict[ReasonCode, dict[str, object]] = {
    ReasonCode.NOISE_FLOOR: {"verdict": "noise", "std": (0.1,), "description": "White noise."},
    ReasonCode.SPECTRUM_BANDWIDTH: {
        "measured": (9.0,),
        "nyquist": (64.0,),
        "crossing": (8.0,),
        "limit": (8.0,),
    },
    ReasonCode.GIVEN_BANDWIDTH: {"bandwidth": (3.0, 6.0)},
    ReasonCode.NO_BANDWIDTH: {"encoding": "basic"},
    ReasonCode.ALIASING: {"axes": (1,), "bandwidth": (40.0,), "alias": (8.0,), "nyquist": (16.0,)},
    ReasonCode.CONSTANT_AXIS: {"axis": 1},
    ReasonCode.TOO_FEW_SAMPLES: {"samples": 20, "fallback": "spectrum"},
    ReasonCode.NOT_SETTLED: {"detail": "no convergence"},
    ReasonCode.CONSTANT_HELD_OUT: {},
    ReasonCode.CANDIDATES: CANDIDATES,
    ReasonCode.NETWORK_SETTING: {"value": 12.0, "library": "siren", "domain": (-1.0, 1.0)},
    ReasonCode.NETWORK_PARAMETERS: {
        "module": "Finer(omega=12, bias=1)",
        "activation": True,
        "domain": (-1.0, 1.0),
    },
    ReasonCode.BANDWIDTH_COMPARISON: COMPARISON,
    ReasonCode.EXTENDED_BANDWIDTH: {},
    ReasonCode.AXIS_BANDWIDTHS: {"axes": ("m",), "bandwidth": (2.0,), "tolerance_db": 0.2},
    ReasonCode.TOO_MANY_AXES: {"axes": 30},
    ReasonCode.ENCODING_COMPARISON: {"steps": 300, "psnr": {"none": 20.0}, "chosen": "none"},
    ReasonCode.EXPLAINED_POWER: {"fraction": 0.5, "recommended": False},
    ReasonCode.EXPECTED_PSNR: {"psnr": 30.0, "low": 28.0, "high": 33.0, "steps": 60, "width": 256},
    ReasonCode.NO_EXPECTATION: {"steps": 5, "lr": 1e-3, "enough_steps": 25},
    ReasonCode.FAST_SINES: {"lr": 1e-3, "width": 256, "radians": 7.7, "safe_lr": 2.6e-4},
    ReasonCode.SINE_RATE: {"lr": 2.6e-4, "usual": 1e-3, "width": 256, "radians": 7.7},
    ReasonCode.STOPPING_RULE: {"patience": 2.0, "earliest": 100.0},
    ReasonCode.FEATURE_LIMIT: {"features": 36},
    ReasonCode.PARAMETER_BUDGET: {"depth": 3, "width": 64, "features": 64, "parameters": 20_000},
    ReasonCode.TIME_BUDGET: {"seconds": 20.0, "steps": 500, "width": 128, "batch": 1024},
    ReasonCode.FEW_STEPS: {"steps": 7, "enough_steps": 100, "enough_seconds": 3.0},
    ReasonCode.MANY_FEATURES: {"features": 37, "samples": 36},
    ReasonCode.NOT_RECOMMENDED: {},
    ReasonCode.BANDS_LEARNED: {"step": 10},
    ReasonCode.ERROR_RISES: {"step": 90, "best_step": 70, "lr_factor": 0.3},
    ReasonCode.ERROR_RISES_AGAIN: {"step": 200},
    ReasonCode.LOSS_NOT_FINITE: {"step": 5},
    ReasonCode.CONTROLLER_SUMMARY: {"bandwidth": (2.0,), "increases": 1},
    ReasonCode.BEST_STEP: {"step": 60, "samples": 36},
    ReasonCode.LAST_STEP: {"steps": 50},
    ReasonCode.RECORDED: {"text": "An older sentence."},
}


@pytest.mark.parametrize("code", ReasonCode)
def test_every_code_has_a_wording(code: ReasonCode) -> None:
    text = str(Reason(code, VALUES[code], "Hz"))
    assert text[0].isupper() or text[0].isdigit()
    assert text.endswith(".")
    assert "None" not in text
    assert Reason.from_json(json.loads(json.dumps(Reason(code, VALUES[code], "Hz").to_json()))) == Reason(
        code, VALUES[code], "Hz"
    )


def test_reasons_cross_json_and_sentences_of_older_files_are_kept() -> None:
    reasons = tuple(outcome())
    plain = json.loads(json.dumps([reason.to_json() for reason in reasons]))
    assert read_reasons(sentences(reasons), plain) == reasons
    old = read_reasons(["An older sentence."])
    assert [str(reason) for reason in old] == ["An older sentence."]
    assert old[0].code is ReasonCode.RECORDED
