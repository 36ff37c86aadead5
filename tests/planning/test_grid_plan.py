import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import skimage.data
import skimage.transform
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone import planning, signals
from overtone._config import EncodingKind, ModelConfig
from overtone._utils.seeding import derive_seed
from overtone.errors import InputError
from overtone.nn._build import build_encoding_on, build_field
from overtone.nn.encodings import Gaussian
from overtone.planning import Budget, Plan, ReasonCode
from overtone.planning._bandwidth import (
    alias_frequency,
    aliasing_reason,
    bandwidth_grid,
    geometric_mean,
    isotropic,
)
from overtone.planning._held_out import expected_psnr
from overtone.planning._run_size import parameter_count, run_size
from overtone.signals import masks
from overtone.theory import kernel_regression
from tests.theory_kernel_regression.slow import dense as fits


def smooth(shape=(32, 32), seed=0):
    return signals.synthetic.power_law(shape, 3.0, seed=seed)


def white(shape, seed):
    return signals.array(torch.randn(shape, generator=torch.Generator().manual_seed(seed)))


def dense(signal, bandwidth, features=256, depth=3, seed=0):
    """Least held-out error over times of the twin, by the whole kernel and its eigenvectors."""
    encoding = build_encoding_on(
        signal.geometry, EncodingKind.GAUSSIAN, features, bandwidth, derive_seed(seed, "encoding")
    )
    model = kernel_regression.NTKModel.from_encoding(encoding, signal.geometry, depth=depth)
    present = torch.zeros(len(signal.values), dtype=torch.bool)
    present[signal.train_index] = True
    scale = float(
        model.operator(signal.geometry.shape, present.reshape(signal.geometry.shape)).spectrum.max()
    )
    times = torch.logspace(-1, 6, 57, dtype=torch.float64) / scale
    held = signal.held_out_index
    got = fits(signal, model, times).reshape(len(times), -1, 1)[:, held]
    return float((got - signal.values[held].double()).square().mean((1, 2)).min())


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_the_choice_is_within_the_plateau_of_the_dense_twin(noise):
    clean = smooth((24, 24))
    signal = signals.synthetic.add_noise(clean, fraction_of_range=noise, seed=1) if noise else clean
    signal = signal.with_held_out(masks.random(signal.geometry, 0.2, seed=0))
    plan = planning.plan(signal)
    begin = plan.bandwidth
    errors = [dense(signal, tuple(b * f for b in begin)) for f in (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)]
    # 115 held-out values: ties reach 4.34 / sqrt(115) = 0.40 dB; settling to a tenth of the root error may add 0.05.
    assert 10 * math.log10(errors[2] / min(errors[:5])) < 0.46
    told = plan.expected.psnr - (10 * math.log10(signal.peak**2 / errors[2]))
    assert -0.2 < told < 1.2


def test_a_bandwidth_far_off_would_have_been_noticed():
    signal = smooth((24, 24)).with_held_out(masks.random(smooth((24, 24)).geometry, 0.2, seed=0))
    at = planning.plan(signal).bandwidth
    assert dense(signal, tuple(12 * b for b in at)) > 1.5 * dense(signal, at)


@pytest.mark.parametrize("shape", [(40, 40), (600,), (9, 9, 9)])
@pytest.mark.parametrize("seed", [0, 1])
def test_white_noise_is_not_worth_a_network(shape, seed):
    plan = planning.plan(white(shape, seed))
    assert not plan.recommended
    assert plan.reason(ReasonCode.NOT_RECOMMENDED) in plan.warnings
    assert plan.reason(ReasonCode.EXPLAINED_POWER).values["recommended"] is False
    structured = smooth(shape, seed)
    assert planning.plan(structured).recommended


def test_a_still_axis_gets_the_least_and_is_named():
    rows = np.cos(2 * np.pi * 3 * np.arange(48) / 48)[:, None] * np.ones((1, 40))
    plan = planning.plan(signals.array(rows))
    assert [r.values for r in plan.reasons if r.code is ReasonCode.CONSTANT_AXIS] == [{"axis": 1}]
    assert plan.bandwidth[1] < plan.bandwidth[0]


def test_few_samples_get_few_features_and_the_spectrum_alone():
    plan = planning.plan(signals.array(np.sin(np.arange(20) / 3)))
    assert plan.features == 20
    assert plan.expected is None
    assert plan.reason(ReasonCode.TOO_FEW_SAMPLES).values == {"samples": 20, "fallback": "spectrum"}
    more = planning.plan(signals.array(np.sin(np.arange(60) / 9)))
    assert more.features == 54
    assert more.reason(ReasonCode.FEATURE_LIMIT).values == {"features": 54}


@settings(max_examples=3, deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(-10, 10), st.floats(1e-3, 1e3))
def test_units_do_not_matter(scale, offset, spacing):
    values = smooth((200,)).values[:, 0].double()
    plain = planning.plan(signals.array(values, spacing=1.0))
    other = planning.plan(signals.array(values * scale + offset * scale, spacing=spacing, unit="m"))
    # Values are kept as float64; the settled times may differ by a rounding.
    assert other.bandwidth[0] * spacing == pytest.approx(plain.bandwidth[0], rel=1e-6)
    assert other.expected.psnr == pytest.approx(plain.expected.psnr, abs=0.05)


def test_the_same_seed_gives_the_same_plan_and_the_global_generator_stays():
    before = torch.random.get_rng_state()
    assert planning.plan(smooth()) == planning.plan(smooth())
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_plan_crosses_json_and_builds_its_network():
    signal = smooth()
    plan = planning.plan(signal, Budget(parameters=20_000))
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    field = plan.field(signal)
    assert isinstance(field.encoding, Gaussian)
    assert field.bandwidth == pytest.approx(plan.bandwidth)
    assert field.parameter_count <= 20_000
    assert field.parameter_count == parameter_count(plan.width, plan.depth, plan.features, 1)
    assert field(signal.coords).shape == signal.values.shape
    psnrs = [a.psnr for a in plan.alternatives]
    assert psnrs == sorted(psnrs, reverse=True)
    assert {a.encoding for a in plan.alternatives} == {EncodingKind.GAUSSIAN, EncodingKind.POSITIONAL}


def test_large_signals_cost_no_more_than_their_tiles():
    plan = planning.plan(smooth((160, 160)))
    judged = plan.reason(ReasonCode.BANDWIDTH_COMPARISON).values["samples"]
    assert judged == pytest.approx(4 * 2048, rel=0.05)


def test_where_nothing_is_held_out_samples_out_of_use_stay_out():
    signal = smooth((20, 20))
    unjudged = replace(signal.with_split(*masks.alternating(signal.geometry)), held_out=None)
    found = planning.plan(unjudged)
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
            ({"seconds": 1e-6}, r"what one step takes, got 1e-06 s; allow .* s for a first result"),
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


class TestBandwidthGrid:
    @settings(max_examples=50)
    @given(st.floats(0.01, 100), st.floats(0.01, 100), st.integers(8, 400), st.integers(8, 400))
    def test_candidates_ascend_within_their_limits(self, a, b, rows, columns):
        grid = signals.Grid.unit_box((rows, columns))
        begin = tuple(min(x, n / 8) for x, n in zip((a, b), grid.nyquist, strict=True))
        begin = tuple(max(x, 0.5) for x in begin)
        found = bandwidth_grid(begin, grid)
        for low, high in zip(found.candidates, found.candidates[1:], strict=False):
            assert all(x <= y * (1 + 1e-9) for x, y in zip(low, high, strict=True))
            assert low != high
        for low, high in itertools.pairwise(found.regular):
            assert max(y / x for x, y in zip(low, high, strict=True)) > 1.05
        for rung in found.regular:
            assert all(
                0.5 * (1 - 1e-9) <= x <= max(n / 8, 0.5) for x, n in zip(rung, grid.nyquist, strict=True)
            )
        assert all(
            max(x / n for x, n in zip(r, grid.nyquist, strict=True)) <= 0.5 + 1e-9 for r in found.extended
        )

    def test_means(self):
        assert geometric_mean((1.0, 2.0), (4.0, 8.0)) == (2.0, 4.0)
        grid = signals.Grid.unit_box((64, 16))
        assert isotropic((8.0, 8.0), grid) == pytest.approx((16.0, 4.0))


@settings(max_examples=50)
@given(st.floats(1e-6, 1.0), st.floats(0, 1.0), st.integers(1, 10**6))
def test_expectations_are_ordered_and_noise_narrows_them(error, share, held_out):
    alone, noisy = (
        expected_psnr(error, 0.0, held_out, 1.0),
        expected_psnr(error, share * error, held_out, 1.0),
    )
    for found in (alone, noisy):
        assert found.low < found.psnr < found.high
    assert noisy.high - noisy.low <= alone.high - alone.low + 1e-9


def test_a_short_run_of_a_clean_picture_reaches_further():
    values = skimage.transform.resize(skimage.data.cat() / 255.0, (64, 64), anti_aliasing=True).mean(-1)
    clean = signals.image(values.astype(np.float32))
    usual, short = planning.plan(clean), planning.plan(clean, Budget(steps=300))
    assert all(s > 1.5 * u for s, u in zip(short.bandwidth, usual.bandwidth, strict=True))
    quick, slow = (p.reason(ReasonCode.BANDWIDTH_COMPARISON).values for p in (short, usual))
    assert (quick["choice"], quick["steps"]) == ("highest", 300)
    assert slow["choice"] == "geometric mean"
    noisy = signals.image(values + 0.1 * np.random.default_rng(0).standard_normal(values.shape))
    assert planning.plan(noisy, Budget(steps=300)).bandwidth == planning.plan(noisy).bandwidth
