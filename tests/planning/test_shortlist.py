"""The shortlist's ridge regressions, against the formula written out with other matrices."""

import math

import numpy as np
import pytest
import torch

from overtone import signals
from overtone._config import Choosing, EncodingKind, ModelConfig, TrainingConfig
from overtone.errors import InputError
from overtone.nn._build import build_field
from overtone.planning import _shortlist
from overtone.planning._candidates import ladder_cycles
from overtone.planning._comparison import CLOSE_DB, BandwidthComparison
from overtone.planning._held_out import ensure_held_out
from overtone.planning._ranking import CELLS, FOURIER
from overtone.planning._reasons import sentences
from overtone.planning._shortlist import RidgeScore, RidgeScorer, last_hidden


def split(samples=60, channels=1):
    x = np.linspace(0, 1, samples, endpoint=False)
    waves = np.stack([np.sin(2 * np.pi * 3 * x) + 5 * c for c in range(channels)], 1)
    signal = signals.points(x[:, None], waves)
    return signal.with_held_out(torch.arange(samples) % 4 == 1)


def network(seed, width=300, scale=20.0):
    with torch.random.fork_rng():
        torch.manual_seed(seed % (1 << 62))
        first = torch.nn.Linear(1, width, dtype=torch.float64)
        first.weight.data.mul_(scale)
        return torch.nn.Sequential(first, torch.nn.ReLU(), torch.nn.Linear(width, 1, dtype=torch.float64))


def written_out(signal, build, steps):
    """Geometric mean over draws of the error, by least squares with rows sqrt(ridge) below the features."""
    values = signal.normalisation.apply(signal.values.double())
    errors = []
    for draw in range(_shortlist.DRAWS):
        net = build(_shortlist.derive_seed(0, "shortlist", str(draw), "0"))
        hidden = net[1](net[0](signal.coords)).detach()
        features = torch.cat([hidden / math.sqrt(hidden.shape[1]), torch.ones(len(hidden), 1)], 1)
        train, held = features[signal.train_index], features[signal.held_out_index]
        root = math.sqrt(2e-5 / steps * len(train)) * torch.eye(train.shape[1], dtype=torch.float64)
        rows, target = torch.cat([train, root]), values[signal.train_index]
        target = torch.cat([target, torch.zeros(train.shape[1], target.shape[1], dtype=torch.float64)])
        weights = torch.linalg.lstsq(rows, target, driver="gelsd").solution
        errors.append(float((held @ weights - values[signal.held_out_index]).square().mean()))
    return math.exp(np.log(errors).mean())


@pytest.mark.parametrize(("samples", "channels"), [(60, 1), (60, 3), (900, 1)])
def test_the_error_is_that_of_the_formula_in_primal_and_dual_form(samples, channels):
    signal = split(samples, channels)
    score = RidgeScorer(signal, 200, 0).score(network, trial_steps=20)
    assert score.error == pytest.approx(written_out(signal, network, 200), rel=1e-6)
    assert score.trial_error == pytest.approx(written_out(signal, network, 20), rel=1e-6)
    assert score.best_error <= score.error
    assert 0 < score.spread_db < 10


def test_narrow_networks_are_copied():
    built = []

    def narrow(seed):
        built.append(seed)
        return network(seed, width=100)

    RidgeScorer(split(), 200, 0).score(narrow)
    assert len(built) == len(set(built)) == 3 * _shortlist.DRAWS


def test_a_network_that_cannot_learn_the_signal_scores_worse():
    scorer = RidgeScorer(split(300), 500, 0)
    fitting, flat = (scorer.score(lambda seed, s=s: network(seed, scale=s)).error for s in (20.0, 0.3))
    assert fitting < flat / 2
    exploded = scorer.score(lambda seed: network(seed, scale=math.inf))
    assert exploded.error == math.inf


def test_the_last_hidden_layer_is_that_of_the_last_call():
    with pytest.raises(InputError, match="a linear layer at its end"):
        last_hidden(torch.nn.ReLU(), torch.zeros(3, 2))
    first, second = torch.nn.Linear(2, 4), torch.nn.Linear(4, 1)
    # Registered in another order than they are called.
    network = torch.nn.ModuleDict({"b": second, "a": first})
    network.forward = lambda x: second(first(x))
    assert torch.equal(last_hidden(network, torch.ones(3, 2)), first(torch.ones(3, 2)).detach())


@pytest.mark.parametrize(("width", "copies"), [(8, 16), (16, 16), (64, 4), (256, 1), (300, 1)])
def test_narrow_networks_reach_the_units_of_a_regression_by_copies(width, copies):
    built = []

    def build(seed):
        built.append(seed)
        return network(seed, width)

    RidgeScorer(split(), 100, 0).score(build)
    assert len(built) == _shortlist.DRAWS * copies
    assert len(set(built)) == len(built)


def test_draws_that_follow_others_give_the_score_of_all_at_once():
    built = []

    def build(seed):
        built.append(seed)
        return network(seed)

    scorer = RidgeScorer(split(), 200, 0)
    whole = scorer.score(build, 20)
    first = scorer.score(build, 20, draws=1)
    assert first.draws == 1
    assert first.spread_db > 0
    assert scorer.score(build, 20, begun=first) == whole
    assert built[3:] == built[:3]
    last = scorer.score(build, 20, stopped_earlier=False)
    assert (last.error, last.trial_error) == pytest.approx((whole.error, whole.trial_error))
    assert last.best_error == last.error >= whole.best_error


def test_bandwidths_that_a_single_draw_rules_out_get_no_others():
    signal, built = split(120), []

    def build(entry, seed):
        built.append(entry)
        model = ModelConfig(EncodingKind.GAUSSIAN, entry[1], width=256, features=64)
        return build_field(signal, model, seed)

    training = TrainingConfig(steps=300, compile=False)
    comparison = BandwidthComparison(signal, build, FOURIER, training, Choosing.QUICK, 0, "cpu")
    ladder = [(None, (cycles,)) for cycles in ladder_cycles(0.25, 30)]
    result = comparison.compare(ladder)
    draws = {entry[1]: built.count(entry) for entry in ladder}
    best = sorted(result.candidates, key=lambda c: -c.shortlist_psnr)
    # The chosen one is drawn once more, for what is to be expected of it.
    assert [draws[c.bandwidth] for c in best[: FOURIER.tried]] == [6, 3]
    assert draws[best[-1].bandwidth] == 1
    assert best[1].shortlist_psnr - best[-1].shortlist_psnr > CLOSE_DB


@pytest.mark.parametrize(("seconds", "late"), [(1e-9, True), (1e9, False)])
@pytest.mark.parametrize("ranking", [FOURIER, CELLS])
def test_trials_are_given_up_where_they_take_far_more_than_their_time(ranking, seconds, late):
    signal = split(120)

    def build(entry, seed):
        return build_field(signal, ModelConfig(EncodingKind.GAUSSIAN, entry[1], width=64, features=32), seed)

    training = TrainingConfig(steps=120, seconds=seconds, compile=False)
    comparison = BandwidthComparison(signal, build, ranking, training, Choosing.THOROUGH, 0, "cpu")
    result = comparison.compare([(None, (cycles,)) for cycles in (2.0, 4.0, 8.0)])
    tried = [candidate for candidate in result.candidates if candidate.trial_steps]
    assert (len(tried), result.trial_steps) == ((0, 0) if late else (ranking.tried, 10 * ranking.tried))
    (sentence,) = sentences(result.reasons)
    assert ("were given up, because they took more than half of the time for training" in sentence) is late
    assert "too few to try" not in sentence


def tried_bandwidths(level, tolerance):
    """The two that are trained, of a ladder of 0.5 to 8 cycles along two axes, in the slowest way to write it down."""
    ladder = [(c, c) for c in (0.5, 1.0, 2.0, 4.0, 8.0)]
    best, kept = min(ladder, key=level), []
    for axis in range(2):
        for factor in (1 / 4, 4.0):
            other = tuple(b * factor if a == axis else b for a, b in enumerate(best))
            if level(best) - level(other) > tolerance:
                best, kept = other, [tuple(f * b for b in other) for f in (0.5, 1.0, 2.0)]
                break
    return sorted([*ladder, *kept], key=level)[:2]


@pytest.mark.parametrize("seed", range(4))
def test_an_axis_that_was_tried_and_not_kept_is_not_trained(monkeypatch, seed):
    values = np.random.default_rng(0).random((16, 16))
    signal = ensure_held_out(signals.array(values.astype(np.float32)), 0)

    def level(bandwidth):
        # A bowl over the mean frequency, and chance, within the tolerance and beyond it.
        middle = np.log2(np.prod(np.multiply(bandwidth, 16))) / 2
        chance = np.random.default_rng([seed, *(int(1e6 * b) for b in bandwidth)]).normal()
        return 0.5 * (middle - 5) ** 2 + 0.5 * chance

    def draw(self, entry, trial_steps, draws):
        squares = torch.full((draws, 2, 4), 10 ** (level(entry[1]) / 10), dtype=torch.float64)
        error = float(squares[0, 0, 0])
        self._scores[entry] = RidgeScore(error, error, error, 0.1, squares)

    def build(entry, seed):
        model = ModelConfig(EncodingKind.GAUSSIAN, entry[1], width=8, features=4)
        return build_field(signal, model, seed)

    monkeypatch.setattr(BandwidthComparison, "_draw", draw)
    training = TrainingConfig(steps=120, compile=False)
    comparison = BandwidthComparison(signal, build, FOURIER, training, Choosing.THOROUGH, 0, "cpu")
    result = comparison.compare(
        [(EncodingKind.GAUSSIAN, (c / 16, c / 16)) for c in (0.5, 1.0, 2.0, 4.0, 8.0)]
    )
    tried = {c.bandwidth for c in result.candidates if c.trial_steps}
    assert comparison.tolerance_db == pytest.approx(0.85, abs=0.05)
    wanted = tried_bandwidths(lambda b: level(tuple(c / 16 for c in b)), tolerance=comparison.tolerance_db)
    assert tried == {tuple(c / 16 for c in b) for b in wanted}
