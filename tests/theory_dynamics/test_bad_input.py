"""What a prediction refuses, in one sentence, and what it takes as a result."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from overtone.errors import InputError, RunError
from overtone.theory.dynamics import predict
from tests.theory_dynamics.models import field, tones


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"steps": 0}, "steps: expected at least one step, got 0"),
        ({"pilot": -1}, "pilot: expected a pilot of 0 to 9 steps, got -1"),
        ({"batch": -1}, "batch: expected at least one sample per batch, got -1"),
    ],
)
def test_numbers_out_of_range_are_refused(given: dict[str, int], sentence: str) -> None:
    signal = tones()
    network = field(signal, 16)
    arguments = {"steps": 10, **given}
    with pytest.raises(InputError, match=sentence):
        predict(signal, network, torch.optim.SGD(network.parameters(), 0.01), **arguments)


def test_an_optimizer_of_another_network_is_refused() -> None:
    signal = tones()
    network, other = field(signal, 16), field(signal, 16)
    with pytest.raises(
        InputError,
        match="expected an optimizer of all parameters that require gradients, got an optimizer wi",
    ):
        predict(signal, network, torch.optim.SGD(other.parameters(), 0.01), 10)


def test_a_pilot_whose_last_step_overflows_is_a_result() -> None:
    signal = tones()
    network = field(signal, 16)
    for pilot in (1, 2, 20):
        found = predict(signal, network, torch.optim.SGD(network.parameters(), 1e30), 40, pilot=pilot)
        assert found.diverges_at == found.record.attrs["diverges_at"] == 0
        assert found.sentences[0].endswith(
            "the largest stable rate of the kernel: training diverges after step 0, as in the pilot."
        )
        assert bool(np.isfinite(found.record.residual_power).all())


def test_a_network_that_is_not_finite_to_begin_with_is_an_error_of_the_run() -> None:
    signal = tones()
    network = field(signal, 16)
    with torch.no_grad():
        next(network.parameters()).fill_(math.inf)
    with pytest.raises(
        RunError, match=r"pilot: expected a pilot that does not diverge, got a loss of nan by step 1"
    ):
        predict(signal, network, torch.optim.SGD(network.parameters(), 0.01), 40, pilot=2)


def test_without_a_learning_rate_nothing_is_learned() -> None:
    signal = tones()
    network = field(signal, 16)
    record = predict(signal, network, torch.optim.SGD(network.parameters(), 0.0), 10, pilot=2).record
    assert float(record.residual_power[-1].sum()) == pytest.approx(float(record.residual_power[0].sum()))
