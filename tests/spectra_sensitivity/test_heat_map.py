from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone._utils.seeding import numpy_generator
from overtone.spectra.sensitivity import InputNormalisation, heat_map
from overtone.spectra.sensitivity._heat_map import HeatMap
from tests.spectra_sensitivity.twins import fourier_basis

PIXELS = InputNormalisation.none()


def pictures(count, channels=1, height=6, width=6, seed=0):
    return np.random.default_rng(seed).random((count, channels, height, width))


def linear(size, seed=0, classes=3):
    """A classifier whose scores are sums over the pixels."""
    weights = np.random.default_rng(seed).normal(size=(math.prod(size), classes))

    def classify(x):
        return x.reshape(len(x), -1) @ (weights if isinstance(x, np.ndarray) else torch.from_numpy(weights))

    return classify


def detector(row, column, height, width, threshold):
    """Class 1 where the picture holds much of one Fourier mode, whatever its sign."""
    wave = fourier_basis(row, column, height, width)

    def classify(x):
        amount = np.abs((x * wave).sum((1, 2, 3)))
        return np.stack([np.full(len(x), threshold), amount], 1)

    return classify


@pytest.mark.parametrize(("height", "width"), [(4, 4), (5, 5), (4, 7)])
def test_it_is_the_loop_over_pictures_and_frequencies(height, width):
    x, norm = pictures(5, 2, height, width), 0.7
    classify = linear(x.shape[1:])
    labels = classify(x).argmax(1)
    found = heat_map(classify, x, labels, norm, normalise=PIXELS, seed=3)
    wanted = np.full((height, width), np.nan)
    rows, columns = range(-(height // 2), (height + 1) // 2), range(-(width // 2), (width + 1) // 2)
    for row, column in itertools.product(rows, columns):
        mode = next(
            tuple(t)
            for t in found.integer_frequency.tolist()
            if any((s * np.array(t) - (row, column)) % (height, width) @ [1, 1] == 0 for s in (1, -1))
        )
        source = numpy_generator(3, "heat map", *(str(t) for t in mode))
        signs = source.integers(0, 2, size=(5, 2)) * 2 - 1
        wrong = 0
        for picture, label, sign in zip(x, labels, signs, strict=True):
            changed = picture + norm * sign[:, None, None] * fourier_basis(row, column, height, width)
            wrong += classify(changed[None]).argmax() != label
        wanted[row + height // 2, column + width // 2] = wrong / 5
    np.testing.assert_array_equal(found.error.numpy(), wanted)
    assert len(found.integer_frequency) == len(
        {(t[0] % height, t[1] % width) for t in found.integer_frequency.tolist()}
    )
    assert not found.clean.any()


def test_a_detector_of_one_frequency_errs_there_alone():
    row, column, size = 2, -3, 8
    x = np.full((6, 1, size, size), 0.5)
    found = heat_map(detector(row, column, size, size, 0.5), x, [0] * 6, 1.0, normalise=PIXELS)
    error = found.error.numpy()
    height, width = found.axes
    hit = {(height[i] * size, width[j] * size) for i, j in np.argwhere(error > 0.5)}
    assert hit == {(2, -3), (-2, 3)}
    assert error.sum() == 2
    below = heat_map(detector(row, column, size, size, 0.5), x, [0] * 6, 0.4, normalise=PIXELS)
    assert float(below.error.sum()) == 0


def test_the_asked_norm_is_that_of_the_pixels_before_normalisation():
    seen = []

    def classify(x):
        seen.append(x.clone())
        return x.reshape(len(x), -1)[:, :2]

    x = torch.full((1, 2, 4, 4), 0.5, dtype=torch.float64)
    std = torch.tensor([0.5, 0.1], dtype=torch.float64)
    found = heat_map(
        classify, x, [0], 0.3, normalise=InputNormalisation.standardise([0.5, 0.5], std), batch=1
    )
    calls = torch.cat(seen)[-len(found.integer_frequency) :]
    norms = calls.flatten(2).norm(dim=2) * std
    torch.testing.assert_close(norms, torch.full_like(norms, 0.3), rtol=1e-12, atol=0)


class _Before(InputNormalisation):
    """Normalisation inside the classifier's pictures, the trap: the perturbation comes after it."""

    def apply(self, pictures):
        return pictures


def test_perturbing_after_normalisation_gives_another_map():
    x = pictures(40, 1, 6, 6)
    x = x * np.linspace(0.02, 1, 40)[:, None, None, None]
    mean, std = float(x.mean()), 0.05
    classify = linear((1, 6, 6))
    labels = classify((x - mean) / std).argmax(1)
    right = heat_map(classify, x, labels, 0.1, normalise=InputNormalisation.standardise(mean, std))
    trapped = heat_map(classify, (x - mean) / std, labels, 0.1, normalise=_Before())
    inside = heat_map(
        lambda p: classify((p - mean) / std), x, labels, 0.1, normalise=InputNormalisation.none()
    )
    assert torch.equal(right.wrong, inside.wrong)
    assert float(right.error.mean()) > 3 * float(trapped.error.mean())


@given(batch=st.integers(1, 200), seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_the_batch_does_not_matter(batch, seed):
    x = pictures(7, 2, 4, 5, seed)
    classify = linear(x.shape[1:], seed)
    labels = classify(x).argmax(1)
    whole = heat_map(classify, x, labels, 0.5, normalise=PIXELS, seed=seed)
    parts = heat_map(classify, x, labels, 0.5, normalise=PIXELS, seed=seed, batch=batch)
    assert torch.equal(whole.wrong, parts.wrong)


def test_batches_are_as_large_as_asked():
    sizes = []
    classify = linear((1, 6, 6))

    def counting(x):
        sizes.append(len(x))
        return classify(x)

    heat_map(counting, pictures(10), [0] * 10, 0.5, normalise=PIXELS, batch=64)
    assert max(sizes) == 64
    assert sizes.count(64) >= 20 * 10 // 64


def test_leaving_out_high_frequencies_leaves_the_others_as_they_are():
    x = pictures(9, 1, 8, 8)
    classify = linear(x.shape[1:])
    labels = classify(x).argmax(1)
    whole, part = (heat_map(classify, x, labels, 0.5, normalise=PIXELS, highest=top) for top in (None, 0.25))
    asked = ~part.error.isnan()
    assert int(asked.sum()) == 25
    assert torch.equal(part.error[asked], whole.error[asked])
    radial = part.radial([0, 0.3, 0.5])
    assert radial.modes.tolist()[-1] == 0
    assert radial.rate.mean.isnan().tolist() == [False, False, True]
    assert (float(radial.rate.low[-1]), float(radial.rate.high[-1])) == (0, 1)


def test_the_radial_summary_is_the_mean_over_a_band():
    x = pictures(11, 1, 8, 8)
    classify = linear(x.shape[1:])
    found = heat_map(classify, x, classify(x).argmax(1), 0.6, normalise=PIXELS)
    bands = found.radial()
    radius = found.frequency.norm(dim=1)
    for band in range(bands.bands.count):
        inside = bands.bands.index(radius) == band
        wanted = found.wrong[inside].double().mean()
        torch.testing.assert_close(bands.rate.mean[band], wanted, rtol=1e-12, atol=0)
    assert int(bands.modes.sum()) == len(found.integer_frequency)
    assert ((bands.rate.low <= bands.rate.mean) & (bands.rate.mean <= bands.rate.high)).all()


def drawn(pictures, modes, spread, source):
    """Answers of which each picture has its own error rate, 0.3 in the mean, and the turns of as many modes."""
    rate = source.beta(0.3 / spread, 0.7 / spread, size=pictures)
    return torch.from_numpy(source.random((modes, pictures)) < rate)


@pytest.mark.parametrize("spread", [0.01, 1.0])
def test_radial_intervals_hold_the_rate_as_often_as_they_say(spread):
    """95 % intervals; of 200 at least 178 hold the rate, which chance misses once in 5,000.

    Taken for independent trials the answers of pictures that differ would give intervals far too narrow.
    """
    turns = torch.cartesian_prod(torch.arange(0, 4), torch.arange(1, 4))
    held, narrow = 0, 0
    for trial in range(200):
        wrong = drawn(60, len(turns), spread, np.random.default_rng(trial))
        found = HeatMap(turns, wrong, wrong[0], (8, 8), 1.0).radial([0, 1.0])
        held += float(found.rate.low[0]) <= 0.3 <= float(found.rate.high[0])
        rate = float(wrong.double().mean())
        narrow += abs(rate - 0.3) <= 1.96 * math.sqrt(rate * (1 - rate) / wrong.numel())
    assert held >= 178
    if spread == 1.0:
        assert narrow < 140
        assert 60 <= float(found.trials[0]) < 200


def test_a_network_on_tensors_gives_what_it_gives_on_arrays():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 4)).double()
    x = pictures(5)
    labels = [0, 1, 2, 3, 0]
    on_tensors = heat_map(network, torch.from_numpy(x), torch.tensor(labels), 0.5, normalise=PIXELS)
    on_arrays = heat_map(lambda a: network(torch.from_numpy(a)).numpy(), x, labels, 0.5, normalise=PIXELS)
    assert torch.equal(on_tensors.wrong, on_arrays.wrong)
    assert all(p.grad is None for p in network.parameters())
    assert on_tensors.clean_error == float(on_tensors.clean.double().mean())
