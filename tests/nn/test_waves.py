"""Activations and encodings that bring waves, against their papers' formulas."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import k0
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from overtone import units
from overtone.errors import InputError
from overtone.nn import MLP, parameter_groups
from overtone.nn.activations import Activation, ComplexGabor, Finer, Gabor, Hat, Sine
from overtone.nn.activations._registry import build_activation
from overtone.nn.encodings import Gaussian, Learned, Periodic, Positional, PowerLaw
from overtone.nn.encodings._base import cosine_window
from overtone.units._bandwidth import (
    _mean_cosine,
    gabor_bandwidth,
    gauss_bandwidth,
    hat_bandwidth,
    multiquadratic_bandwidth,
    quadratic_bandwidth,
    rectified_bandwidth,
    sinc_bandwidth,
    wavelet_bandwidth,
)
from overtone.units._grids import Interpolation, lattice_bandwidth, lattice_levels, lattice_range


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("gauss", lambda z: np.exp(-((30 * z) ** 2))),
        ("gabor", lambda z: np.cos(10 * z) * np.exp(-((10 * z) ** 2))),
        ("finer", lambda z: np.sin(30 * (np.abs(z) + 1) * z)),
        ("sinc", lambda z: np.sin(30 * z) / (30 * z)),
        ("hat", lambda z: np.maximum(0, np.minimum(z, 2 - z))),
        ("quadratic", lambda z: 1 / (1 + (10 * z) ** 2)),
        ("multiquadratic", lambda z: 1 / np.sqrt(1 + (10 * z) ** 2)),
    ],
)
def test_each_name_is_its_function(name, reference):
    z = np.linspace(-3, 3, 62)
    found = build_activation(Activation(name))(torch.from_numpy(z)).numpy()
    # arguments up to 30 * 4 * 3 radians, known to 2^-53 of themselves
    np.testing.assert_allclose(found, reference(z), rtol=1e-12, atol=360 * 2**-50)


def test_the_complex_activation_is_that_of_complex_numbers():
    z = torch.randn(5, 4, dtype=torch.complex128, generator=torch.Generator().manual_seed(0)) * 0.05
    expected = torch.exp(20j * z - (30 * z).abs().square())
    found = ComplexGabor()(torch.view_as_real(z).flatten(-2))
    torch.testing.assert_close(found, torch.view_as_real(expected).flatten(-2))
    assert found.abs().max() <= math.exp((20 / 60) ** 2)


def test_a_complex_network_begins_as_one_of_complex_layers():
    network = MLP(2, 3, 8, 2, Activation.COMPLEX_GABOR, seed=1).double()
    first, hidden, last = network.linears
    x = torch.rand(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def pair(linear: nn.Linear) -> torch.Tensor:
        return torch.complex(linear.weight[0::2, 0::2], linear.weight[1::2, 0::2])

    z = torch.complex(x @ first.weight[0::2].T + first.bias[0::2], torch.zeros(6, 4, dtype=torch.float64))
    h = torch.exp(20j * z - (30 * z).abs().square())
    z = h @ pair(hidden).T + torch.complex(hidden.bias[0::2], hidden.bias[1::2])
    h = torch.exp(20j * z - (30 * z).abs().square())
    expected = (h @ torch.complex(last.weight[:, 0::2], -last.weight[:, 1::2]).T).real + last.bias
    torch.testing.assert_close(network(x), expected)
    assert pair(hidden).real.abs().max() <= 1 / math.sqrt(4)
    with pytest.raises(InputError, match="ComplexGabor: expected an even width"):
        MLP(2, 3, 7, 2, Activation.COMPLEX_GABOR)


@pytest.mark.filterwarnings("ignore::UserWarning")  # a process group of one warns of its host name
def test_the_complex_activation_trains_distributed(tmp_path: Path):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'meeting'}", rank=0, world_size=1
    )
    try:
        plain = MLP(2, 1, 8, 2, Activation.COMPLEX_GABOR)
        shared = DistributedDataParallel(copy.deepcopy(plain))
        x = torch.rand(16, 2, generator=torch.Generator().manual_seed(0))
        for network in (plain, shared):
            network(x).square().sum().backward()
        for one, other in zip(plain.parameters(), shared.module.parameters(), strict=True):
            torch.testing.assert_close(one.grad, other.grad)
    finally:
        torch.distributed.destroy_process_group()


def test_finer_begins_with_its_biases():
    network = MLP(2, 1, 512, 2, Finer(bias=3.0))
    first, later, _ = network.linears
    assert 2.9 < first.bias.abs().max() <= 3.0
    assert first.weight.abs().max() <= 1 / 2
    assert later.weight.abs().max() <= math.sqrt(6 / 512) / 30
    assert later.bias.abs().max() <= 1 / math.sqrt(512)
    assert network.bandwidth[0] > MLP(2, 1, 8, 2, Finer(bias=0.5)).bandwidth[0]


def test_a_detached_period_changes_gradients_and_not_values():
    z = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
    exact, detached = Finer(), Finer(detached=True)
    assert torch.equal(exact(z), detached(z))
    (whole,), (part,) = (torch.autograd.grad(f(z).sum(), z) for f in (exact, detached))
    # d/dz (z + z^2) = 1 + 2 z, against 1 + z
    assert (whole / part).item() == pytest.approx(1.6 / 1.3)


def quantile(power, top: float = 50.0) -> float:
    """q with integral_0^q S + q integral_q^top S / f = 0.9 integral_0^top S, by adaptive quadrature."""
    options = {"limit": 2000, "points": None}
    total = quad(power, 0, top, **options)[0]

    def missing(q: float) -> float:
        return (
            quad(power, 0, q, **options)[0] + q * quad(lambda f: power(f) / f, q, top, **options)[0]
        ) / total - 0.9

    return brentq(missing, 1e-3, 2.0)


@pytest.mark.parametrize(
    ("law", "power"),
    [
        (gauss_bandwidth, lambda f: math.exp(-2 * (math.pi * f) ** 2)),
        (quadratic_bandwidth, lambda f: math.exp(-4 * math.pi * f)),
        (hat_bandwidth, lambda f: np.sinc(f) ** 4),
        (multiquadratic_bandwidth, lambda f: k0(2 * math.pi * f) ** 2 if f > 0 else 1e6),
        (sinc_bandwidth, lambda f: float(f <= 1 / (2 * math.pi))),
    ],
)
def test_laws_are_their_integrals(law, power):
    found = quantile(power, 0.16 if law is sinc_bandwidth else 10.0)
    assert law(3.0, 4) == pytest.approx(3 * found / 2, rel=4e-3)


def test_a_gabor_of_many_waves_is_a_sine_and_of_none_a_bump():
    # a pure line at omega / (2 pi): 0.9 of it
    assert gabor_bandwidth(100.0, 0.5, 1) == pytest.approx(90 / (2 * math.pi), rel=0.01)
    assert gabor_bandwidth(1e-6, 2.0, 1) == pytest.approx(gauss_bandwidth(2.0, 1), rel=1e-3)
    assert wavelet_bandwidth(10.0, 10.0, 2) < wavelet_bandwidth(20.0, 10.0, 2)


@pytest.mark.parametrize("kernel", list(Interpolation))
def test_the_law_of_a_lattice_is_its_kernels_spectrum(kernel):
    t = np.arange(-2048, 2048) / 256
    r = np.abs(t)
    shape = {
        Interpolation.LINEAR: np.clip(1 - r, 0, None),
        Interpolation.SMOOTHSTEP: np.where(r < 1, 1 - 3 * r**2 + 2 * r**3, 0),
        Interpolation.CUBIC: np.where(r < 1, 2 / 3 - r**2 + r**3 / 2, np.clip(2 - r, 0, None) ** 3 / 6),
    }[kernel]
    power = np.abs(np.fft.rfft(shape, 1 << 20)) ** 2
    f = np.fft.rfftfreq(1 << 20, 1 / 256)
    expected = np.interp(0.9, np.cumsum(power) / power.sum(), f)
    assert lattice_bandwidth([10.0], kernel) == pytest.approx(10 * expected, rel=0.005)


def test_a_lattice_is_given_the_range_it_needs():
    for kernel in Interpolation:
        for wanted in (0.5, 6.0, 80.0):
            low, high = lattice_range(wanted, 16.0, 8, kernel)
            found = lattice_bandwidth(lattice_levels(low, high, 8), kernel)
            assert found == pytest.approx(wanted, rel=1e-6)
            assert low <= 16


def test_a_rectifier_adds_its_orders():
    """Normal frequencies: the orders k of max(0, z) have spreads sigma sqrt(k) and powers from its Hermite series."""
    odd = [
        math.prod(range(1, 2 * k - 2, 2)) ** 2 / (2 * math.pi * math.factorial(2 * k)) for k in range(1, 30)
    ]
    orders = {1: 1 / 4} | {2 * k: power for k, power in enumerate(odd, start=1)}
    normal = units.gaussian_bandwidth(1.0)

    def missing(q: float) -> float:
        shares = [p * math.erf(q / math.sqrt(2 * k)) for k, p in orders.items()]
        return sum(shares) / sum(orders.values()) - 0.9

    expected = brentq(missing, normal, 3 * normal)
    even = [NormalDist().inv_cdf((i + 0.5) / 512) for i in range(512)]
    # right to 1/256 of the highest frequency, 3.1
    assert rectified_bandwidth(even, np.ones(512)) == pytest.approx(expected, abs=0.02)
    assert rectified_bandwidth([1.0], [1.0]) == pytest.approx(2.0, abs=1.0)
    assert rectified_bandwidth([0.0], [1.0]) == 0.0


def test_the_mean_of_cosines_is_that_of_every_cosine() -> None:
    rng = np.random.default_rng(0)
    frequencies, weights = rng.uniform(0, 1, 7), rng.uniform(0, 1, 7)
    lags = np.arange(1000) / 16
    direct = np.cos(2 * np.pi * lags[:, None] * frequencies) @ weights
    # Angles up to 400 radians are rounded to 400 eps, in both.
    np.testing.assert_allclose(
        _mean_cosine(frequencies, weights, 1000, 16.0), direct, atol=7 * 2 * 400 * 2.3e-16
    )


def test_power_laws_are_those_of_the_paper():
    encoding = PowerLaw(1, 5, 1.5)
    x = torch.rand(9, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    j = torch.arange(1, 6, dtype=torch.float64)
    angle = 2 * math.pi * x * j
    expected = torch.cat([angle.cos(), angle.sin()], -1) * (j**-1.5).repeat(2)
    # amplitudes are stored in float32
    torch.testing.assert_close(encoding(x), expected, rtol=0, atol=2**-24)
    assert PowerLaw(1, 50, 0.0).bandwidth == (45.0,)
    assert PowerLaw(1, 50, 20.0).bandwidth == (1.0,)
    assert PowerLaw.from_bandwidth(2, 50, 1.0, [8.0, 3.0]).bandwidth == pytest.approx((8.0, 3.0))
    with pytest.raises(InputError, match="power: expected a finite decay of at least 0"):
        PowerLaw(1, 4, -1.0)


def test_the_window_on_octaves_is_barfs():
    octaves = Positional.octaves(1, 6).frequencies
    for alpha in (0.0, 0.3, 2.0, 3.7, 6.0):
        k = torch.arange(6)
        expected = (1 - torch.cos(math.pi * (alpha - k).clamp(0, 1))) / 2
        torch.testing.assert_close(cosine_window(octaves, 2**alpha), expected, rtol=0, atol=1e-6)


def test_a_window_may_differ_between_axes():
    encoding = Positional([[1.0, 8.0], [1.0, 8.0]])
    encoding.window([100.0, 4.0])
    assert encoding.gain.tolist() == [1, 1, 1, 0]
    assert encoding.bandwidth == (8.0, 1.0)
    with pytest.raises(InputError, match=r"cutoff: expected one number or one per axis \(2\)"):
        encoding.window([1.0, 2.0, 3.0])


def test_states_from_before_windows_are_taken():
    stored = Gaussian(2, 8, 3.0, seed=1).state_dict()
    del stored["gain"]
    other = Gaussian(2, 8, 3.0, seed=2)
    other.window(1.0)
    other.load_state_dict(stored)
    x = torch.rand(3, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(other(x), Gaussian(2, 8, 3.0, seed=1)(x))


@pytest.mark.parametrize("build", [lambda: Learned(2, 32, 5.0), lambda: Periodic(2, 5.0)])
def test_trained_frequencies_stay_within_bounds_and_in_float32(build):
    encoding = build().half()
    assert encoding.free.dtype == torch.float32
    limit = encoding.limit.max().item()
    optimizer = torch.optim.SGD([encoding.free], lr=1e4)
    x = torch.rand(16, 2, generator=torch.Generator().manual_seed(0))
    begun = encoding.free.detach().clone()
    for _ in range(5):
        optimizer.zero_grad()
        encoding(x, torch.float32).sum().backward()
        optimizer.step()
    waves = encoding.frequencies if isinstance(encoding, Learned) else encoding.wave_frequencies
    assert (encoding.free - begun).abs().max() > limit
    assert waves.abs().max() <= limit * (1 + 2**-23)


def test_learned_frequencies_begin_as_random_ones():
    # tanh bends those below half the limit by nothing, since its inverse is taken first
    torch.testing.assert_close(
        Learned(2, 64, [5.0, 9.0], seed=3).frequencies,
        Gaussian(2, 64, [5.0, 9.0], seed=3).frequencies,
        rtol=1e-4,
        atol=1e-4,
    )


def test_frequencies_can_be_learned():
    """A wave between the frequencies that were drawn is found by moving one."""
    x = torch.linspace(0, 1, 64)[:, None]
    target = torch.cos(2 * math.pi * 3.4 * x)
    errors = []
    for encoding in (Learned(1, 1, 4.0, seed=1), Gaussian(1, 1, 4.0, seed=1)):
        start = 3.0 / encoding.frequencies.abs().max().item()
        encoding.rescale(start)
        head = torch.nn.utils.skip_init(nn.Linear, 2, 1, bias=False)
        head.weight.data.fill_(0.5)
        both = nn.Sequential(encoding, head)
        optimizer = torch.optim.Adam(parameter_groups(both, 0.02))
        for _ in range(400):
            optimizer.zero_grad()
            loss = (both(x) - target).square().mean()
            loss.backward()
            optimizer.step()
        errors.append(loss.item())
    assert errors[0] < 1e-3 < 0.05 < errors[1]


def test_groups_carry_each_parameter_once():
    body = nn.Sequential(Periodic(3, 0.1), nn.Linear(72, 4))
    groups = parameter_groups(body, 1e-3)
    assert [g["lr"] for g in groups] == [1e-3, pytest.approx(1e-4)]
    assert sum(len(g["params"]) for g in groups) == len(list(body.parameters()))
    body[1].requires_grad_(False)
    assert len(parameter_groups(body, 1e-3)[0]["params"]) == 2


def test_periodic_begins_as_its_reference():
    encoding = Periodic(400, 0.5, 48, 24, seed=2)
    waves = encoding.wave_frequencies.detach()
    # the share of U(-1, 1)-free normal draws beyond 3 sigma is cut, so the standard deviation is 0.9866 sigma
    assert waves.abs().max() <= 1.5 * (1 + 1e-5)
    assert waves.std().item() == pytest.approx(0.9866 * 0.5, rel=4 * math.sqrt(1 / (2 * 400 * 48)))
    assert encoding.weight.abs().max() <= 1 / math.sqrt(96)
    x = torch.randn(5, 400, generator=torch.Generator().manual_seed(0))
    feature = 17
    angle = 2 * math.pi * x[:, feature, None] * waves[feature]
    mixed = torch.cat([angle.cos(), angle.sin()], -1) @ encoding.weight[feature].T + encoding.bias[feature]
    found = encoding(x).reshape(5, 400, 24)[:, feature]
    # phases of up to 5 cycles in float32, 96 terms of size 0.1
    torch.testing.assert_close(found, mixed.clamp(min=0), rtol=0, atol=96 * 0.1 * 2 * math.pi * 5 * 2**-22)


def test_settings_must_be_positive():
    for build in (lambda: Gabor(scale=0.0), lambda: Finer(bias=-1.0), lambda: Hat(math.nan)):
        with pytest.raises(InputError, match="expected a positive finite number"):
            build()
    assert repr(Gabor()) == "Gabor(omega=10, scale=10)"
    assert Sine(30.0).with_bandwidth(7.0, 2).bandwidth(2) == pytest.approx(7.0)
