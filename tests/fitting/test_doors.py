"""What is no signal is refused where it is handed over, with the way to make one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import overtone as ot
from overtone import comparing, planning, signals
from overtone.fitting._predict import predict
from tests.signals.refusals import refusal

DOORS = {
    "fit": ot.fit,
    "scan": ot.scan,
    "choose": planning.plan,
    "predict": predict,
    "compare": comparing.compare,
}


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.parametrize("given", ["photo.png", np.zeros((4, 4)), torch.zeros(4, 4), None])
def test_what_is_no_signal_is_refused_with_the_way_to_make_one(name, given):
    told = refusal(DOORS[name], given)
    assert type(given).__name__ in told
    assert "signals.read(path)" in told


@pytest.mark.parametrize("name", ["scan", "predict", "compare"])
def test_scattered_samples_are_refused_where_a_grid_is_needed(name):
    wells = signals.points(np.random.default_rng(0).random((30, 2)), np.arange(30.0), name="wells")
    told = refusal(DOORS[name], wells)
    assert "expected a signal on a grid for " in told
    assert "got scattered points (wells); pass it to fit or planning.plan" in told


def test_signals_of_both_kinds_go_through():
    wells = signals.points(np.arange(5.0), np.arange(5.0))
    line = signals.array(np.arange(5.0))
    assert signals.validate(wells) is wells
    assert signals.validate(line) is line
    assert signals.require_grid(line, "a test") is line
