import math

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone import early_stopping as stop
from overtone.early_stopping._monitor import StopDecision
from overtone.errors import InputError, RunError
from overtone.records.metrics._errors import smooth


def log_steps(count, ratio=1.15):
    return sorted({round(ratio**k) for k in range(count)})


def feed(monitor, steps, errors):
    """The step at which the monitor ends the run, or None."""
    for step, error in zip(steps, errors, strict=True):
        if monitor.update(step, {"held_out_error": error}):
            return step
    return None


def valley(steps, at, rise=2.0):
    """Falls to 0.1 at `at`, then rises to `rise` times that over an octave and more."""
    x = np.log(np.asarray(steps) / at)
    return 0.1 * np.where(x < 0, np.exp(np.abs(x)), 1 + (rise - 1) * (1 - np.exp(-(x**2))))


class TestSmoothedMinimum:
    @settings(max_examples=60)
    @given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=60), st.integers(1, 40), st.integers(0, 3))
    def test_its_best_step_is_that_of_the_whole_smoothed_curve(self, errors, stride, power):
        steps = [1 + stride * i * (i + 1) ** power for i in range(len(errors))]
        monitor = stop.HeldOut().monitor()
        for n in range(1, len(errors) + 1):
            monitor.update(steps[n - 1], {"held_out_error": errors[n - 1]})
            curve = smooth(np.asarray(steps[:n]), np.asarray(errors[:n]))
            chosen = curve[steps.index(monitor.best_step)]
            # Sums over other windows round otherwise: n eps in the logarithm, whose size is at most 14.
            assert chosen <= curve.min() * (1 + 14 * 60 * 2**-52)
            assert monitor.best_step in monitor.candidates

    def test_it_keeps_few_networks(self):
        monitor = stop.HeldOut().monitor()
        steps = log_steps(90)
        feed(monitor, steps, [1 / s for s in steps])
        assert len(monitor.candidates) <= 10

    def test_what_is_best_later_was_kept_before(self):
        generator = np.random.default_rng(0)
        steps = log_steps(80)
        errors = valley(steps, 500) * np.exp(0.3 * generator.standard_normal(len(steps)))
        monitor, kept = stop.HeldOut().monitor(), set()
        for step, error in zip(steps, errors, strict=True):
            monitor.update(step, {"held_out_error": error})
            kept = (kept | {step}) & monitor.candidates
            assert monitor.best_step in kept


class TestHeldOut:
    def test_a_run_goes_on_until_the_error_has_been_below_a_level(self):
        # A first minimum of 0.9 at step 20, then a deep valley at step 1,000.
        steps = log_steps(85, 1.1)
        errors = [
            0.9 + 0.1 * abs(math.log(s / 20)) if s < 150 else 0.1 + abs(math.log(s / 1000)) for s in steps
        ]
        assert feed(first := stop.HeldOut().monitor(), steps, errors) < 150
        assert first.best_step < 40
        assert feed(later := stop.HeldOut(below=0.5).monitor(), steps, errors) > 1900
        assert 800 < later.best_step < 1200

    def test_a_valley_ends_the_run_at_twice_its_bottom(self):
        steps = log_steps(60)
        ended = feed(monitor := stop.HeldOut().monitor(), steps, valley(steps, 200))
        assert monitor.best_step == pytest.approx(200, rel=0.2)
        assert 2 * monitor.best_step <= ended < 3 * monitor.best_step

    def test_an_error_that_falls_never_ends_it(self):
        steps = log_steps(60)
        assert feed(stop.HeldOut().monitor(), steps, [s**-0.1 for s in steps]) is None

    def test_a_plateau_never_ends_it(self):
        steps = log_steps(60)
        assert feed(stop.HeldOut().monitor(), steps, np.maximum(0.1, 1 / np.asarray(steps))) is None

    def test_a_lucky_row_does_not_decide(self):
        steps = log_steps(60)
        errors = valley(steps, 300, rise=3.0)
        lucky = next(i for i, step in enumerate(steps) if step > 1500)
        errors[lucky] *= 0.3
        assert errors.argmin() == lucky
        feed(monitor := stop.HeldOut(patience=1e9).monitor(), steps, errors)
        assert monitor.best_step == pytest.approx(300, rel=0.25)

    def test_rows_that_are_not_finite_are_passed_over(self):
        monitor = stop.HeldOut().monitor()
        assert not monitor.update(1, {"held_out_error": math.nan})
        assert monitor.best_step is None
        monitor.update(2, {"held_out_error": 1.0})
        assert monitor.best_step == 2

    @pytest.mark.parametrize(
        ("act", "message"),
        [
            (lambda: stop.HeldOut(patience=1.0).monitor(), "a patience above 1"),
            (lambda: stop.HeldOut().monitor().update(0, {"loss": 1.0}), "rows with held_out_error, got loss"),
            (lambda: feed(stop.HeldOut().monitor(), [5, 5], [1.0, 1.0]), "a step above 5, got 5"),
        ],
    )
    def test_wrong_input_is_named(self, act, message):
        with pytest.raises(InputError, match=message):
            act()


def filtered(noise, seed=0, modes=4000, channels=2):
    """Bands of a target with white noise, and the rows of a filter that opens them one after another."""
    generator = np.random.default_rng(seed)
    bands = 20
    size = np.exp(-np.arange(bands) / 2)[:, None, None] * generator.standard_normal((bands, modes, channels))
    spoil = noise * generator.standard_normal(size.shape)
    target = size + spoil
    share = 1 / modes

    def row(t):
        h = -np.expm1(-t * np.exp(-np.arange(bands)))[:, None, None]
        clean = float(((h * target - size) ** 2).sum((0, 1)).sum() * share)
        residual = (((1 - h) * target) ** 2).sum(1) * share
        return {"residual_power": residual, "cross_power": (h * target**2).sum(1) * share}, clean

    power = (target**2).sum(1) * share
    return power, np.full_like(power, noise**2), row


class TestBandErrors:
    def test_on_a_filter_it_is_the_clean_error(self):
        power, noise, row = filtered(0.3)
        rule = stop.BandErrors(power, noise)
        whole = float(power.sum())
        for t in (0.0, 1.0, 1e2, 1e4, 1e8):
            measured, clean = row(t)
            # The cross term 2 <h e, x> has standard deviation 2 s sqrt(signal / modes) at most, and e^2 that of
            # s^2 sqrt(2 bands channels / modes); four of both.
            slack = 4 * (2 * 0.3 * math.sqrt(whole / 4000) + 0.09 * math.sqrt(2 * 40 / 4000))
            assert rule.estimate(measured) == pytest.approx(clean, abs=slack)

    def test_its_stop_is_near_the_best_step(self):
        power, noise, row = filtered(0.3)
        steps = log_steps(80)
        monitor, clean = stop.BandErrors(power, noise).monitor(), []
        ended = None
        for step in steps:
            measured, error = row(float(step))
            clean.append(error)
            if monitor.update(step, measured) and ended is None:
                ended = step
        chosen = clean[steps.index(monitor.best_step)]
        assert 10 * math.log10(chosen / min(clean)) < 0.2
        assert ended is not None
        assert 10 * math.log10(clean[-1] / min(clean)) > 1

    def test_without_noise_it_says_so(self):
        power, _, _ = filtered(0.3)
        with pytest.raises(InputError, match="a noise power above 0, got 0 in every band; use HeldOut"):
            stop.BandErrors(power, np.zeros_like(power))
        with pytest.raises(InputError, match="noise power of shape"):
            stop.BandErrors(power, power[:3])
        with pytest.raises(InputError, match="finite powers of at least 0"):
            stop.BandErrors(power, -power)
        with pytest.raises(InputError, match="rows with residual_power"):
            stop.BandErrors(power, power).monitor().update(1, {"loss": 1.0})


class TestDiscrepancy:
    def test_it_stops_at_the_first_row_as_small_as_the_noise(self):
        monitor = stop.DiscrepancyPrinciple(0.04).monitor()
        ended = [
            monitor.update(s, {"train_error": e}) for s, e in ((1, 1.0), (2, 0.05), (4, 0.03), (8, 0.01))
        ]
        assert ended == [False, False, True, True]
        assert monitor.best_step == 4
        assert monitor.candidates == {4}

    def test_wrong_input_is_named(self):
        with pytest.raises(InputError, match="a positive variance, got 0"):
            stop.DiscrepancyPrinciple(0.0)
        with pytest.raises(InputError, match="rows with train_error, got nothing"):
            stop.DiscrepancyPrinciple(1.0).monitor().update(1, {})


class TestWindowedVariance:
    def test_the_calm_between_signal_and_noise_is_found(self):
        monitor = stop.WindowedVariance(window=4, patience=6).monitor()
        ended, seen = None, []
        for step in range(60):
            seen.append(math.tanh(step / 10) + (0.3 * math.sin(1.7 * step) if step > 35 else 0.0))
            if monitor.update(step, {"prediction": torch.tensor([seen[-1]])}):
                ended = step
                break
        slow = [np.var(seen[i : i + 4]) for i in range(len(seen) - 3)]
        assert monitor.best_step == int(np.argmin(slow))
        assert 30 <= monitor.best_step <= 36
        assert ended is not None

    def test_wrong_input_is_named(self):
        with pytest.raises(InputError, match="a window of 2 rows or more"):
            stop.WindowedVariance(window=1)
        with pytest.raises(InputError, match="rows with a prediction"):
            stop.WindowedVariance().monitor().update(1, {})


def record(steps, errors, clean=None):
    """The parts of a record that a rule looks at."""
    columns = {"held_out_error": ("step", np.asarray(errors))}
    columns["residual_power"] = (("step", "band", "channel"), np.ones((len(steps), 1, 1)))
    return xr.Dataset(columns, coords={"step": list(steps)})


class TestEvaluate:
    def test_a_record_tells_where_it_would_have_ended(self):
        steps = log_steps(60)
        found = stop.HeldOut().evaluate(record(steps, valley(steps, 200)))
        assert found.step == found.restored == pytest.approx(200, rel=0.2)
        assert found.ended >= 2 * found.restored

    def test_a_run_that_was_too_short_is_not_ended(self):
        steps = log_steps(20)
        found = stop.HeldOut().evaluate(record(steps, [1 / s for s in steps]))
        assert found == StopDecision(steps[-1], None, steps[-1])

    def test_two_runs_are_refused(self):
        both = xr.concat([record([1, 2], [1.0, 1.0])] * 2, "run")
        with pytest.raises(InputError, match="the record of one run, got several along run"):
            stop.HeldOut().evaluate(both)


class TestBestWeights:
    def test_it_goes_back_to_the_best_network(self):
        network = torch.nn.Linear(1, 1)
        weights = stop.BestWeights(stop.HeldOut().monitor(), network)
        steps = log_steps(60)
        ended = None
        for step, error in zip(steps, valley(steps, 100), strict=True):
            with torch.no_grad():
                network.weight.fill_(float(step))
            if weights.update(step, {"held_out_error": error}):
                ended = step
                break
        best = weights.restore()
        assert best < ended
        assert network.weight.item() == best

    def test_without_a_row_the_network_stays_as_it_is(self):
        network = torch.nn.Linear(1, 1)
        before = network.weight.item()
        assert stop.BestWeights(stop.HeldOut().monitor(), network).restore() is None
        assert network.weight.item() == before

    def test_a_replayed_row_has_no_weights_in_memory(self):
        weights = stop.BestWeights(stop.HeldOut().monitor(), torch.nn.Linear(1, 1))
        weights.replay(1, {"held_out_error": 1.0})
        with pytest.raises(RunError, match="stored weights to restore, got none"):
            weights.restore()

    def test_files_outlive_the_store(self, tmp_path):
        network, rule = torch.nn.Linear(1, 1), stop.HeldOut()
        first = stop.BestWeights(rule.monitor(), network, tmp_path / "kept")
        for step, error in ((1, 1.0), (100, 2.0)):
            with torch.no_grad():
                network.weight.fill_(float(step))
            first.update(step, {"held_out_error": error})
        second = stop.BestWeights(rule.monitor(), network, tmp_path / "kept")
        second.replay(1, {"held_out_error": 1.0})
        assert second.restore() == 1
        assert network.weight.item() == 1.0


class TestJoint:
    @given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 10))
    def test_it_adds_half_the_distance_from_the_noise(self, held_out, train, noise):
        row = {"held_out_error": held_out, "train_error": train}
        expected = held_out + 0.5 * abs(train - noise) if noise else held_out
        assert stop.HeldOutAndNoise(noise).estimate(row) == pytest.approx(expected)

    def test_with_few_noisy_samples_it_stops_nearer_to_the_best_step_than_the_held_out_error(self):
        # A share p of the noise is learned that grows with the steps, a signal by a share q that grows before.
        generator = np.random.default_rng(0)
        steps = np.array(log_steps(60, 1.2))
        q, p = 1 - np.exp(-steps / 30), 1 - np.exp(-steps / 3000)
        losses = {"joint": [], "held-out": []}
        for _ in range(40):
            clean = 0.3 * (1 - q) ** 2 + p
            train = 0.3 * (1 - q) ** 2 + 1 - p
            # Two standard deviations of chance that the steps do not share: of the noise learned, in 50 samples.
            held_out = 1 + clean + 2 * np.sqrt(clean / 50) * generator.standard_normal(len(steps))
            for name, rule in (("joint", stop.HeldOutAndNoise(1.0)), ("held-out", stop.HeldOut())):
                monitor = rule.monitor()
                for step, h, t in zip(steps.tolist(), held_out, train, strict=True):
                    monitor.update(step, {"held_out_error": h, "train_error": t})
                losses[name].append(clean[steps.tolist().index(monitor.best_step)] / clean.min())
        assert np.mean(losses["joint"]) < 0.9 * np.mean(losses["held-out"])

    def test_without_noise_the_held_out_error_decides(self):
        steps = log_steps(60)
        monitor = stop.HeldOutAndNoise(0.0).monitor()
        for step, error in zip(steps, valley(steps, 200), strict=True):
            monitor.update(step, {"held_out_error": error, "train_error": 1.0 / step})
        assert monitor.best_step == pytest.approx(200, rel=0.2)

    @pytest.mark.parametrize("noise", [-1.0, math.nan, math.inf])
    def test_a_variance_that_is_none_is_refused(self, noise):
        with pytest.raises(InputError, match="a variance of 0 or more"):
            stop.HeldOutAndNoise(noise)

    @pytest.mark.parametrize("missing", ["held_out_error", "train_error"])
    def test_rows_that_lack_an_error_are_named(self, missing):
        row = {"held_out_error": 1.0, "train_error": 1.0}
        del row[missing]
        with pytest.raises(InputError, match=f"rows with {missing}"):
            stop.HeldOutAndNoise(1.0).monitor().update(1, row)
