from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from overtone.errors import InputError
from overtone.nn import BandLimited, FourierMFN, GaborMFN, MultiScale
from overtone.nn._networks.mfn_filters import power_bandwidth, product_power
from overtone.nn.activations import Sine
from tests.nn.measured import bandwidth, power


def along(network: torch.nn.Module, axis: int):
    """All outputs as a function of one coordinate, the others held still."""

    def features(x: np.ndarray) -> np.ndarray:
        coords = torch.full((len(x), network.in_features), 0.1, dtype=torch.float64)
        coords[:, axis] = torch.from_numpy(x)
        with torch.no_grad():
            return network(coords).numpy()

    return features


def measured(networks: list[torch.nn.Module]) -> np.ndarray:
    """Bandwidth per axis in cycles per unit, the mean over networks."""
    axes = range(networks[0].in_features)
    return np.mean([[bandwidth(along(n, a), (-1, 1)) / 2 for a in axes] for n in networks], axis=0)


# 64 outputs average over the weights, and three seeds over the frequencies. What remains: a quantile of about
# 3 * 128 frequencies, 4 sqrt(0.09 / 384) / (density 0.3 at a 90 % point of 1.3 standard deviations, times it)
# = 15 % for one filter, less for their sums; and one bin, 1/2 cycle per unit.
@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize(("scale", "depth"), [(256.0, 3), (100.0, 1), (150.0, 6)])
def test_fourier_bandwidth_is_measured(inputs, scale, depth):
    networks = [FourierMFN(inputs, 64, 128, depth, scale, seed=s).double() for s in range(3)]
    law = np.mean([n.bandwidth for n in networks], axis=0)
    np.testing.assert_allclose(measured(networks), law, rtol=0.1, atol=0.5)


# The box cuts envelopes off, which the law leaves out: 10 % more.
@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize(("scale", "depth"), [(256.0, 3), (100.0, 1), (150.0, 6)])
def test_gabor_bandwidth_is_measured(inputs, scale, depth):
    networks = [GaborMFN(inputs, 64, 128, depth, scale, seed=s).double() for s in range(3)]
    law = np.mean([n.bandwidth for n in networks], axis=0)
    np.testing.assert_allclose(measured(networks), law, rtol=0.2, atol=0.5)


def test_another_scale_would_be_noticed():
    network = FourierMFN(1, 64, 128, 3, 256.0).double()
    off = measured([FourierMFN(1, 64, 128, 3, 180.0).double()])
    assert not np.allclose(off, network.bandwidth, rtol=0.2, atol=0.5)


@pytest.mark.parametrize("wanted", [5.0, 40.0])
def test_fourier_from_bandwidth(wanted):
    network = FourierMFN.from_bandwidth(2, 64, wanted, width=128, seed=2).double()
    assert network.bandwidth == pytest.approx([wanted, wanted], rel=0.01)
    np.testing.assert_allclose(measured([network]), network.bandwidth, rtol=0.15, atol=0.5)


def test_bandwidths_can_be_set_per_axis():
    given = GaborMFN(2, 64, 64, 2, 100.0, seed=1).double()
    network = given.with_bandwidth([20.0, 8.0])
    assert network.bandwidth == pytest.approx([20.0, 8.0], rel=0.01)
    np.testing.assert_allclose(measured([network]), [20.0, 8.0], rtol=0.2, atol=0.5)
    assert torch.equal(network.linears[0].weight, given.linears[0].weight)
    assert given.bandwidth[1] > 9
    with pytest.raises(InputError, match="expected a bandwidth above that of the envelopes"):
        given.with_bandwidth(0.01)


def by_hand(network: FourierMFN | GaborMFN, x: np.ndarray) -> np.ndarray:
    """The formula, sample by sample and wave by wave."""
    p = {name: value.detach().numpy() for name, value in network.named_parameters()}

    def wave(layer: int, unit: int, point: np.ndarray) -> float:
        own = {n: p[f"filters.{layer}.{n}"] for n in ("omega", "phase")}
        value = math.sin(own["omega"][unit] @ point + own["phase"][unit])
        if f"filters.{layer}.gamma" in p:
            distance = np.sum((point - p[f"filters.{layer}.centre"][unit]) ** 2)
            value *= math.exp(-abs(p[f"filters.{layer}.gamma"][unit]) * distance / 2)
        return value

    rows = []
    for point in x:
        z = np.array([wave(0, u, point) for u in range(network.width)])
        for layer in range(network.depth):
            linear = p[f"linears.{layer}.weight"] @ z + p[f"linears.{layer}.bias"]
            z = linear * np.array([wave(layer + 1, u, point) for u in range(network.width)])
        rows.append(p["output.weight"] @ z + p["output.bias"])
    return np.array(rows)


@pytest.mark.parametrize("kind", [FourierMFN, GaborMFN])
def test_values_are_the_formula(kind):
    network = kind(2, 3, 5, 2, 20.0, seed=7).double()
    x = np.random.default_rng(0).uniform(-1, 1, (4, 2))
    # float64 phases of up to 20 radians lose 20 * 2^-52 each; values are below 10.
    np.testing.assert_allclose(network(torch.from_numpy(x)).detach().numpy(), by_hand(network, x), atol=1e-12)


def test_gabor_begins_as_stated():
    network = GaborMFN(2, 1, 4096, 2, 60.0, seed=3)
    for wave in network.filters:
        gamma, omega = wave.gamma.detach().double(), wave.omega.detach().double()
        # Gamma(2, 1): mean 2 and variance 2, fourth central moment 24.
        assert gamma.mean().item() == pytest.approx(2.0, abs=4 * math.sqrt(2 / 4096))
        assert gamma.var().item() == pytest.approx(2.0, abs=4 * math.sqrt((24 - 4) / 4096))
        bound = 60 / math.sqrt(3 * 2)
        ratio = omega / gamma.sqrt()[:, None]
        assert ratio.abs().max().item() == pytest.approx(bound, rel=2e-3)
        assert wave.centre.abs().max() <= 1


@pytest.mark.parametrize("factor", [1.0, 30.0])
def test_band_limits_hold_for_any_weights(factor):
    """One period resolved with 4 times the samples that the highest limit needs; what lies above is rounding."""
    limits = [1.0, 2.5, 4.0, 9.0]
    network = BandLimited(1, 3, limits, width=16, seed=5).double()
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(factor * torch.randn(parameter.shape, generator=source, dtype=torch.float64))
    n = 144
    x = -1 + 2 * torch.arange(n, dtype=torch.float64)[:, None] / n
    with torch.no_grad():
        outputs = network.all_outputs(x).numpy()
        assert np.array_equal(outputs[-1], network(x).numpy())
    for i, values in enumerate(outputs):
        amplitude = np.abs(np.fft.rfft(values, axis=0)) / n
        last = round(limits[i] * network.period)
        assert network.limits[i] == (limits[i],)
        assert amplitude[last + 1 :].max() < 1e-12 * amplitude.max()
        # and the limit is no looser than need be
        assert amplitude[1 : last + 1].max() > 1e-3 * amplitude.max()
        if i:
            below = round(limits[i - 1] * network.period)
            assert amplitude[below + 1 :].max() > 1e-6 * amplitude.max()


def test_limits_hold_per_axis():
    network = BandLimited(2, 1, [(1.0, 2.0), (2.0, 6.0)], width=32, seed=1).double()
    step = torch.arange(32, dtype=torch.float64) / 16 - 1
    x = torch.stack(torch.meshgrid(step, step, indexing="ij"), -1)
    with torch.no_grad():
        modes = np.abs(np.fft.fft2(network(x)[..., 0].numpy())) / 32**2
    k = np.abs(np.fft.fftfreq(32, 1 / 32))
    assert modes[k > 4].max() < 1e-13
    assert modes[:, k > 12].max() < 1e-13
    assert modes[:, k > 4].max() > 1e-4


def test_outputs_repeat_after_a_period():
    network = BandLimited(1, 1, [0.5, 1.0], width=8, period=4.0).double()
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    torch.testing.assert_close(network(x + 4), network(x), rtol=0, atol=1e-13)
    assert not torch.allclose(network(x + 2), network(x))


def test_product_power_is_the_mean_over_weights():
    """Many networks of the same frequencies: the measured power is the law's to four standard errors."""
    base = BandLimited(1, 64, [2.0, 3.5, 6.0], width=12, seed=3).double()
    indices = [wave.index[:, 0] for wave in base.filters]
    x = (torch.arange(64, dtype=torch.float64) / 32 - 1)[:, None]
    source = torch.Generator().manual_seed(9)
    draws = []
    bounds = [p.detach().abs().max() for p in base.parameters()]
    for _ in range(300):
        with torch.no_grad():
            for p, bound in zip(base.parameters(), bounds, strict=True):
                p.copy_((2 * torch.rand(p.shape, generator=source, dtype=torch.float64) - 1) * bound)
            for wave in base.filters:
                wave.phase.copy_(2 * math.pi * torch.rand(12, generator=source, dtype=torch.float64))
            base.outputs[-1].bias.zero_()
            modes = torch.fft.fft(base(x), dim=0).abs().square() / 64**2
        folded = modes[:33].clone()
        folded[1:32] += modes[33:].flip(0)
        draws.append(folded[:13].mean(1) / folded.sum(0).mean())
    stacked = torch.stack(draws)
    law = product_power(indices, base.linears)
    law = law / law.sum()
    assert len(law) <= 13
    error = stacked.mean(0)[: len(law)] - law
    standard = stacked.std(0)[: len(law)] / math.sqrt(300)
    # A ratio of means is biased by O(1/300) of itself on top of its scatter.
    assert bool((error.abs() < 4 * standard + 0.02 * law + 1e-4).all())


def test_product_power_of_two_waves():
    """cos a cos b has half of its power at each of a + b and a - b."""
    linear = torch.nn.Linear(1, 1)
    with torch.no_grad():
        linear.weight.fill_(1.0)
        linear.bias.zero_()
    law = product_power([torch.tensor([5]), torch.tensor([3])], torch.nn.ModuleList([linear]))
    expected = torch.zeros(9, dtype=torch.float64)
    expected[[2, 8]] = 1 / 8
    torch.testing.assert_close(law, expected, rtol=0, atol=1e-15)
    assert power_bandwidth(law, 0.5) == 4.0
    assert power_bandwidth(torch.tensor([3.0, 0.0]), 1.0) == 0.0


def test_band_limited_bandwidth_is_measured():
    network = BandLimited(2, 64, [(4, 8), (16, 12), (32, 40)], width=128).double()
    assert network.bandwidth[0] < 32
    np.testing.assert_allclose(measured([network]), network.bandwidth, rtol=0.08, atol=0.5)
    assert network.describe() == "BandLimited 2 x 128 to 32, 40"
    octaves = BandLimited.octaves(2, 1, 32.0, width=4)
    assert [row[0] for row in octaves.limits] == [4, 8, 16, 32]


@pytest.mark.parametrize("scales", [(1.0,), (1, 2, 4, 8), (3, 1)])
def test_multi_scale_bandwidth_is_that_of_its_first_layers(scales):
    network = MultiScale(2, 1, 2048, 1, Sine(300.0), scales, seed=4)

    def features(x: np.ndarray) -> np.ndarray:
        coords = torch.zeros(len(x), 2)
        coords[:, 0] = torch.from_numpy(x)
        with torch.no_grad():
            parts = zip(network.scales, network.parts, strict=True)
            return torch.cat([p.activations[0](p.linears[0](a * coords)) for a, p in parts], 1).numpy()

    found = bandwidth(features, (-1, 1), samples=4096) / 2
    # four standard errors of a 90 % quantile of a law that is flat over its last tenth at worst 8 times
    # thinner than the first, from 2048 draws a part
    assert found == pytest.approx(network.bandwidth[0], rel=0.08, abs=0.5)


def test_multi_scale_is_a_sum_of_scaled_parts():
    network = MultiScale(2, 3, 6, 2, scales=(1.0, 0.5, 3.0), seed=1).double()
    x = torch.rand(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = sum(part(a * x) for a, part in zip((1.0, 0.5, 3.0), network.parts, strict=True))
    torch.testing.assert_close(network(x), expected, rtol=1e-12, atol=1e-14)
    assert network.bandwidth is None
    assert network.describe() == "MultiScale 1, 0.5, 3 of MLP 2 x 6 ReLU"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: BandLimited(1, 1, [4.0]), "limits: expected at least two band limits, got 1"),
        (
            lambda: BandLimited(1, 1, [4.0, 4.2]),
            "limits: expected limits that ascend by at least 1/period = 0.5",
        ),
        (lambda: BandLimited(1, 1, [0.3, 4.2]), "limits: expected limits that ascend"),
        (lambda: BandLimited(2, 1, [(1.0, 2.0, 3.0), 4.0]), "limits: expected one number or one per axis"),
        (lambda: BandLimited(1, 1, [1.0, 2.0], period=0.0), "period: expected"),
        (lambda: FourierMFN(1, 1, input_scale=-1.0), "input_scale: expected"),
        (lambda: GaborMFN(1, 1, depth=0), "depth: expected a whole number of at least 1, got 0"),
        (lambda: MultiScale(1, 1, scales=(1.0, -1.0)), "scales: expected positive finite numbers"),
    ],
)
def test_bad_arguments_are_named(build, message):
    with pytest.raises(InputError, match=message):
        build()


def test_measured_power_helper_sees_lines():
    assert power(lambda x: np.cos(2 * np.pi * 5 * x)[:, None], (0, 1))[5] > 0
