"""How a prediction goes on after its pilot, what batches add, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from overtone._training import Optimizer, TrainingConfig, train
from overtone.records import metrics
from overtone.theory.dynamics import Prediction, predict
from overtone.theory.dynamics._findings import FindingCode
from tests.theory_dynamics.models import field, tones

STEPS, RATE, BATCH = 300, 0.008, 4


def found(
    optimizer: type[torch.optim.Optimizer], rate: float, *, pilot: int = 15, window: bool = False
) -> Prediction:
    signal = tones()
    network = field(signal, 64)
    part = signal if window else None
    return predict(
        signal, network, optimizer(network.parameters(), rate), STEPS, pilot=pilot, batch=BATCH, part=part
    )


def test_minibatches_leap_under_any_optimizer() -> None:
    for prediction in (found(torch.optim.SGD, RATE), found(torch.optim.Adam, 1e-3)):
        assert prediction.record.attrs["continued"] == "leaps"
        codes = [finding.code for finding in prediction.findings]
        assert FindingCode.RELINEARISED in codes
        assert FindingCode.WINDOW_NOT_RELINEARISED not in codes


def test_windows_say_why_they_do_not_leap() -> None:
    told = found(torch.optim.SGD, RATE, window=True)
    assert told.record.attrs["continued"] == "growth, for a window"
    assert FindingCode.WINDOW_NOT_RELINEARISED in [finding.code for finding in told.findings]
    assert any("samples outside the window change it too" in sentence for sentence in told.sentences)
    assert found(torch.optim.SGD, RATE, pilot=0).record.attrs["continued"] == "kernel"


def test_scatter_is_that_of_trained_networks() -> None:
    """The power of the spread of outputs over twelve runs with other batches."""
    signal, runs = tones(), 12
    told = found(torch.optim.SGD, RATE, pilot=0)
    ends = []
    for seed in range(runs):
        network = field(signal, 64)
        options = TrainingConfig(STEPS, batch=BATCH, lr=RATE, optimizer=Optimizer.SGD, seed=seed)
        train(network, signal, options, lambda *_: None, wants=lambda _: False)
        ends.append(network(signal.coords).detach())
    actual = float(torch.stack(ends).var(0).mean())
    assert told.scatter is not None
    # The variance of twelve runs in the few modes that scatter, of some ten degrees of freedom each, is off by a third
    # (one standard deviation of one mode); the kernel moves, too.
    assert float(told.scatter.sum()) == pytest.approx(actual, rel=0.6)
    (finding,) = [each for each in told.findings if each.code is FindingCode.MINIBATCH_SCATTER]
    assert finding.values["error"] > 0
    assert any(each.startswith("The variance of minibatches adds to this mean") for each in told.sentences)


def test_scatter_is_not_made_up_where_it_is_not_known() -> None:
    assert found(torch.optim.Adam, 1e-3).scatter is None
    signal = tones()
    network = field(signal, 64)
    whole = predict(
        signal, network, torch.optim.SGD(network.parameters(), RATE), 50, batch=len(signal.values)
    )
    assert whole.scatter is None


def test_the_mean_of_minibatches_is_learned_as_by_all_samples() -> None:
    signal = tones()
    network = field(signal, 64)
    sgd = torch.optim.SGD(network.parameters(), RATE)
    whole = predict(signal, network, sgd, STEPS, pilot=15)
    steps = [
        metrics.learning_step(metrics.combine_channels(each.record)).values
        for each in (found(torch.optim.SGD, RATE), whole)
    ]
    known = np.isfinite(steps).all(0)
    assert known.any()
    # Fifteen steps on a few samples each are all that differs.
    assert np.exp(np.abs(np.log(steps[0] / steps[1]))[known]).max() < 1.5
