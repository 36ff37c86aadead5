import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone import nn, signals
from overtone._config import EncodingKind, ModelConfig
from overtone.controller import Controller, Decision
from overtone.controller._controller import EvaluationSchedule
from overtone.controller._encoding_bandwidth import EncodingBandwidth
from overtone.errors import InputError
from overtone.nn._build import build_field
from overtone.nn.encodings import DenseGrid, Identity
from overtone.planning import ReasonCode, measure_noise, recommend_bandwidth
from overtone.signals import masks
from overtone.spectra import NoiseVerdict


def smooth(noise=0.0, shape=(24, 24), held_out=0.2):
    signal = signals.synthetic.power_law(shape, 3.0, seed=0)
    if noise:
        signal = signals.synthetic.add_noise(signal, fraction_of_range=noise, seed=1)
    return signal.with_held_out(masks.random(signal.geometry, held_out, seed=0)) if held_out else signal


def network(signal, factor=1.0, width=48):
    reach = recommend_bandwidth(signal, measure_noise(signal)).bandwidth
    return build_field(
        signal,
        ModelConfig(
            EncodingKind.GAUSSIAN, tuple(factor * b for b in reach), width=width, depth=2, features=48
        ),
    )


def train(signal, built, steps, controller=None, optimizer=None, lr=3e-3):
    """Mean square error against the clean signal at the end, and what the controller did."""
    optimizer = optimizer or torch.optim.Adam(built.parameters(), lr)
    index = signal.train_index
    coords, values = signal.geometry.coords(index), signal.normalisation.apply(signal.values[index])
    actions = []
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(built.normalised(coords), values)
        loss.backward()
        optimizer.step()
        if controller is not None:
            actions.append(controller(step, loss))
            if actions[-1].stop:
                break
    if controller is not None:
        controller.finish()
    clean = signal.values if signal.clean is None else signal.clean
    with torch.no_grad():
        return float((built(signal.coords) - clean).square().mean()), actions


def controlled(signal, built, **options):
    optimizer = torch.optim.Adam(built.parameters(), 3e-3)
    return Controller(signal, built, optimizer, **options), optimizer


def tones(noise=0.0):
    """A slow wave and a weaker one of 20 cycles, 512 samples."""
    t = np.linspace(0, 1, 512, endpoint=False)
    values = np.sin(2 * np.pi * t) + 0.3 * np.sin(2 * np.pi * 20 * t)
    signal = signals.array(values + noise * np.random.default_rng(0).standard_normal(512))
    return signal.with_held_out(masks.random(signal.geometry, 0.2, seed=0))


def test_it_begins_at_half_the_recommendation_where_there_may_be_noise_whatever_the_network_reached():
    signal = smooth(noise=0.2)
    wanted = recommend_bandwidth(signal, measure_noise(signal)).bandwidth
    for factor in (0.3, 1.0, 4.0):
        controller, _ = controlled(signal, network(signal, factor))
        assert controller.bandwidth == pytest.approx([0.5 * b for b in wanted], rel=1e-6)


def test_it_begins_at_the_recommendation_where_there_is_no_noise():
    signal = tones()
    floor = measure_noise(signal)
    assert floor.verdict is NoiseVerdict.CLEAN
    wanted = recommend_bandwidth(signal, floor).bandwidth
    for begin, least in ((None, 1.0), ((0.1 * wanted[0],), 1.0), ((3 * wanted[0],), 3.0)):
        controller, _ = controlled(signal, network(signal), begin=begin)
        assert controller.bandwidth == pytest.approx([least * b for b in wanted], rel=1e-6)


def test_it_begins_at_a_plan():
    signal = smooth(noise=0.2)
    controller, _ = controlled(signal, network(signal), begin=(0.7, 0.9))
    assert controller.bandwidth == pytest.approx((0.7, 0.9), rel=1e-6)


def test_it_reaches_further_while_the_network_lacks_reach_and_never_beyond_its_limit():
    signal = tones()
    built = network(signal)
    controller, optimizer = controlled(signal, built)
    first = max(controller.bandwidth)
    _, actions = train(signal, built, 150, controller, optimizer, lr=1e-3)
    widened = [a for a in actions if a.decision is Decision.INCREASE_BANDWIDTH]
    assert len(widened) > 3
    assert widened[0].reason.code is ReasonCode.BANDS_LEARNED
    reaches = [max(a.bandwidth) for a in widened]
    assert all(x < y <= 1.1 * x * (1 + 1e-6) for x, y in itertools.pairwise([first, *reaches]))
    assert first * 1.05**3 < reaches[-1] <= signal.geometry.nyquist[0] / 8 * (1 + 1e-6)


def test_an_untrained_network_is_left_as_it_is():
    signal = smooth()
    built = network(signal)
    controller, _ = controlled(signal, built)
    before = [p.clone() for p in built.parameters()]
    for step in range(1, 60):
        assert controller(step).decision is Decision.NOTHING
    assert all(torch.equal(a, b) for a, b in zip(before, built.parameters(), strict=True))


def test_with_noise_it_slows_down_then_stops_and_goes_back():
    signal = smooth(noise=0.2)
    built = network(signal)
    controller, optimizer = controlled(signal, built)
    error, actions = train(signal, built, 1500, controller, optimizer)
    moves = [a.decision for a in actions if a.decision is not Decision.NOTHING]
    assert Decision.REDUCE_LR in moves
    assert moves[-1] is Decision.STOP
    assert actions[-1].stop
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.3 * 3e-3)
    assert optimizer.param_groups[0]["pace"] == pytest.approx(0.3)
    plain, _ = train(signal, network(signal), 1500)
    assert error < 0.6 * plain


def test_a_network_that_reached_too_far_loses_nothing_under_control():
    signal = smooth(noise=0.1)
    errors = []
    for factor in (1.0, 4.0):
        built = network(signal, factor)
        controller, optimizer = controlled(signal, built)
        errors.append(train(signal, built, 400, controller, optimizer)[0])
    # The same frequencies up to rounding; 400 steps of Adam amplify that.
    assert abs(10 * math.log10(errors[1] / errors[0])) < 0.5
    alone, _ = train(signal, network(signal, 4.0), 400)
    assert alone > 1.3 * errors[1]


def test_without_held_out_samples_band_errors_decide():
    signal = smooth(noise=0.2, shape=(40, 40), held_out=0)
    built = network(signal)
    controller, optimizer = controlled(signal, built)
    _, actions = train(signal, built, 900, controller, optimizer)
    assert Decision.REDUCE_LR in [a.decision for a in actions]


def test_without_evidence_it_never_stops_and_never_goes_back():
    signal = smooth(held_out=0)
    built = network(signal)
    controller, optimizer = controlled(signal, built)
    _, actions = train(signal, built, 200, controller, optimizer)
    assert {a.decision for a in actions} <= {Decision.NOTHING, Decision.INCREASE_BANDWIDTH}
    assert controller.finish() is None


def test_a_clean_reference_is_not_looked_at():
    signal = smooth(noise=0.2)
    spoiled = signal.with_clean(torch.full_like(signal.values, 7.0))
    for one in (signal, spoiled):
        built = network(one)
        controller, optimizer = controlled(one, built)
        _, actions = train(one, built, 150, controller, optimizer)
        if one is signal:
            wanted = [(a.decision, a.bandwidth) for a in actions]
    assert [(a.decision, a.bandwidth) for a in actions] == wanted


def test_a_loss_that_is_not_finite_ends_the_run_at_the_best_network():
    signal = smooth()
    built = network(signal)
    controller, _ = controlled(signal, built)
    first = controller.schedule.interval
    controller(first, 1.0)
    kept = [p.clone() for p in built.parameters()]
    with torch.no_grad():
        next(built.parameters()).fill_(math.nan)
    action = controller(2 * first, math.nan)
    assert action.stop
    assert action.reason.code is ReasonCode.LOSS_NOT_FINITE
    assert all(torch.equal(a, b) for a, b in zip(kept, built.parameters(), strict=True))


def test_looks_are_spaced_by_their_cost():
    signal = smooth(shape=(48, 48))
    few, _ = controlled(signal, network(signal), batch=64)
    many, _ = controlled(signal, network(signal))
    assert few.schedule.interval > 10 * many.schedule.interval / 2
    assert many.schedule.interval == max(10, math.ceil(0.7 * 2304 / (0.05 * len(signal.train_index))))


class TestLooks:
    @settings(deadline=None, max_examples=30)
    @given(st.integers(1, 40))
    def test_they_are_rarer_and_rarer_but_never_stop(self, interval):
        due = [step for step in range(200 * interval) if EvaluationSchedule(interval).due(step)]
        gaps = np.diff([step for step in due if step >= interval])
        assert (gaps >= interval).all()
        later = [step for step in due if step > 5 * interval]
        # A step is round(5 i 1.2^n): two of them lie 1.2 apart up to half a step each.
        assert all(abs(b - 1.2 * a) <= 1.1 for a, b in itertools.pairwise(later))
        assert len(later) == math.floor(math.log(40 - 1e-9, 1.2)) or len(later) > 15

    def test_two_come_before_the_first_interval(self):
        assert [step for step in range(25) if EvaluationSchedule(20).due(step)] == [5, 10, 20]


class TestLever:
    def test_a_grid_is_masked_and_the_mask_outlives_a_restored_state(self):
        signal = smooth()
        grid = signal.geometry
        encoding = DenseGrid.from_bandwidth(2, [8.0, 8.0], seed=0)
        body = nn.MLP(encoding.out_features, 1, 16, 2)
        built = nn.Field(
            encoding, body, nn.CoordinateScaling.of(grid.origin, grid.extent, grid.units, encoding.domain)
        )
        state = {name: value.clone() for name, value in built.state_dict().items()}
        whole = built(signal.coords).detach()
        encoding_bandwidth = EncodingBandwidth.of(built, (2.0, 2.0))
        masked = built(signal.coords).detach()
        assert not torch.equal(whole, masked)
        encoding_bandwidth.scale(1.5)
        assert encoding_bandwidth.value == (3.0, 3.0)
        wider = built(signal.coords).detach()
        built.load_state_dict(state)
        encoding_bandwidth.sync()
        torch.testing.assert_close(built(signal.coords).detach(), wider)

    def test_plain_coordinates_are_refused(self):
        built = nn.Field(Identity(2), nn.MLP(2, 1, 8, 1))
        with pytest.raises(InputError, match="an encoding that can be rescaled or windowed"):
            EncodingBandwidth.of(built, (2.0, 2.0))

    def test_steps_ascend(self):
        signal = smooth()
        controller, _ = controlled(signal, network(signal))
        controller(3)
        with pytest.raises(InputError, match="a step above 3, got 3"):
            controller(3)


def test_the_global_generators_stay():
    signal = smooth()
    built = network(signal)
    before, numbers = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    controller, _ = controlled(signal, built)
    controller(controller.schedule.interval)
    assert torch.equal(before, torch.random.get_rng_state())
    assert (numbers == np.random.get_state()[1]).all()


@pytest.mark.parametrize(
    ("begin", "told"),
    [
        (-1.0, "begin: expected positive finite numbers"),
        (float("nan"), "begin: expected positive finite numbers"),
        ((1.0, 2.0, 3.0), r"begin: expected one number or one per axis \(2\)"),
        ("wide", r"begin: expected a number or one per axis \(2\), got 'wide'"),
    ],
)
def test_a_beginning_that_is_none_is_refused(begin, told):
    signal = smooth()
    with pytest.raises(InputError, match=told):
        Controller(signal, network(signal), torch.optim.Adam(network(signal).parameters()), begin=begin)


def test_one_number_begins_on_every_axis_and_what_is_no_field_is_refused():
    signal = smooth(noise=0.1)
    built = network(signal)
    steered = Controller(signal, built, torch.optim.Adam(built.parameters()), begin=1.5)
    assert steered.bandwidth == pytest.approx((1.5, 1.5))
    plain = torch.nn.Linear(2, 1)
    with pytest.raises(InputError, match=r"expected an nn\.Field, whose encoding can be steered, got Linear"):
        Controller(signal, plain, torch.optim.Adam(plain.parameters()))
