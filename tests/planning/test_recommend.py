import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import overtone as ot
from overtone import nn, planning, signals
from overtone._config import Activation, Choosing, EncodingKind, ModelConfig
from overtone._training import TrainingConfig, train
from overtone.errors import InputError
from overtone.nn._build import build_field
from overtone.nn.encodings import Gaussian
from overtone.planning import Budget, Plan, ReasonCode
from overtone.planning._bandwidth import alias_frequency, aliasing_reason
from overtone.planning._held_out import REGRESSION_ONLY, expected_psnr, stated_from
from overtone.planning._recommend import plan_model
from overtone.planning._run_size import RunSize, parameter_count, run_size
from overtone.signals import masks


def smooth(shape=(32, 32), seed=0):
    return signals.synthetic.power_law(shape, 3.0, seed=seed)


def white(shape, seed):
    return signals.array(torch.randn(shape, generator=torch.Generator().manual_seed(seed)))


def trained(signal, plan, bandwidth, steps):
    """Least held-out error of the planned network over its run at a bandwidth, in value units squared."""
    field = build_field(signal, replace(plan.model, bandwidth=bandwidth), seed=0)
    held, errors = signal.held_out_index, []

    def observe(*_):
        with torch.no_grad():
            errors.append(float((field(signal.geometry.coords(held)) - signal.values[held]).square().mean()))

    options = TrainingConfig(steps=steps, lr=plan.lr, compile=False)
    train(field, signal, options, observe, wants=lambda step: step % 10 == 0)
    return min(errors)


SMALL = RunSize(48, 3, 48, 240, None, 3e-3)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_the_choice_is_near_the_best_of_trained_networks(noise):
    clean = smooth((24, 24))
    signal = signals.synthetic.add_noise(clean, fraction_of_range=noise, seed=1) if noise else clean
    signal = signal.with_held_out(masks.random(signal.geometry, 0.2, seed=0))
    plan = planning.plan(signal, size=SMALL)
    bandwidths = [c.bandwidth for c in plan.candidates if c.bandwidth[0] == c.bandwidth[1]]
    errors = {b: trained(signal, plan, b, 240) for b in bandwidths}
    chosen = trained(signal, plan, plan.bandwidth, 240)
    # 115 held-out values: chance makes 4.34 / sqrt(115) = 0.4 dB; the wrong end of the ladder loses 3 dB and more.
    assert 10 * math.log10(chosen / min(errors.values())) < 1.0
    assert noise or 10 * math.log10(max(errors.values()) / min(errors.values())) > 2.0


def test_trials_are_the_beginning_of_the_run_and_cost_a_sixth_of_it_at_most():
    signal = smooth((24, 24)).with_held_out(masks.random(smooth((24, 24)).geometry, 0.2, seed=0))
    plan = planning.plan(signal, size=SMALL)
    tried = [c for c in plan.candidates if c.trial_steps]
    assert len(tried) == 2
    assert plan.trial_steps == sum(c.trial_steps for c in tried) <= SMALL.steps / 6
    (chosen,) = [c for c in plan.candidates if c.chosen]
    assert chosen.bandwidth == plan.bandwidth
    assert chosen in tried
    expected = 10 * math.log10(signal.peak**2 / trained(signal, plan, chosen.bandwidth, chosen.trial_steps))
    assert chosen.trial_psnr == pytest.approx(expected, abs=0.3)
    # The chosen one alone is extrapolated, for the expectation.
    assert [c for c in tried if c.outlook_psnr is not None] == [chosen]
    assert chosen.trial_psnr <= chosen.outlook_psnr < plan.expected.psnr
    # What is not tried was worse in the shortlist.
    rest = [c.shortlist_psnr for c in plan.candidates if not c.trial_steps]
    assert max(rest) <= min(c.shortlist_psnr for c in tried)


def test_a_quick_choice_tries_nothing_and_says_how_sure_it_is():
    quick = planning.plan(smooth(), size=SMALL, choose="quick")
    assert quick.trial_steps == 0
    assert all(c.trial_psnr is None for c in quick.candidates)
    reason = quick.reason(ReasonCode.CANDIDATES)
    assert "may be lost" in str(reason)
    assert "too few" not in str(reason)
    best = max(quick.candidates, key=lambda c: c.shortlist_psnr)
    assert quick.bandwidth == best.bandwidth
    with pytest.raises(InputError, match="choose: expected one of quick, thorough"):
        planning.plan(smooth(), choose="slow")


def test_regressions_of_long_runs_count_their_first_300_steps():
    """At the ridge of all steps the highest bandwidths would look worse than trained networks find them."""
    of = {
        steps: planning.plan(smooth((16, 16)), size=replace(SMALL, steps=steps), choose="quick")
        for steps in (200, 300, 2000)
    }
    levels = {steps: [c.shortlist_psnr for c in plan.candidates] for steps, plan in of.items()}
    assert levels[2000] == levels[300] != levels[200]
    said = {steps: str(plan.reason(ReasonCode.CANDIDATES)) for steps, plan in of.items()}
    assert "with the ridge for 300 steps)" in said[300]
    assert "with the ridge for the first 300 of 2,000 steps)" in said[2000]


def test_a_budget_too_small_for_a_trial_says_what_would_be_enough():
    short = planning.plan(smooth(), size=replace(SMALL, steps=100))
    assert short.trial_steps == 0
    assert "100 steps are too few for short trainings of the best ones; 120 steps would be enough" in str(
        short.reason(ReasonCode.CANDIDATES)
    )
    assert planning.plan(smooth(), size=replace(SMALL, steps=120)).trial_steps == 20


@pytest.mark.parametrize(("width", "lr", "stated"), [(64, 1e-2, 25), (32, 1e-3, 94)])
def test_a_quality_is_stated_only_where_weights_can_move(width, lr, stated):
    signal = signals.synthetic.harmonics([4, 6, 13], samples=256)
    expected = {}
    for steps in (5, stated - 1, stated, 119):
        size = RunSize(width, 3, width, steps, None, lr)
        plan = planning.plan(signal, size=size, choose="quick")
        expected[steps] = plan.expected
        assert (plan.expected is not None) == (steps >= stated)
        assert (plan.reason(ReasonCode.EXPECTED_PSNR) is None) == (steps < stated)
        if steps < stated:
            said = str(plan.reason(ReasonCode.NO_EXPECTATION))
            assert "cannot be told in advance" in said
            assert f"it can from {stated} steps on" in said
            assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    # What is stated rises with the steps, and holds from the first statement on.
    assert expected[stated].psnr < expected[119].psnr
    run = ot.fit(signal, steps=stated, lr=lr, width=width, features=width, choose="quick")
    assert expected[stated].low <= run.psnr["held_out"] <= expected[stated].high


def test_sgd_and_ones_own_networks_have_no_quality_stated_for_few_steps_either():
    assert stated_from(TrainingConfig(optimizer="sgd", lr=0.1, steps=5), 60) == 50
    short = planning.plan(
        smooth((12, 12)),
        Budget(steps=5),
        network=lambda scale: nn.MLP(2, 1, 16, 2, nn.activations.Sine(scale)),
        library="siren",
    )
    assert short.expected is None
    assert short.reason(ReasonCode.EXPECTED_PSNR) is None
    assert short.reason(ReasonCode.NO_EXPECTATION).values["enough_steps"] == 100


@pytest.mark.parametrize(
    ("activation", "width", "lr", "safe"),
    [
        ("sine", 256, 1e-3, 2 / 30 / 256),
        ("finer", 140, 1e-3, 2 / 30 / 140),
        ("sine", 64, 1e-3, None),
        ("sine", 256, 2e-4, None),
        ("relu", 256, 1e-2, None),
    ],
)
def test_learning_rates_that_are_too_high_for_sines_are_named(activation, width, lr, safe):
    size = RunSize(width, 2, 16, 60, None, lr)
    model = ModelConfig(activation=(Activation(activation),), width=width, depth=2, features=16)
    plan = plan_model(
        signals.synthetic.harmonics([2, 5], samples=64),
        model,
        size,
        TrainingConfig(60, lr=lr),
        choose=Choosing.QUICK,
    )
    reason = plan.reason(ReasonCode.FAST_SINES)
    assert (reason is None) == (safe is None)
    if reason is not None:
        assert reason.values["safe_lr"] == pytest.approx(safe)
        assert f"behind {width} units" in str(reason)


@pytest.mark.parametrize("shape", [(40, 40), (600,), (9, 9, 9)])
@pytest.mark.parametrize("seed", [0, 1])
def test_white_noise_is_not_worth_a_network(shape, seed):
    plan = planning.plan(white(shape, seed), choose="quick")
    assert not plan.recommended
    assert plan.reason(ReasonCode.NOT_RECOMMENDED) in plan.warnings
    assert plan.reason(ReasonCode.EXPLAINED_POWER).values["recommended"] is False
    structured = smooth(shape, seed)
    assert planning.plan(structured, choose="quick").recommended


def test_a_still_axis_gets_the_least_and_is_named():
    rows = np.cos(2 * np.pi * 3 * np.arange(48) / 48)[:, None] * np.ones((1, 40))
    plan = planning.plan(signals.array(rows), choose="quick")
    assert [r.values for r in plan.reasons if r.code is ReasonCode.CONSTANT_AXIS] == [{"axis": 1}]
    assert plan.bandwidth[1] < plan.bandwidth[0]


def test_few_samples_get_few_features_and_the_spectrum_alone():
    plan = planning.plan(signals.array(np.sin(np.arange(20) / 3)))
    assert plan.features == 20
    assert plan.expected is None
    assert plan.reason(ReasonCode.TOO_FEW_SAMPLES).values == {"samples": 20, "fallback": "spectrum"}
    more = planning.plan(signals.array(np.sin(np.arange(60) / 9)), choose="quick")
    assert more.features == 54
    assert more.reason(ReasonCode.FEATURE_LIMIT).values == {"features": 54}


@settings(max_examples=3, deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(-10, 10), st.floats(1e-3, 1e3))
def test_units_do_not_matter(scale, offset, spacing):
    values = smooth((200,)).values[:, 0].double()
    plain = planning.plan(signals.array(values, spacing=1.0), size=SMALL)
    other = planning.plan(
        signals.array(values * scale + offset * scale, spacing=spacing, unit="m"), size=SMALL
    )
    # Values are kept as float64; the settled times may differ by a rounding.
    assert other.bandwidth[0] * spacing == pytest.approx(plain.bandwidth[0], rel=1e-6)
    assert other.expected.psnr == pytest.approx(plain.expected.psnr, abs=0.05)


def test_the_same_seed_gives_the_same_plan_and_the_global_generator_stays():
    before = torch.random.get_rng_state()
    assert planning.plan(smooth(), size=SMALL) == planning.plan(smooth(), size=SMALL)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_plan_crosses_json_and_builds_its_network():
    signal = smooth()
    plan = planning.plan(signal, Budget(parameters=20_000, steps=200))
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    field = plan.field(signal)
    assert isinstance(field.encoding, Gaussian)
    assert field.bandwidth == pytest.approx(plan.bandwidth)
    assert field.parameter_count <= 20_000
    assert field.parameter_count == parameter_count(plan.width, plan.depth, plan.features, 1)
    assert field(signal.coords).shape == signal.values.shape
    psnrs = [a.psnr for a in plan.alternatives]
    assert psnrs == sorted(psnrs, reverse=True)
    assert {a.encoding for a in plan.alternatives} == {EncodingKind.GAUSSIAN}
    assert len(plan.alternatives) == len(plan.candidates) - 1


def test_of_large_signals_some_samples_are_compared():
    plan = planning.plan(smooth((160, 160)), size=replace(SMALL, width=16, features=16), choose="quick")
    values = plan.reason(ReasonCode.CANDIDATES).values
    assert (values["samples"], values["held_out"]) == (8192, 2560)


def test_where_nothing_is_held_out_samples_out_of_use_stay_out():
    signal = smooth((20, 20))
    unjudged = replace(signal.with_split(*masks.alternating(signal.geometry)), held_out=None)
    found = planning.plan(unjudged, choose="quick")
    assert 150 < found.features < 200
    assert found.expected is not None


def _sized(found, signal):
    return build_field(
        signal,
        ModelConfig(
            EncodingKind.GAUSSIAN, (1.0, 1.0), width=found.width, depth=found.depth, features=found.features
        ),
    ), signal


class TestBudget:
    def test_the_widest_network_that_fits_is_taken(self):
        signal = smooth()
        for budget in (1_000, 30_000, 10**9):
            found = run_size(signal, Budget(parameters=budget))
            assert parameter_count(found.width, found.depth, found.features, 1) <= budget
            wider = parameter_count(found.width + 1, found.depth, min(256, found.width + 1), 1)
            assert found.width == 256 or wider > budget

    def test_seconds_become_steps(self):
        signal = smooth()
        found = run_size(signal, Budget(seconds=20.0))
        assert found.steps >= 1
        (reason,) = found.reasons
        assert reason.code is ReasonCode.TIME_BUDGET
        assert reason.values["seconds"] == 20.0
        assert run_size(signal, Budget(seconds=20.0, steps=3)).steps == 3

    @pytest.mark.parametrize(
        ("seconds", "width", "batch", "rate"),
        [(8192.0, 256, 8192, 1e-3), (200.0, 256, 1024, 2e-3), (20.0, 128, 1024, 4e-3)],
    )
    def test_short_of_seconds_it_takes_steps_before_samples_before_units(
        self, monkeypatch, seconds, width, batch, rate
    ):
        def cost(network, signal, device, batch):
            return batch * network.parameter_count / 1.7e9

        monkeypatch.setattr("overtone.planning._run_size.step_seconds", cost)
        signal = smooth((100, 100))
        found = run_size(signal, Budget(seconds=seconds))
        assert (found.width, found.batch, found.lr) == (width, batch, pytest.approx(rate))
        assert found.steps * cost(*_sized(found, signal), None, batch) <= seconds

    def test_too_few_steps_are_warned_of_with_what_would_be_enough(self):
        (warning,) = run_size(smooth(), Budget(steps=7)).warnings
        assert warning.code is ReasonCode.FEW_STEPS
        assert warning.values == {"steps": 7, "enough_steps": 100, "enough_seconds": None}
        assert "100 steps would be enough for a first result" in str(warning)
        assert not run_size(smooth(), Budget(steps=700)).warnings

    @pytest.mark.parametrize(
        ("budget", "message"),
        [
            ({"parameters": 50}, r"expected at least 289 parameters, .* got 50"),
            ({"seconds": 1e-6}, r"the time of one step, got 1e-06 s; allow .* s for a first result"),
            ({"steps": 0}, "steps: expected a positive finite number, got 0"),
            ({"seconds": math.nan}, "seconds: expected a positive finite number, got nan"),
        ],
    )
    def test_too_small_says_what_would_be_enough(self, budget, message):
        with pytest.raises(InputError, match=message):
            run_size(smooth(), Budget(**budget))


class TestAliasing:
    def test_beyond_nyquist_it_says_what_the_samples_see(self):
        grid = smooth().geometry
        assert aliasing_reason((16.0, 15.9), grid) is None
        reason = aliasing_reason((20.0, 40.0), grid)
        assert reason.code is ReasonCode.ALIASING
        assert reason.values["axes"] == (0, 1)
        assert reason.values["bandwidth"] == (20.0, 40.0)
        assert reason.values["alias"] == (12.0, 8.0)
        assert reason.values["nyquist"] == (16.0, 16.0)
        with pytest.raises(InputError, match=r"one bandwidth per axis \(2\), got 1"):
            aliasing_reason((20.0,), grid)

    @given(st.floats(0.0, 500.0), st.integers(4, 40))
    def test_the_folded_wave_passes_through_the_same_samples(self, frequency, samples):
        nyquist = samples / 2
        x = torch.arange(samples, dtype=torch.float64) / samples
        seen, low = (torch.cos(2 * math.pi * f * x) for f in (frequency, alias_frequency(frequency, nyquist)))
        assert 0 <= alias_frequency(frequency, nyquist) <= nyquist
        # Phases of up to 2 pi 500 are rounded to 2^-53 of themselves a few times over.
        torch.testing.assert_close(seen, low, rtol=0, atol=2 * math.pi * 500 * 2**-50)


@settings(max_examples=50)
@given(st.floats(1e-6, 1.0), st.floats(0, 1.0), st.integers(1, 10**6))
def test_expectations_are_ordered_and_noise_narrows_them(error, share, held_out):
    alone, noisy = (
        expected_psnr(error, 0.0, held_out, 1.0),
        expected_psnr(error, share * error, held_out, 1.0),
    )
    # Regressions alone say less.
    wide = expected_psnr(error, 0.0, held_out, 1.0, REGRESSION_ONLY)
    assert wide.low < alone.low
    assert wide.high > alone.high
    for found in (alone, noisy):
        assert found.low < found.psnr < found.high
    assert noisy.high - noisy.low <= alone.high - alone.low + 1e-9


def test_of_large_pictures_trials_around_the_spectrum_decide():
    # Fine detail over 128 x 128 samples, more than a regression takes: random features rank smoothness instead.
    signal = signals.synthetic.power_law((128, 128), 1.0, seed=1)
    size = RunSize(width=32, depth=2, features=32, steps=120, batch=1024, lr=2e-3)
    chosen = planning.plan(signal, size=size)
    estimate = planning.recommend_bandwidth(signal, planning.measure_noise(signal)).bandwidth
    factors = [c.bandwidth[0] / estimate[0] for c in chosen.candidates]
    assert factors == pytest.approx([0.5, 1.0, 2.0])
    assert all(c.trial_psnr is not None for c in chosen.candidates)
    best = max(c.trial_psnr for c in chosen.candidates)
    (kept,) = [c for c in chosen.candidates if c.chosen]
    later = chosen.candidates[chosen.candidates.index(kept) + 1 :]
    assert kept.trial_psnr >= best - 1.0
    assert all(c.trial_psnr < best - 1.0 for c in later)
    assert chosen.expected is None
    quick = planning.plan(signal, size=size, choose="quick")
    assert quick.bandwidth == pytest.approx(estimate)


def test_sine_networks_are_tried_below_what_their_untrained_copies_do_best_at():
    """Three tones of 9 to 26 cycles: untrained copies fit them best at 8 cycles, trained networks at 2."""
    signal = signals.synthetic.harmonics([9.0, 11.0, 26.0], samples=192)
    network = ModelConfig(EncodingKind.NONE, activation=(Activation.SINE,), width=32, depth=3)
    size = RunSize(32, 3, 0, 240, None, 1e-3)
    training = TrainingConfig(steps=240, lr=1e-3, seed=0, compile=False)
    plan = plan_model(signal, network, size, training)
    values = plan.reason(ReasonCode.CANDIDATES).values
    best = values["best_by_regression"][0]
    tried = [c for c in plan.candidates if c.trial_steps]
    assert [c.bandwidth[0] for c in tried] == pytest.approx([best / 8, best / 4, best / 2])
    assert all(c.outlook_psnr >= c.trial_psnr for c in tried)
    # The lowest within half a decibel of the best outlook.
    leader = max(c.outlook_psnr for c in tried)
    assert next(c for c in tried if c.outlook_psnr >= leader - 0.5).chosen
    assert plan.trial_steps <= 240 / 4
    quick = plan_model(signal, network, size, training, choose=Choosing.QUICK)
    assert quick.bandwidth[0] == pytest.approx(best / 4)


@pytest.mark.parametrize(
    ("activation", "name", "untried"),
    [(Activation.GAUSS, "Gauss(scale=", 4), (Activation.GABOR, "Gabor(omega=", 2)],
)
def test_localised_activations_are_tried_above_what_their_untrained_copies_do_best_at(
    activation, name, untried
):
    signal = signals.synthetic.harmonics([3.0, 7.0], samples=96)
    network = ModelConfig(EncodingKind.NONE, activation=(activation,), width=16, depth=3)
    size = RunSize(16, 3, 0, 120, None, 2e-3)
    training = TrainingConfig(steps=120, lr=2e-3, seed=0, compile=False)
    plan = plan_model(signal, network, size, training)
    best = plan.reason(ReasonCode.CANDIDATES).values["best_by_regression"][0]
    tried = [c for c in plan.candidates if c.trial_steps]
    assert [c.bandwidth[0] for c in tried] == pytest.approx([best, 2 * best, 4 * best])
    # Two octaves below the usual ladder.
    assert min(c.bandwidth[0] for c in plan.candidates) == pytest.approx(1 / 16)
    leader = max(c.outlook_psnr for c in tried)
    assert next(c for c in tried if c.outlook_psnr >= leader - 0.5).chosen
    assert plan.trial_steps <= 120 / 4
    assert name in str(plan.reason(ReasonCode.NETWORK_PARAMETERS))
    quick = plan_model(signal, network, size, training, choose=Choosing.QUICK)
    assert quick.bandwidth[0] == pytest.approx(untried * best)


@pytest.mark.parametrize(("samples", "cycles"), [(32, 8.0), (12, 3.0)])
def test_grids_of_cells_have_a_fixed_bandwidth(samples, cycles):
    signal = smooth((samples, samples))
    network = ModelConfig(EncodingKind.DENSE_GRID, width=64, depth=1)
    training = TrainingConfig(steps=60, lr=2e-3, seed=0, compile=False)
    quick = plan_model(signal, network, RunSize(64, 1, 0, 60, None, 2e-3), training)
    # Half of Nyquist where there are fewer samples.
    across = [b * e for b, e in zip(quick.bandwidth, signal.geometry.extent, strict=True)]
    assert across == pytest.approx([cycles, cycles])
    assert len(quick.candidates) == 1
    # Untrained cells say nothing of the quality, nor against the fit.
    assert quick.recommended
    assert quick.expected is None
    assert quick.reason(ReasonCode.EXPLAINED_POWER) is None


def test_one_trial_says_how_good_a_grid_of_cells_is():
    network = ModelConfig(EncodingKind.DENSE_GRID, width=64, depth=1)
    training = TrainingConfig(steps=120, lr=2e-3, seed=0, compile=False)
    plan = plan_model(smooth((12, 12)), network, RunSize(64, 1, 0, 120, None, 2e-3), training)
    assert plan.trial_steps == 10
    assert plan.expected is not None
    assert "A trial of 10 steps" in str(plan.reason(ReasonCode.CANDIDATES))


def test_grids_of_cells_go_as_far_as_the_spectrum():
    signal = signals.synthetic.harmonics([20.0, 24.0], samples=256)
    network = ModelConfig(EncodingKind.DENSE_GRID, width=64, depth=1)
    training = TrainingConfig(steps=60, lr=2e-3, seed=0, compile=False)
    plan = plan_model(signal, network, RunSize(64, 1, 0, 60, None, 2e-3), training)
    estimate = planning.recommend_bandwidth(signal, planning.measure_noise(signal)).bandwidth
    assert plan.bandwidth == pytest.approx(estimate)
    assert estimate[0] * signal.geometry.extent[0] > 12
