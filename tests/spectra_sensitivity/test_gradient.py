from __future__ import annotations

import numpy as np
import pytest
import torch

from overtone.spectra import grid
from overtone.spectra.sensitivity import InputNormalisation, ScoreGradient, gradient_spectrum, low_pass
from tests.spectra_sensitivity.twins import cosine_modes


def network(size, seed=0, classes=3):
    source = torch.Generator().manual_seed(seed)
    weights = [
        torch.randn(*shape, generator=source, dtype=torch.float64) / shape[0] ** 0.5
        for shape in ((size, 12), (12, classes))
    ]
    return lambda x: (x.flatten(1) @ weights[0]).tanh() @ weights[1]


def pictures(count=4, channels=2, height=5, width=6, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random((count, channels, height, width)))


def test_gradients_are_those_of_differences():
    """Central differences err by h^2 |f'''| / 6 + u |f| / h, about 1e-10 at h = 1e-5."""
    x, labels, step = pictures(2), torch.tensor([1, 2]), 1e-5
    normalise, answer = InputNormalisation.standardise([0.4, 0.6], [0.3, 0.2]), network(60)

    def loss(pixels):
        return torch.nn.functional.cross_entropy(answer(normalise.apply(pixels)), labels, reduction="none")

    def logit(pixels):
        return answer(normalise.apply(pixels))[torch.arange(2), labels]

    for gradient, score in (
        (ScoreGradient.of_loss(answer, normalise), loss),
        (ScoreGradient.of_logit(answer, normalise), logit),
    ):
        found = gradient(x, labels)
        for place in [(0, 0, 0), (1, 4, 5), (0, 2, 3)]:
            moved = torch.zeros_like(x)
            moved[(slice(None), *place)] = step
            wanted = (score(x + moved) - score(x - moved)) / (2 * step)
            torch.testing.assert_close(found[(slice(None), *place)], wanted, rtol=1e-6, atol=1e-8)


def test_power_is_the_sum_over_modes_and_closes():
    x, labels = pictures(), torch.tensor([0, 1, 2, 0])
    gradient = ScoreGradient.of_loss(network(60), InputNormalisation.none())
    found = gradient_spectrum(gradient, x, labels, bands=[0, 0.05, 0.2, 0.4])
    fields = gradient(x, labels).numpy()
    for picture in range(4):
        for channel in range(2):
            modes, radius, _ = cosine_modes(fields[picture, channel])
            for low, high, power in zip(
                found.bands.low, found.bands.high, found.power[picture, :, channel], strict=True
            ):
                inside = (radius >= low - 1e-12) & (radius < high - 1e-12) | (radius >= high) & (
                    high == found.bands.high[-1]
                )
                assert float(power) == pytest.approx((modes**2)[inside].sum() / 30, rel=1e-9, abs=1e-15)
    np.testing.assert_allclose(found.power.sum(1), (fields**2).mean((2, 3)), rtol=1e-12)
    assert int(found.modes.sum()) == 30


def test_it_is_the_grid_spectrum_of_each_gradient():
    x, labels = pictures(), torch.tensor([0, 1, 2, 0])
    gradient = ScoreGradient.of_logit(network(60), InputNormalisation.none())
    found = gradient_spectrum(gradient, x, labels)
    for picture, field in zip(found.power, gradient(x, labels), strict=True):
        single = grid(field, 1.0, channel_axis=0, bands=found.bands)
        torch.testing.assert_close(picture, single.power, rtol=1e-9, atol=1e-15)
    torch.testing.assert_close(found.spectrum.power, found.power.mean(0))


def test_a_network_behind_a_filter_has_no_gradient_beyond():
    x, labels = pictures(3, 1, 16, 16), torch.tensor([0, 1, 2])
    field = torch.randn(3, 16 * 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def smooth(seen):
        return seen.flatten(1) @ low_pass(field.reshape(3, 1, 16, 16), 0.2).flatten(1).T

    edges = [0, 0.2001, 0.5]
    found = gradient_spectrum(
        ScoreGradient.of_logit(smooth, InputNormalisation.none()), x, labels, bands=edges
    )
    assert float(found.power[:, 1:].sum()) < 1e-24 * float(found.power.sum())
    rough = gradient_spectrum(
        ScoreGradient.of_logit(lambda s: s.flatten(1) @ field.T, InputNormalisation.none()),
        x,
        labels,
        bands=edges,
    )
    expected = rough.modes.double() / rough.modes.sum()
    share = rough.power.mean((0, 2)) / rough.power.mean((0, 2)).sum()
    torch.testing.assert_close(share, expected, rtol=0, atol=0.06)


def test_batches_arrays_and_precision_do_not_matter():
    x, labels = pictures(5), torch.tensor([0, 1, 2, 0, 1])
    gradient = ScoreGradient.of_loss(network(60), InputNormalisation.none())
    whole = gradient_spectrum(gradient, x, labels)
    torch.testing.assert_close(gradient_spectrum(gradient, x, labels, batch=2).power, whole.power)
    on_arrays = gradient_spectrum(
        lambda a, y: gradient(torch.from_numpy(a), torch.from_numpy(y)).numpy(), x.numpy(), labels.numpy()
    )
    torch.testing.assert_close(on_arrays.power, whole.power)
    twice = gradient_spectrum(lambda a, y: 2 * gradient(a, y), x, labels)
    torch.testing.assert_close(twice.power, 4 * whole.power)
    single = network(60)
    halved = gradient_spectrum(
        ScoreGradient.of_loss(lambda a: single(a.double()).float(), InputNormalisation.none()),
        x.float(),
        labels,
    )
    torch.testing.assert_close(halved.power, whole.power, rtol=1e-3, atol=1e-9)


def test_parameters_get_no_gradient_and_intervals_surround_the_mean():
    layers = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(60, 3)).double()
    found = gradient_spectrum(
        ScoreGradient.of_loss(layers, InputNormalisation.none()), pictures(), [0, 1, 2, 0]
    )
    assert all(p.grad is None for p in layers.parameters())
    around = found.interval()
    assert ((around.low <= around.mean) & (around.mean <= around.high)).all()
