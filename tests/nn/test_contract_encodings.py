"""What every encoding and every activation promises, by one suite."""

from __future__ import annotations

import copy
import io
import math
import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from overtone import nn, spectra
from overtone.errors import InputError
from overtone.nn import encodings
from overtone.nn.activations import Activation
from overtone.nn.activations._base import SpectralActivation
from overtone.nn.activations._registry import build_activation
from overtone.nn.encodings import Interpolation
from overtone.nn.encodings._base import Rescalable, Windowed
from overtone.nn.encodings._grids import MultiResolution

LINEAR, SMOOTH, CUBIC = Interpolation

BUILD: dict[str, Callable[[int], encodings.Encoding]] = {
    "identity": lambda _: encodings.Identity(2),
    "basic": lambda _: encodings.Basic(2),
    "positional": lambda _: encodings.Positional.log_linear(2, 32, [6.0, 5.0]),
    "octaves": lambda _: encodings.Positional.octaves(2, [5, 6]),
    "gaussian": lambda seed: encodings.Gaussian(2, 128, [20.0, 8.0], seed),
    "power": lambda _: encodings.PowerLaw(2, 40, 0.5, [1.0, 2.0]),
    "learned": lambda seed: encodings.Learned(2, 128, [20.0, 8.0], seed),
    "periodic": lambda seed: encodings.Periodic(2, [12.0, 6.0], 48, 12, seed),
    "hash": lambda seed: encodings.HashGrid(2, [120.0, 60.0], 8.0, 6, 2, 9, LINEAR, seed),
    "hash-smooth": lambda seed: encodings.HashGrid(2, 90.0, 8.0, 6, 2, 9, SMOOTH, seed),
    "dense": lambda seed: encodings.DenseGrid(2, [90.0, 60.0], 8.0, 4, 2, LINEAR, seed),
    "dense-cubic": lambda seed: encodings.DenseGrid(2, 90.0, 8.0, 4, 2, CUBIC, seed),
    "triplane": lambda seed: encodings.Triplane([90.0, 60.0, 70.0], 8, LINEAR, seed),
    "triplane-cubic": lambda seed: encodings.Triplane(90.0, 8, CUBIC, seed),
}
"""Each encoding at a size that is quick, from a seed."""

ROUGH = {"hash", "dense", "triplane", "periodic"}
"""Piecewise linear: no second derivatives promised."""

RANDOM = set(BUILD) - {"identity", "basic", "positional", "octaves", "power"}
REACHING = [a for a in Activation if isinstance(build_activation(a), SpectralActivation)]

EVERY = pytest.mark.parametrize("name", BUILD)
WITH_BANDWIDTH = pytest.mark.parametrize("name", [n for n in BUILD if n != "identity"])
ACTIVATIONS = pytest.mark.parametrize("kind", list(Activation), ids=lambda a: a.value)
REACHING_ONES = pytest.mark.parametrize("kind", REACHING, ids=lambda a: a.value)


def points(axes: int, count: int = 7, seed: int = 0) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.rand(count, axes, dtype=torch.float64, generator=source) * 0.98 + 0.01


def same(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one, other)


@EVERY
def test_shapes_and_precisions(name):
    encoding = BUILD[name](0)
    x = points(encoding.in_features, 6)
    exact = encoding(x)
    assert exact.shape == (6, encoding.out_features)
    assert encoding(x.reshape(2, 3, -1)).shape == (2, 3, encoding.out_features)
    assert encoding(x[0]).shape == (encoding.out_features,)
    assert encoding(x[:0]).shape == (0, encoding.out_features)
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        assert encoding(x.to(dtype)).dtype == dtype
        assert encoding(x, dtype).dtype == dtype
    size = exact.abs().max()
    # float32 coordinates are off by 2^-25; 40 cycles or 120 cells of slope 2 pi multiply that, sums by sqrt(m)
    assert (encoding(x.float()).double() - exact).abs().max() <= size * 2 * math.pi * 120 * 2**-24 * 8
    # bfloat16 features are rounded to 8 bits, and nothing else is
    assert (encoding(x, torch.bfloat16).double() - encoding(x, torch.float32)).abs().max() <= size * 2**-8
    assert encoding.describe()


@EVERY
def test_casting_the_network_keeps_frequencies(name):
    encoding = BUILD[name](0)
    x = points(encoding.in_features)
    exact, size = encoding(x), encoding(x).abs().max()
    for cast in (torch.float16, torch.bfloat16, torch.float64):
        moved = copy.deepcopy(encoding).to(cast)
        assert moved.bandwidth == encoding.bandwidth
        # weights and node values rounded to 8 bits (or left alone), phases untouched; mixing 96 of them sums up
        assert (moved(x) - exact).abs().max() <= size * 2**-8 * (10 if name == "periodic" else 1)


@EVERY
def test_moves_to_the_meta_device(name):
    encoding = BUILD[name](0).to("meta")
    found = encoding(torch.empty(5, encoding.in_features, device="meta"), torch.float32)
    assert found.shape == (5, encoding.out_features)
    assert found.device.type == "meta"


@EVERY
def test_derivatives(name):
    encoding = small(name).double()
    x = points(encoding.in_features, 3, seed=1).requires_grad_()
    parameters = [p for p in encoding.parameters() if p.requires_grad]
    for p in parameters:
        p.data = p.data.double()  # trained frequencies stay float32, too coarse for numerical derivatives
        if p.ndim == 2 and p.shape[1] <= 8:
            p.data.mul_(0.1 / p.data.abs().max())

    def function(coords: Tensor, *_: Tensor) -> Tensor:
        return encoding(coords)

    quick = {"atol": 1e-3, "rtol": 1e-3, "fast_mode": True}  # a random direction instead of each entry
    assert torch.autograd.gradcheck(function, (x, *parameters), **quick)
    if name not in ROUGH:
        assert torch.autograd.gradgradcheck(function, (x, *parameters), **quick)


def small(name: str) -> encodings.Encoding:
    """The same at a size that numerical derivatives can take."""
    grid = {"coarsest": 2.0, "levels": 2, "features": 2}
    return (
        {
            "identity": lambda: encodings.Identity(2),
            "basic": lambda: encodings.Basic(2),
            "positional": lambda: encodings.Positional.log_linear(2, 3, 2.0),
            "octaves": lambda: encodings.Positional.octaves(2, 2),
            "gaussian": lambda: encodings.Gaussian(2, 4, 2.0),
            "power": lambda: encodings.PowerLaw(2, 3, 1.0),
            "learned": lambda: encodings.Learned(2, 4, 1.0),
            "periodic": lambda: encodings.Periodic(2, 0.3, 3, 2),
            "hash": lambda: encodings.HashGrid(2, 5.0, **grid, log2_rows=4),
            "hash-smooth": lambda: encodings.HashGrid(2, 5.0, **grid, log2_rows=4, kernel=SMOOTH),
            "dense": lambda: encodings.DenseGrid(2, 4.0, **grid),
            "dense-cubic": lambda: encodings.DenseGrid(2, 4.0, **grid, kernel=CUBIC),
            "triplane": lambda: encodings.Triplane(3.0, 2),
            "triplane-cubic": lambda: encodings.Triplane(3.0, 2, CUBIC),
        }[name]()
        .double()
        .float()
    )


@EVERY
def test_state_round_trip(name):
    stored, other = BUILD[name](1), BUILD[name](2)
    if isinstance(stored, Windowed):
        stored.window(10.0)
    file = io.BytesIO()
    torch.save(stored.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    x = points(stored.in_features)
    assert same(stored(x), other(x))
    assert stored.bandwidth == other.bandwidth


@EVERY
def test_drawn_from_the_seed_alone(name):
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    first = BUILD[name](3)
    first(points(first.in_features))
    assert same(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert random.getstate() == before[2]
    with torch.random.fork_rng():
        torch.manual_seed(99)
        second = BUILD[name](3)
    x = points(first.in_features)
    assert same(first(x), second(x))
    assert same(first(x), BUILD[name](4)(x)) == (name not in RANDOM)


def measured(features: list[Callable[[Tensor], Tensor]], length: float, samples: int = 1024) -> float:
    """Frequency below which 90 % of the power lies of all features of all draws, the constant left out."""
    spacing = length / samples
    line = (torch.arange(samples, dtype=torch.float64) + 0.5) * spacing
    edges = [0.0, *((torch.arange(samples) + 0.5) / (2 * length)).tolist()]
    with torch.no_grad():
        values = torch.cat([draw(line) for draw in features], dim=-1)
    power = spectra.axis_grid(values, 0, (spacing, 1.0), bands=edges).power[:, 0]
    power[0] = 0.0
    reached = (power.cumsum(0) / power.sum()).numpy()
    return float(np.interp(0.9, reached, np.arange(len(reached)) / (2 * length)))


def along(encoding: encodings.Encoding, axis: int, others: Tensor, stretch: float = 1.0):
    def features(line: Tensor) -> Tensor:
        coords = others.repeat(len(line), 1)
        coords[:, axis] = line * stretch
        return encoding(coords)

    return features


SCATTER = {"gaussian": 0.1, "learned": 0.1, "periodic": 0.08, "power": 0.02, "positional": 0.15}
"""Relative tolerance: four standard errors of the 90 % quantile q from m draws, 4 sqrt(0.09 / m) / (q p(q)), p the
density there. Of 10 x 128 normal frequencies that is 9.9 %; stated from the drawn ones, as for trained frequencies, it
is less. Grids have thousands of node values: 5 %. Lists are exact up to the gap to the next frequency, 2^(6 / 31) for
the log-linear one.
"""


@WITH_BANDWIDTH
def test_the_bandwidth_is_that_of_the_features(name):
    seeds = range(10 if name in RANDOM else 1)
    draws = [BUILD[name](seed) for seed in seeds]
    axes = draws[0].in_features
    for axis in range(axes):
        lines = [along(e, axis, points(axes, 1, seed=s)) for s, e in zip(seeds, draws, strict=True)]
        found = measured(lines, 1.0)
        stated = np.mean([e.bandwidth[axis] for e in draws])
        # a frequency between two cosines of the even extension spreads over one cycle
        assert found == pytest.approx(stated, rel=SCATTER.get(name, 0.05), abs=1.0), (name, axis)


@WITH_BANDWIDTH
def test_a_copy_reaches_what_is_asked_and_the_original_stays(name):
    encoding = BUILD[name](0)
    axes, before = encoding.in_features, encoding.bandwidth
    wanted = (40.0, 24.0, 30.0)[:axes]
    new = nn.with_bandwidth(encoding, wanted)
    assert type(new) is type(encoding)
    assert new.bandwidth == pytest.approx(wanted, rel=1e-6)
    assert encoding.bandwidth == before
    assert nn.with_bandwidth(encoding, 25.0).bandwidth == pytest.approx((25.0,) * axes, rel=1e-6)
    draws = [drawn(name, wanted, seed) for seed in range(10 if name in RANDOM else 1)]
    for axis in range(axes):
        found = measured([along(e, axis, points(axes, 1, seed=s)) for s, e in enumerate(draws)], 1.0)
        assert found == pytest.approx(wanted[axis], rel=max(0.08, SCATTER.get(name, 0)), abs=1.0), (
            name,
            axis,
        )


def drawn(name: str, wanted: tuple[float, ...], seed: int) -> encodings.Encoding:
    encoding = BUILD[name](seed)
    fresh = isinstance(encoding, MultiResolution | encodings.Triplane)
    return encoding.with_bandwidth(wanted, seed) if fresh else encoding.with_bandwidth(wanted)


def test_a_wrong_bandwidth_would_be_noticed():
    encoding = encodings.HashGrid(2, 120.0, 8.0, 6, 2, 9)
    found = measured([along(encoding, 0, points(2, 1))], 1.0)
    assert found != pytest.approx(60.0, rel=0.1)  # Nyquist of the finest level
    assert found != pytest.approx(units_of(encodings.HashGrid(2, 90.0, 8.0, 6, 2, 9)), rel=0.05, abs=1.0)


def units_of(encoding: encodings.Encoding) -> float:
    assert encoding.bandwidth is not None
    return encoding.bandwidth[0]


WINDOWED = [n for n in BUILD if isinstance(BUILD[n](0), Windowed)]
RESCALED = [n for n in BUILD if isinstance(BUILD[n](0), Rescalable)]


def test_what_can_be_controlled():
    assert set(BUILD) - set(WINDOWED) == {"identity", "triplane", "triplane-cubic"}
    assert set(RESCALED) == set(WINDOWED) - {"hash", "hash-smooth", "dense", "dense-cubic"}


@pytest.mark.parametrize("name", WINDOWED)
def test_a_window_fades_and_opens(name):
    encoding = BUILD[name](0)
    x = points(encoding.in_features)
    whole, reach = encoding(x), encoding.bandwidth
    encoding.window(1e9)
    assert same(encoding(x), whole)
    encoding.window(6.0)
    assert all(now <= before for now, before in zip(encoding.bandwidth, reach, strict=True))
    assert encoding(x).square().mean() < whole.square().mean() or name in ("basic",)
    encoding.window(1e-9)
    if name == "periodic":
        torch.testing.assert_close(encoding(x), encoding.bias.relu().flatten().expand(7, -1).double())
    else:
        constant = encoding.frequencies is not None and (encoding.frequencies == 0).all(1)
        moving = encoding(x) if constant is False else encoding(x)[:, ~constant.repeat(2)]
        assert not moving.any()
        assert encoding.bandwidth == (0.0,) * encoding.in_features
        with pytest.raises(InputError, match="bandwidth: expected"):
            encoding.with_bandwidth(-1.0)
    encoding.window(None)
    assert same(encoding(x), whole)
    assert encoding.bandwidth == reach


@pytest.mark.parametrize("name", RESCALED)
def test_rescaling_is_stretching_the_coordinates(name):
    encoding, other = BUILD[name](0), BUILD[name](0)
    axes = encoding.in_features
    factor = torch.tensor([0.5, 0.25], dtype=torch.float64)
    other.rescale(factor)
    x = points(axes)
    # powers of two are exact in every precision, but for the bound of trained frequencies: 40 cycles, 2^-24
    torch.testing.assert_close(other(x), encoding(x * factor), rtol=0, atol=2 * math.pi * 40 * 2**-22)
    assert other.bandwidth == pytest.approx(
        [b * f for b, f in zip(encoding.bandwidth, factor.tolist(), strict=True)], rel=1e-6
    )
    for wrong in (0.0, -1.0, [1.0, 2.0, 3.0], math.nan):
        with pytest.raises(InputError, match="factor: expected"):
            other.rescale(wrong)


@pytest.mark.parametrize("name", ["learned", "hash", "periodic"])
def test_compiles(name):
    encoding = BUILD[name](0)
    x = points(encoding.in_features).float()
    compiled = torch.compile(encoding, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), encoding(x))
    compiled(x).sum().backward()
    assert all(p.grad is not None for p in encoding.parameters())
    torch.compiler.reset()


@pytest.mark.parametrize("name", [n for n in BUILD if n != "identity"])
def test_bad_input_is_named(name):
    encoding = BUILD[name](0)
    with pytest.raises(InputError, match=r"expected coordinates of shape \(..., "):
        encoding(torch.zeros(4, encoding.in_features + 1))
    with pytest.raises(InputError, match="bandwidth: expected positive finite numbers"):
        nn.with_bandwidth(encoding, -3.0)
    with pytest.raises(InputError, match="bandwidth: expected one number or one per axis"):
        nn.with_bandwidth(encoding, [1.0] * 5)


@ACTIVATIONS
def test_activations_keep_shape_and_precision(kind):
    activation = build_activation(kind)
    z = torch.linspace(-0.4, 0.4, 24, dtype=torch.float64).reshape(2, 3, 4)
    exact = activation(z)
    assert exact.shape == z.shape
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        assert activation(z.to(dtype)).dtype == dtype
    assert activation(z.to("meta")).shape == z.shape
    if isinstance(activation, SpectralActivation):
        rounded = z.bfloat16()
        # the argument is what was rounded; the function of it is right to the 8 bits of the result
        error = (activation(rounded).double() - activation(rounded.double())).abs().max()
        assert error <= 2**-8 * exact.abs().max()


@REACHING_ONES
def test_activations_can_be_differentiated_twice(kind):
    activation = build_activation(kind)
    source = torch.Generator().manual_seed(3)
    z = (torch.rand(4, 6, dtype=torch.float64, generator=source) * 0.3 + 0.02).requires_grad_()
    assert torch.autograd.gradcheck(activation, (z,), atol=1e-4)
    if kind is not Activation.HAT:
        assert torch.autograd.gradgradcheck(activation, (z,), atol=1e-3)


@REACHING_ONES
def test_networks_of_it_begin_from_their_seed_and_round_trip(kind):
    before = torch.get_rng_state()
    networks = [nn.MLP(2, 3, 16, 2, kind, seed=s) for s in (1, 1, 2)]
    assert same(torch.get_rng_state(), before)
    x = points(2).float()
    assert same(networks[0](x), networks[1](x))
    assert not same(networks[0](x), networks[2](x))
    networks[2].load_state_dict(networks[0].state_dict())
    assert same(networks[0](x), networks[2](x))
    assert all(p.is_floating_point() for p in networks[0].parameters())


FAST = {
    "sine": 300.0, "finer": 100.0, "gabor": 300.0, "complex-gabor": 300.0, "gauss": 600.0, "sinc": 600.0,
    "hat": 300.0, "quadratic": 600.0, "multiquadratic": 3000.0,
}  # fmt: skip
"""Bandwidths at which a bump is narrow beside the domain, which the laws suppose: settings far above the usual."""

LAW = {"multiquadratic": 0.15, "sine": 0.04}
"""Relative tolerance. Of 10 x 128 uniform slopes the quantile scatters by four standard errors of 3.7 % for pure
sines, where q p(q) = 0.9, and of up to 10 % for bumps, where it is 0.35 and less. A multi-quadratic's tails, 1 / z,
never leave the domain.
"""


@REACHING_ONES
@pytest.mark.parametrize("inputs", [1, 2])
def test_the_bandwidth_of_a_first_layer_is_measured(kind, inputs):
    reach = FAST[kind.value] / 10
    activation = build_activation(kind).with_bandwidth(reach, inputs)
    assert activation.bandwidth(inputs) == pytest.approx(reach, rel=1e-9)
    draws = []
    for seed in range(10):
        network = nn.MLP(inputs, 1, 128, 1, activation, seed=seed).double()
        assert network.bandwidth == pytest.approx((reach,) * inputs)

        def features(line: Tensor, network: nn.MLP = network) -> Tensor:
            coords = torch.zeros(len(line), inputs, dtype=torch.float64)
            coords[:, 0] = line - 1
            return network.activations[0](network.linears[0](coords))

        draws.append(features)
    found = measured(draws, 2.0, 2048)
    assert found == pytest.approx(reach, rel=LAW.get(kind.value, 0.1), abs=0.5)


@REACHING_ONES
def test_networks_and_fields_are_set(kind):
    network = nn.MLP(2, 1, 16, 2, kind)
    new = nn.with_bandwidth(network, 7.0)
    assert new.bandwidth == pytest.approx((7.0, 7.0))
    assert network.bandwidth != new.bandwidth
    assert same(new.linears[0].weight, network.linears[0].weight)
    frame = nn.CoordinateScaling.of((0.0, 0.0), (4.0, 4.0), ("m", "m"), (-1.0, 1.0))
    field = nn.with_bandwidth(nn.Field(encodings.Identity(2), network, frame), 3.0)
    assert field.bandwidth == pytest.approx((3.0, 3.0))
    with pytest.raises(InputError, match="bandwidth: expected one bandwidth for all inputs of a network"):
        nn.with_bandwidth(network, [3.0, 4.0])


def test_what_sets_itself_is_asked():
    network = nn.FourierMFN(2, 1, 8, 2)
    assert nn.with_bandwidth(network, [9.0, 4.0]).bandwidth == pytest.approx((9.0, 4.0), rel=0.01)


def test_a_field_sets_its_encoding():
    frame = nn.CoordinateScaling.of((0.0, 0.0), (4.0, 2.0), ("m", "s"), (0.0, 1.0))
    encoding = encodings.HashGrid(2, 64.0, log2_rows=8)
    field = nn.Field(encoding, nn.MLP(encoding.out_features, 1, 8, 1), frame)
    new = nn.with_bandwidth(field, [5.0, 12.0])
    assert new.bandwidth == pytest.approx((5.0, 12.0))
    assert field.encoding is encoding


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (encodings.Identity(2), "bandwidth: expected an encoding that has a bandwidth"),
        (nn.MLP(2, 1, 8, 1), "bandwidth: expected a first activation that has a frequency, got ReLU"),
        (torch.nn.Linear(2, 1), "bandwidth: expected an encoding, a field, or a network"),
    ],
)
def test_what_cannot_be_set_says_so(module, message):
    with pytest.raises(InputError, match=message):
        nn.with_bandwidth(module, 3.0)


def test_what_has_no_bandwidth():
    assert encodings.Identity(2).bandwidth is None
    assert nn.MLP(2, 1, 8, 1).bandwidth is None
    assert nn.Field(encodings.Identity(2), nn.MLP(2, 1, 8, 1)).bandwidth is None
