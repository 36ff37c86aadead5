from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from overtone.errors import InputError
from overtone.nn import MLP, ResidualMLP
from overtone.nn.activations import Sine
from overtone.theory import ntk
from overtone.theory.ntk import empirical_ntk
from overtone.theory.ntk._empirical.inner_products import OutputLayout
from tests.theory.ntk.slow import error, seeded

DUALS = {
    "relu": (ntk.DualActivation.relu(), torch.relu),
    "leaky relu": (ntk.DualActivation.leaky_relu(0.2), lambda z: nn.functional.leaky_relu(z, 0.2)),
    "absolute": (ntk.DualActivation.leaky_relu(-1.0), torch.abs),
    "erf": (ntk.DualActivation.erf(), torch.erf),
    "sine": (ntk.DualActivation.sine(1.5, 0.3), lambda z: torch.sin(1.5 * z + 0.3)),
    "cosine": (ntk.DualActivation.cosine(2.0), lambda z: torch.cos(2 * z)),
    "bump": (ntk.DualActivation.gaussian(0.8), lambda z: torch.exp(-((0.8 * z) ** 2))),
    "gelu": (ntk.DualActivation.gelu(), nn.functional.gelu),
    "tanh": (ntk.DualActivation.tanh(), torch.tanh),
}
COVARIANCES = [(1.3, 0.7, 0.6), (2.0, 1.5, -1.0), (1.0, 1.0, 0.999), (0.4, 3.0, 0.0)]


def scalars(*values: float) -> list[torch.Tensor]:
    return [torch.tensor(v, dtype=torch.float64) for v in values]


def slope_of(phi, z: torch.Tensor) -> torch.Tensor:
    z = z.detach().requires_grad_()
    return torch.autograd.grad(phi(z).sum(), z)[0]


@pytest.mark.parametrize("name", DUALS)
def test_expectations_agree_with_monte_carlo(name):
    """2e5 draws: five standard errors of the mean of the draws at hand, which stay below 3e-2."""
    dual, phi = DUALS[name]
    z = torch.randn(2, 200_000, generator=seeded(7), dtype=torch.float64)
    for q11, q22, q12 in COVARIANCES:
        u = math.sqrt(q11) * z[0]
        v = q12 / math.sqrt(q11) * z[0] + math.sqrt(q22 - q12**2 / q11) * z[1]
        drawn = [(phi(u) * phi(v)), slope_of(phi, u) * slope_of(phi, v), phi(u)]
        q = scalars(q11, q22, q12)
        for values, closed in zip(
            drawn, [dual.covariance(*q), dual.derivative(*q), dual.mean(q[0])], strict=True
        ):
            bound = 5 * float(values.std()) / math.sqrt(len(values))
            assert bound < 5e-2
            assert abs(float(values.mean() - closed)) < bound + 1e-12


@pytest.mark.parametrize("name", DUALS)
def test_expectations_of_one_variable_are_those_of_a_pair_that_agrees(name):
    """On the diagonal the pair is one Gaussian: a one-dimensional integral by 2e5 trapezoids over 12
    deviations, none of which has a node on the kink at 0."""
    dual, phi = DUALS[name]
    x = torch.linspace(-12, 12, 200_000, dtype=torch.float64)
    density = torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    for q in (0.3, 1.0, 1.7):
        u = math.sqrt(q) * x
        for function, found in (
            (phi(u) ** 2, dual.covariance(*scalars(q, q, q))),
            (slope_of(phi, u) ** 2, dual.derivative(*scalars(q, q, q))),
            (phi(u), dual.mean(*scalars(q))),
        ):
            assert float(found) == pytest.approx(float(torch.trapezoid(function * density, x)), abs=5e-6)


@pytest.mark.parametrize("theta", [1e-3, 1e-5, 1e-7, math.pi - 1e-5])
def test_relu_beside_the_diagonal(theta):
    """Against 50 digits. q12 is rounded to eps, so the angle, and with it (pi - t) / 2 pi, is off by eps / theta."""
    q12 = math.cos(theta)
    with mpmath.workdps(50):
        t = mpmath.acos(mpmath.mpf(q12))
        derivative = (mpmath.pi - t) / (2 * mpmath.pi)
        covariance = (mpmath.sin(t) + (mpmath.pi - t) * mpmath.cos(t)) / (2 * mpmath.pi)
    dual = ntk.DualActivation.relu()
    eps = np.finfo(float).eps
    near = min(theta, math.pi - theta)
    assert abs(float(dual.derivative(*scalars(1, 1, q12))) - float(derivative)) < 4 * eps / near
    assert abs(float(dual.covariance(*scalars(1, 1, q12))) - float(covariance)) < 16 * eps


@pytest.mark.parametrize(("q", "allowed"), [(1.0, 1e-12), (2.0, 1e-8), (10.0, 1e-3)])
def test_tanh_by_quadrature_is_as_accurate_as_it_says(q, allowed):
    """Against trapezoids a sixth as wide, vectorised."""
    z = torch.linspace(-8, 8, 401, dtype=torch.float64)
    weight = torch.exp(-(z**2) / 2)
    weight = (weight / weight.sum())[:, None] * (weight / weight.sum())
    for r in (0.9 * q, -0.5 * q):
        u = math.sqrt(q) * z[:, None]
        v = r / math.sqrt(q) * z[:, None] + math.sqrt(q - r**2 / q) * z
        exact = float((weight * torch.tanh(u) * torch.tanh(v)).sum())
        slopes = float((weight / (torch.cosh(u) * torch.cosh(v)) ** 2).sum())
        assert abs(float(ntk.DualActivation.tanh().covariance(*scalars(q, q, r))) - exact) < allowed
        assert abs(float(ntk.DualActivation.tanh().derivative(*scalars(q, q, r))) - slopes) < allowed


def test_quadrature_repeats_a_closed_form():
    slope = lambda z: 2 / math.sqrt(math.pi) * torch.exp(-(z**2))  # noqa: E731
    by_nodes, closed = ntk.DualActivation.quadrature(torch.erf, slope), ntk.DualActivation.erf()
    for q in COVARIANCES[:3]:
        assert float(by_nodes.covariance(*scalars(*q))) == pytest.approx(
            float(closed.covariance(*scalars(*q))), abs=1e-5
        )
        assert float(by_nodes.derivative(*scalars(*q))) == pytest.approx(
            float(closed.derivative(*scalars(*q))), abs=1e-3
        )


@pytest.mark.parametrize(
    ("power", "first", "fifth", "fifteenth", "digits"),
    [(0.0, 0.0817, 0.0817, 0.0817, 4), (1.0, 0.325, 0.061, 0.021, 3), (math.inf, 0.426, 0.0188, 0.0037, 3)],
)
def test_eigenvalues_after_power_law_features(power, first, fifth, fifteenth, digits):
    """Frequencies 1..16 of amplitude j^-p on 32 points, 3 hidden ReLU layers without bias, relative to the mean's."""
    j = torch.arange(1, 17, dtype=torch.float64)
    amplitudes = (j == 1).double() if math.isinf(power) else j**-power
    wide = ntk.InfiniteNetwork.fully_connected(
        [ntk.DenseLayer.ntk()] * 4, ntk.DualActivation.relu(), ntk.FeatureMap.fourier(j[:, None], amplitudes)
    )
    x = torch.arange(32, dtype=torch.float64)[:, None] / 32
    spectrum = torch.fft.fft(wide(x, x[:1]).ntk[:, 0]).real
    found = (spectrum / spectrum[0])[[1, 5, 15]].tolist()
    assert found == pytest.approx([first, fifth, fifteenth], abs=0.6 * 10**-digits)


class Scaled(nn.Module):
    """A dense layer in the NTK parameterisation."""

    def __init__(
        self, fan_in: int, fan_out: int, sigma_w: float, sigma_b: float, source: torch.Generator
    ) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(fan_out, fan_in, generator=source))
        self.b = nn.Parameter(torch.randn(fan_out, generator=source))
        self.sigma_w, self.sigma_b = sigma_w, sigma_b

    def forward(self, x):
        return nn.functional.linear(x, self.sigma_w / math.sqrt(x.shape[-1]) * self.w, self.sigma_b * self.b)


class Elementwise(nn.Module):
    def __init__(self, phi) -> None:
        super().__init__()
        self.phi = phi

    def forward(self, x):
        return self.phi(x)


def sampled(build, x, seeds: int) -> torch.Tensor:
    return torch.stack([empirical_ntk(build(seed), x).matrix for seed in range(seeds)])


@pytest.mark.parametrize("name", ["relu", "leaky relu", "erf", "sine", "cosine", "bump", "gelu", "tanh"])
def test_finite_networks_approach_the_limit_as_one_over_root_width(name):
    """Over 16 fold width the root mean square error of single networks must fall 4 fold, with the spread of 10 draws:
    a ratio of two root mean squares over 10 seeds scatters by sqrt(2 / 20) = 0.32, so 4 x/÷ e^(2.5 x 0.32)."""
    dual, phi = DUALS[name]
    x = torch.randn(4, 3, generator=seeded(1))
    wide = ntk.InfiniteNetwork.fully_connected([ntk.DenseLayer.ntk(1.3, 0.5)] * 3, dual)
    limit = wide(x).ntk

    def build(width):
        def make(seed):
            g = seeded(1000 + seed)
            sizes = [(3, width), (width, width), (width, 1)]
            layers = [Scaled(a, b, 1.3, 0.5, g) for a, b in sizes]
            return nn.Sequential(layers[0], Elementwise(phi), layers[1], Elementwise(phi), layers[2])

        return make

    rms = [
        float((sampled(build(w), x, 10) - limit).square().mean().sqrt() / limit.abs().mean())
        for w in (16, 256)
    ]
    assert 4 / 2.2 < rms[0] / rms[1] < 4 * 2.2
    assert rms[1] < 0.5


def unbiased(found: torch.Tensor, limit: torch.Tensor, bias: float) -> None:
    """The mean over seeds is the limit within five standard errors and a bias of order 1 / width."""
    spread = found.std(0) / math.sqrt(len(found))
    assert bool(((found.mean(0) - limit).abs() < 5 * spread + bias * limit.abs()).all())
    assert float(spread.max() / limit.abs().max()) < 0.08


@pytest.mark.parametrize("bias", [True, False])
def test_pytorch_sequential_at_its_initialisation(bias):
    """Fan-in by fan-in: the tangent kernel in absolute numbers. 40 inputs make the first layer nearly Gaussian."""
    x = torch.randn(4, 40, generator=seeded(1))

    def build(seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return nn.Sequential(
                nn.Linear(40, 200, bias=bias),
                nn.ReLU(),
                nn.Linear(200, 300, bias=bias),
                nn.GELU(),
                nn.Linear(300, 1),
            )

    unbiased(sampled(build, x, 10), ntk.InfiniteNetwork.from_torch(build(0))(x).ntk, 0.02)


@pytest.mark.parametrize(
    ("kind", "activation"),
    [(MLP, nn.ReLU()), (ResidualMLP, nn.ReLU()), (ResidualMLP, nn.Tanh()), (MLP, Sine(3.0))],
)
def test_overtone_networks_at_their_initialisation(kind, activation):
    x = torch.randn(4, 30, generator=seeded(2))

    def build(seed):
        return kind(30, 1, width=256, depth=3, activation=activation, seed=seed)

    unbiased(sampled(build, x, 10), ntk.InfiniteNetwork.from_torch(build(0))(x).ntk, 0.03)


def test_a_gaussian_process_is_what_outputs_of_random_networks_are():
    x = torch.randn(3, 30, generator=seeded(2))
    network = lambda seed: ResidualMLP(30, 64, width=256, depth=3, seed=seed)  # noqa: E731
    with torch.no_grad():
        outputs = torch.cat([network(seed)(x) for seed in range(40)], 1)
    drawn = (outputs[:, None] * outputs[None]).mean(-1)
    assert error(drawn, ntk.InfiniteNetwork.from_torch(network(0))(x).nngp) < 5 * math.sqrt(
        2 / (40 * 64)
    ) + 5 / math.sqrt(40 * 256)


@final
@dataclass(frozen=True)
class WithoutMean(ntk.DualActivation):
    inner: ntk.DualActivation

    def covariance(self, q11, q22, q12):
        return self.inner.covariance(q11, q22, q12)

    def derivative(self, q11, q22, q12):
        return self.inner.derivative(q11, q22, q12)

    def mean(self, q):
        return torch.zeros_like(q)


def test_residual_needs_the_product_of_the_means():
    """Negative control: without the means the limit of a residual ReLU network is not that of the networks."""
    x = torch.randn(3, 30, generator=seeded(2))
    with torch.no_grad():
        outputs = torch.cat([ResidualMLP(30, 64, width=256, depth=3, seed=seed)(x) for seed in range(30)], 1)
    drawn = outputs @ outputs.mT / outputs.shape[1]
    first, later = ntk.DenseLayer.pytorch(30), ntk.DenseLayer.pytorch(256)

    def limit(dual):
        steps = (ntk.InfiniteNetwork.residual_block(later, dual),) * 2
        return ntk.InfiniteNetwork((first, dual, *steps, later))(x).nngp

    noise = 5 * math.sqrt(2 / outputs.shape[1]) + 5 / math.sqrt(30 * 256)
    assert error(drawn, limit(ntk.DualActivation.relu())) < noise
    assert (
        error(limit(WithoutMean(ntk.DualActivation.relu())), limit(ntk.DualActivation.relu())) > 1.5 * noise
    )


def test_uniform_weights_on_two_coordinates_are_not_gaussian():
    """What the documentation of `of` warns of: a visible, but small, difference that width does not remove."""
    t = torch.linspace(0, 2 * math.pi, 7)[:-1]
    x = torch.stack([t.cos(), t.sin()], 1)
    build = lambda seed: MLP(2, 1, width=256, depth=2, seed=seed)  # noqa: E731
    assert error(sampled(build, x, 10).mean(0), ntk.InfiniteNetwork.from_torch(build(0))(x).ntk) < 0.08


def test_known_frequencies_tend_to_the_gaussian_limit():
    x = torch.rand(6, 2, generator=seeded(3), dtype=torch.float64)
    limit = ntk.InfiniteNetwork.fully_connected(
        [ntk.DenseLayer.ntk()] * 3, ntk.DualActivation.relu(), ntk.FeatureMap.gaussian_fourier(1.5)
    )(x).ntk
    errors = []
    for m in (64, 4096):
        drawn = torch.randn(m, 2, generator=seeded(4), dtype=torch.float64) * 1.5
        errors.append(
            error(
                ntk.InfiniteNetwork.fully_connected(
                    [ntk.DenseLayer.ntk()] * 3, ntk.DualActivation.relu(), ntk.FeatureMap.fourier(drawn)
                )(x).ntk,
                limit,
            )
        )
    assert errors[1] < 0.03
    assert errors[1] < 0.4 * errors[0]


def test_fourier_features_are_those_of_the_encoding():
    from overtone.nn.encodings import Gaussian

    encoding = Gaussian(2, 16, 3.0, seed=0)
    x = torch.rand(5, 2, generator=seeded(3))
    features = encoding(x)
    wide = ntk.InfiniteNetwork.from_torch(
        MLP(32, 1, width=64, depth=2), ntk.FeatureMap.fourier(encoding.frequencies)
    )
    on_features = ntk.InfiniteNetwork.from_torch(MLP(32, 1, width=64, depth=2))
    assert error(wide(x).ntk, on_features(features).ntk) < 1e-5


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(sorted(set(DUALS) - {"tanh"})),
    depth=st.integers(0, 5),
    sigma_b=st.floats(0, 1),
    seed=st.integers(0, 2**31),
)
def test_kernels_are_symmetric_and_positive(name, depth, sigma_b, seed):
    x = torch.randn(7, 3, generator=seeded(seed), dtype=torch.float64)
    wide = ntk.InfiniteNetwork.fully_connected(
        [ntk.DenseLayer.ntk(1.2, sigma_b)] * (depth + 1), DUALS[name][0]
    )
    for each in wide(x):
        scale = float(each.diagonal().max()) + 1e-300
        assert torch.allclose(each, each.mT, rtol=0, atol=1e-12 * scale)
        assert float(torch.linalg.eigvalsh(each)[0]) > -1e-7 * scale
    split = wide(x[:3], x)
    assert torch.allclose(split.ntk, wide(x).ntk[:3], rtol=1e-6, atol=1e-7)


def test_depth_zero_is_linear_regression():
    x = torch.randn(5, 3, generator=seeded(0), dtype=torch.float64)
    linear = ntk.InfiniteNetwork.from_torch(nn.Sequential(nn.Linear(3, 1)))(x)
    assert error(linear.ntk, x @ x.mT + 1) < 1e-14
    assert error(linear.nngp, (x @ x.mT + 1) / 9) < 1e-14
    assert (
        error(
            empirical_ntk(nn.Linear(3, 2).double(), x, outputs=OutputLayout.PER_OUTPUT).matrix[1], linear.ntk
        )
        < 1e-14
    )


def test_precision_and_gradients_follow_the_samples():
    x = torch.randn(5, 3, generator=seeded(0)).requires_grad_()
    found = ntk.InfiniteNetwork.fully_connected([ntk.DenseLayer.ntk()] * 3, ntk.DualActivation.gelu())(x)
    assert found.ntk.dtype == torch.float32
    assert torch.isfinite(torch.autograd.grad(found.ntk.sum(), x)[0]).all()


def test_zero_samples_do_not_divide_by_zero():
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    for dual, _ in DUALS.values():
        found = ntk.InfiniteNetwork.fully_connected([ntk.DenseLayer.ntk(1.0, 0.0)] * 3, dual)(x)
        assert torch.isfinite(found.ntk).all()
        assert torch.isfinite(found.nngp).all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: ntk.InfiniteNetwork((ntk.DualActivation.erf(), ntk.DenseLayer.ntk())),
            "begins and ends with a dense layer",
        ),
        (
            lambda: ntk.InfiniteNetwork.residual_block(ntk.DualActivation.erf()),
            "a dense layer parallel to the skip connection",
        ),
        (lambda: ntk.DenseLayer.ntk(math.nan), "weight: expected a finite number"),
        (lambda: ntk.DenseLayer.standard(0), "a fan-in of at least 1"),
        (lambda: ntk.DualActivation.leaky_relu(math.inf), "a finite slope"),
        (
            lambda: ntk.InfiniteNetwork.from_torch(nn.Sequential(nn.Linear(2, 2), nn.ELU(), nn.Linear(2, 1))),
            r"got ELU\(alpha=1.0\)",
        ),
        (lambda: ntk.InfiniteNetwork.from_torch(nn.LSTM(2, 2)), "an nn.Sequential, got LSTM"),
        (
            lambda: ntk.InfiniteNetwork((ntk.DenseLayer.ntk(),))(torch.ones(3)),
            r"\(N, d\) and \(M, d\) samples",
        ),
        (lambda: ntk.FeatureMap.fourier(torch.ones(3)), r"\(m, d\) frequencies"),
        (lambda: ntk.FeatureMap.fourier(torch.ones(3, 2), torch.ones(2)), "3 amplitudes"),
        (
            lambda: ntk.InfiniteNetwork((ntk.DenseLayer.ntk(),), ntk.FeatureMap.fourier(torch.ones(3, 2)))(
                torch.ones(4, 1)
            ),
            "samples of 2 coordinates, got 1",
        ),
        (lambda: ntk.DualActivation.quadrature(torch.tanh, torch.tanh, 1), "at least 2 quadrature nodes"),
    ],
)
def test_wrong_input_is_named(build, message):
    with pytest.raises(InputError, match=message):
        build()
