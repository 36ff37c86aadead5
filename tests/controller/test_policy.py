from dataclasses import replace

import numpy as np
import pytest
import torch

from overtone import signals
from overtone.controller import Decision
from overtone.controller._encoding_bandwidth import EncodingBandwidth
from overtone.controller._policy import ControllerPolicy, TargetSpectrum
from overtone.early_stopping import BestWeights, HeldOut
from overtone.planning import ReasonCode, measure_noise
from overtone.probes import Spread
from overtone.probes._grid_measurement import GridMeasurement, Window
from overtone.probes.views._grid import make_measurement
from overtone.signals import masks
from overtone.spectra import NoiseVerdict


class Number(EncodingBandwidth):
    """A bandwidth that is a number, without a network."""

    def __init__(self, value):
        self._value = value

    @property
    def value(self):
        return self._value

    def scale(self, factor):
        self._value = tuple(factor * b for b in self._value)

    def sync(self):
        pass


def spectrum(variance=0.0, verdict=NoiseVerdict.CLEAN):
    signal = signals.synthetic.power_law((32, 32), 3.0, seed=0)
    signal = signal.with_held_out(masks.random(signal.geometry, 0.1, seed=0))
    floor = measure_noise(signal)
    floor = replace(floor, std=torch.full_like(floor.std, variance**0.5), verdict=verdict)
    return TargetSpectrum(GridMeasurement(signal, Window.whole(signal.geometry)), floor)


@pytest.mark.parametrize("window", [None, Spread(256)])
def test_the_spectrum_does_not_see_the_noise_free_reference(window):
    clean = signals.synthetic.power_law((32, 32), 3.0, seed=0)
    noisy = signals.synthetic.add_noise(clean, fraction_of_range=0.2, seed=1)
    floor = replace(measure_noise(noisy), verdict=NoiseVerdict.NOISE)
    known, unknown = (
        TargetSpectrum(make_measurement(signal, window), floor)
        for signal in (noisy, replace(noisy, clean=None))
    )
    assert noisy.clean is not None
    assert unknown.noise.any()
    assert np.array_equal(known.noise, unknown.noise)
    assert np.array_equal(known.target, unknown.target)


def steering(seen, weights=None, bandwidth=(0.5, 0.5), limit=(2.0, 2.0), network=None):
    network = network or torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(network.parameters(), 1.0)
    return ControllerPolicy(seen, Number(bandwidth), limit, (1.0, 1.0), optimizer, weights), optimizer


def row(seen, left=0.0, train=1.0, held_out=1.0):
    return {"residual_power": left * seen.target, "train_error": train, "held_out_error": held_out}


@pytest.mark.parametrize(
    ("change", "moves"),
    [
        ({}, True),
        ({"left": 0.09}, True),
        ({"left": 0.11}, False),
        ({"held_out": 1.01}, False),
        ({"train": 0.09, "held_out": 0.0}, True),
    ],
)
def test_it_reaches_further_only_when_the_bands_are_learned_and_the_samples_are_not(change, moves):
    seen = spectrum()
    steered, _ = steering(seen)
    action = steered.update(10, row(seen, **change))
    assert (action.decision is Decision.INCREASE_BANDWIDTH) == moves
    assert steered.bandwidth == pytest.approx((0.55, 0.55) if moves else (0.5, 0.5))


@pytest.mark.parametrize(("train", "moves"), [(0.21, True), (0.19, False)])
def test_it_does_not_reach_further_to_fit_noise(train, moves):
    seen = spectrum(variance=0.1, verdict=NoiseVerdict.CANNOT_TELL)
    steered, _ = steering(seen)
    action = steered.update(10, row(seen, train=train, held_out=train))
    assert (action.decision is Decision.INCREASE_BANDWIDTH) == moves


def test_an_opening_moves_no_wave_by_more_than_a_quarter_and_ends_at_the_limit():
    seen = spectrum()
    steered, _ = steering(seen, bandwidth=(10.0, 10.0), limit=(10.3, 10.3))
    assert steered.update(10, row(seen)).bandwidth == pytest.approx((10.25, 10.25))
    assert steered.update(20, row(seen)).bandwidth == pytest.approx((10.3, 10.3))
    assert steered.update(30, row(seen)).decision is Decision.NOTHING


def run_of(errors, network, weights):
    """Actions while the held-out error follows `errors`, one row every 10 steps, the weight counting the rows."""
    seen = spectrum()
    steered, optimizer = steering(seen, weights, network=network)
    actions = []
    for n, error in enumerate(errors, 1):
        with torch.no_grad():
            network.weight.fill_(float(n))
        actions.append(steered.update(10 * n, row(seen, left=1.0, held_out=error)))
    return steered, optimizer, actions


VALLEY = [1.0, 0.5, 0.3, 0.2, 0.15, 0.12, 0.11, 0.1, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5]


def test_it_goes_back_and_slows_down_first_and_stops_the_second_time():
    network = torch.nn.Linear(1, 1)
    steered, optimizer, actions = run_of(
        VALLEY + [0.5] * 8, network, lambda: BestWeights(HeldOut().monitor(), network)
    )
    moves = [a.decision for a in actions]
    slow = moves.index(Decision.REDUCE_LR)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.3)
    assert optimizer.param_groups[0]["pace"] == pytest.approx(0.3)
    reason = actions[slow].reason
    assert reason.code is ReasonCode.ERROR_RISES
    assert reason.values["lr_factor"] == 0.3
    back = reason.values["best_step"]
    assert back in (70, 80, 90)
    assert Decision.STOP in moves[slow:]
    assert steered.finish() == back
    # The weight of the row that was best comes back, however often the run went on.
    assert network.weight.item() == back / 10


def test_without_a_rule_it_never_goes_back():
    network = torch.nn.Linear(1, 1)
    steered, _, actions = run_of(VALLEY, network, None)
    assert {a.decision for a in actions} == {Decision.NOTHING}
    assert steered.finish() is None


def test_a_recalled_run_goes_on_as_the_one_that_was_not_interrupted():
    network = torch.nn.Linear(1, 1)
    errors = VALLEY + [0.5] * 8
    _, _, actions = run_of(errors, network, lambda: BestWeights(HeldOut().monitor(), network))
    seen, other = spectrum(), torch.nn.Linear(1, 1)
    for cut in range(1, len(errors)):
        steered, _ = steering(seen, lambda: BestWeights(HeldOut().monitor(), other))
        for n, error in enumerate(errors[:cut], 1):
            steered.replay(10 * n, row(seen, left=1.0, held_out=error))
        if any(a.stop for a in actions[:cut]):
            break
        action = steered.update(10 * (cut + 1), row(seen, left=1.0, held_out=errors[cut]))
        if action.decision is not Decision.STOP and actions[cut].decision is not Decision.REDUCE_LR:
            assert action.decision is actions[cut].decision, cut
        else:
            # What to go back to was kept by the run that was interrupted, not by this one.
            assert actions[cut].decision in (Decision.REDUCE_LR, Decision.STOP)


def test_the_limit_leaves_out_bands_of_noise():
    seen = spectrum()
    clean = seen.max_bandwidth((0.5, 0.5), signals.Grid.unit_box((32, 32)))
    assert clean == pytest.approx((2.0, 2.0))
    seen.noise = np.where(np.arange(len(seen.target))[:, None] > 1, seen.target, 0.0)
    assert seen.max_bandwidth((0.5, 0.5), signals.Grid.unit_box((32, 32))) == pytest.approx((1.5, 1.5))
