"""What every network and layer promises, whatever it computes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn as torch_nn

from overtone import nn
from overtone.errors import InputError
from overtone.nn import layers
from overtone.nn._networks import NetworkBase
from overtone.nn.activations import Activation, Sine

Build = Callable[[int], torch_nn.Module]


@dataclass(frozen=True)
class Case:
    """A module, what it takes and gives, and which promises it does not make."""

    name: str
    build: Build
    shape: tuple[int, ...]
    gives: tuple[int, ...]
    seeded: bool = True
    twice: bool = True


def body(name: str, build: Build, twice: bool = True) -> Case:
    return Case(name, build, (3, 5, 2), (3, 5, 4), twice=twice)


def smooth_conv(seed: int) -> torch_nn.Module:
    return layers.LowPassConv(2, 2, 3, layers.IdealPool(2), activation=torch_nn.Tanh(), seed=seed)


CASES = [
    body("mlp", lambda s: nn.MLP(2, 4, 8, 2, Activation.TANH, seed=s)),
    body("residual", lambda s: nn.ResidualMLP(2, 4, 8, 2, Activation.TANH, seed=s)),
    body("fourier", lambda s: nn.FourierMFN(2, 4, 8, 2, 10.0, seed=s)),
    body("gabor", lambda s: nn.GaborMFN(2, 4, 8, 2, 10.0, seed=s)),
    body("band-limited", lambda s: nn.BandLimited(2, 4, [1.0, (2.0, 3.0), 6.0], 8, seed=s)),
    body("multi-scale", lambda s: nn.MultiScale(2, 4, 8, 2, Sine(10.0), (1, 2), seed=s)),
    body("multi-grade", lambda s: nn.MultiGrade(2, 4, 8, 2, 3, Activation.TANH, seed=s)),
    Case("binomial-1", lambda s: layers.BinomialPool(1, 2, 5), (2, 3, 9), (2, 3, 5), seeded=False),
    Case("binomial-2", lambda s: layers.BinomialPool(2, 2), (2, 3, 6, 7), (2, 3, 3, 4), seeded=False),
    Case("ideal-1", lambda s: layers.IdealPool(1, 3), (2, 3, 9), (2, 3, 3), seeded=False),
    Case(
        "ideal-2", lambda s: layers.IdealPool(2, 2, periodic=True), (2, 3, 6, 8), (2, 3, 3, 4), seeded=False
    ),
    Case(
        "max-pool",
        lambda s: layers.LowPassMaxPool(2, layers.BinomialPool(2)),
        (2, 3, 7, 7),
        (2, 3, 3, 3),
        seeded=False,
    ),
    Case(
        "conv-1", lambda s: layers.LowPassConv(1, 2, 3, layers.BinomialPool(1), seed=s), (2, 2, 8), (2, 3, 4)
    ),
    Case("conv-2", smooth_conv, (2, 2, 6, 6), (2, 3, 3, 3)),
    Case(
        "adaptive",
        lambda s: layers.AdaptiveFilter(2, 0.2, learned=True),
        (2, 3, 5, 6),
        (2, 3, 5, 6),
        seeded=False,
    ),
    Case("attention", lambda s: layers.HighPassAttention(8, 2, seed=s), (2, 5, 8), (2, 5, 8), twice=False),
    Case("feature-scale", lambda s: layers.FeatureScale(8), (2, 5, 8), (2, 5, 8), seeded=False),
]
ALL = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
BODIES = [case for case in CASES if case.shape[-1] == 2]


def values(case: Case, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    source = torch.Generator().manual_seed(0)
    return (2 * torch.rand(case.shape, dtype=torch.float64, generator=source) - 1).to(dtype)


def stirred(module: torch_nn.Module, dtype: torch.dtype = torch.float64) -> torch_nn.Module:
    """As after some training: no parameter is where it began."""
    source = torch.Generator().manual_seed(1)
    module = module.to(dtype)
    with torch.no_grad():
        for parameter in module.parameters():
            drawn = torch.rand(parameter.shape, generator=source, dtype=torch.float64)
            parameter.add_(0.2 * drawn.to(dtype))
    return module


@ALL
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_shape_and_precision_follow_the_input(case, dtype):
    module = case.build(0).to(dtype)
    out = module(values(case, dtype))
    assert out.shape == case.gives
    assert out.dtype == dtype
    assert bool(out.isfinite().all())


@ALL
def test_single_precision_is_double_precision_rounded(case):
    exact = stirred(case.build(0))
    rounded = stirred(case.build(0))
    rounded.load_state_dict(exact.state_dict())
    found = rounded.float()(values(case, torch.float32)).double()
    expected = exact(values(case))
    # Parameters, inputs and about ten operations are rounded to 2^-24; sines of up to 6 cycles multiply what
    # reaches their argument by 2 pi 6, and a product of three passes on the sum of three such errors.
    bound = 3 * 2 * np.pi * 6 * 10 * 2.0**-24 * float(expected.detach().abs().max().clamp(min=1.0))
    assert float((found - expected).detach().abs().max()) < bound


@ALL
def test_everything_happens_on_the_input_s_device(case):
    out = case.build(0).to("meta")(values(case, torch.float32).to("meta"))
    assert out.device.type == "meta"
    assert out.shape == case.gives


@ALL
def test_first_derivatives(case):
    module = stirred(case.build(0))
    wanted = values(case)[:1, :2].requires_grad_() if case in BODIES else values(case).requires_grad_()
    assert torch.autograd.gradcheck(module, (wanted,), fast_mode=True)
    module(wanted).square().sum().backward()
    for name, parameter in module.named_parameters():
        if parameter.requires_grad and "outputs.0" not in name and "outputs.1" not in name:
            assert parameter.grad is not None, name
            assert float(parameter.grad.abs().sum()) > 0, name


@pytest.mark.parametrize("case", [c for c in CASES if c.twice], ids=lambda case: case.name)
def test_second_derivatives(case):
    module = stirred(case.build(0))
    wanted = values(case)[:1, :2].requires_grad_() if case in BODIES else values(case).requires_grad_()
    assert torch.autograd.gradgradcheck(module, (wanted,), fast_mode=True)


@ALL
def test_state_round_trip(case):
    stored, other = stirred(case.build(0)), case.build(1).double()
    x = values(case)
    if case.seeded:
        assert not torch.equal(stored(x), other(x))
    other.load_state_dict(stored.state_dict())
    assert torch.equal(stored(x), other(x))
    assert all(isinstance(tensor, torch.Tensor) for tensor in stored.state_dict().values())


@pytest.mark.parametrize("case", [c for c in CASES if c.seeded], ids=lambda case: case.name)
def test_seeds_and_the_global_state(case):
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    x = values(case)
    same, again, other = (case.build(s).double()(x) for s in (3, 3, 4))
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])
    assert before[2] == random.getstate()
    assert torch.equal(same, again)
    assert not torch.equal(same, other)


@ALL
def test_compiled_in_one_graph(case):
    module = stirred(case.build(0))
    torch.compiler.reset()
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(values(case)), module(values(case)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "case", [c for c in CASES if len(c.shape) == 3 and c.shape[-1] != 9], ids=lambda c: c.name
)
def test_wrong_features_are_named(case):
    x = values(case)
    wrong = x[..., :-1] if case in BODIES or case.name in ("attention", "feature-scale") else x[:, :-1]
    with pytest.raises(InputError, match=r"expected .* of shape"):
        case.build(0).double()(wrong)


@pytest.mark.parametrize("case", BODIES, ids=lambda case: case.name)
def test_bodies_fit_into_a_field(case):
    network = case.build(0)
    assert isinstance(network, NetworkBase)
    frame = nn.CoordinateScaling.of((0.0, 0.0), (4.0, 4.0), ("s", "s"), (-1.0, 1.0))
    field = nn.Field(nn.encodings.Identity(2), network, frame)
    assert field(torch.rand(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))).shape == (
        6,
        4,
    )
    own = network.bandwidth
    # The frame maps 4 seconds onto a length of 2, so cycles per second are half the cycles per unit.
    assert field.bandwidth == (None if own is None else pytest.approx([0.5 * b for b in own]))
    assert network.describe() in field.describe()


REACHING = {
    "band-limited": lambda s: nn.BandLimited(2, 4, [2.0, 4.0, 8.0], 64, seed=s),
    "multi-scale": lambda s: nn.MultiScale(2, 4, 8, 2, Sine(10.0), (1, 2), seed=s),
    "multi-grade": lambda s: nn.MultiGrade(2, 4, 8, 2, 3, Sine(10.0), seed=s),
    "fourier": lambda s: nn.FourierMFN(2, 4, 8, 2, 10.0, seed=s),
    "gabor": lambda s: nn.GaborMFN(2, 4, 8, 2, 10.0, seed=s),
    "mlp": lambda s: nn.MLP(2, 4, 8, 2, Sine(10.0), seed=s),
}


@pytest.mark.parametrize("name", REACHING)
@pytest.mark.parametrize("factor", [0.7, 3.0])
def test_a_copy_reaches_what_is_asked_and_keeps_its_weights(name, factor):
    network = REACHING[name](0)
    before = network.bandwidth
    wanted = factor * before[0]
    found = nn.with_bandwidth(network, wanted)
    # Frequencies of the band-limited network are whole multiples of 1/2; three filters are rounded by up to half one.
    # Gabor's envelopes widen the drawn frequencies, and are found by bisection to a hundredth.
    slack = {"band-limited": 3 * 0.25, "gabor": 1e-2 * wanted}.get(name, 1e-3 * wanted)
    assert found.bandwidth == pytest.approx((wanted, wanted), abs=slack)
    assert network.bandwidth == before
    last, kept = ([p for p in m.parameters() if p.shape[0] == 4][-1] for m in (network, found))
    assert torch.equal(last, kept)


def test_band_limits_move_with_the_bandwidth_and_still_hold():
    network = nn.with_bandwidth(REACHING["band-limited"](0), (8.0, 12.0))
    reach = sum(wave.index.abs().max(0).values for wave in network.filters) / network.period
    assert all(float(r) <= limit for r, limit in zip(reach, network.limits[-1], strict=True))
    with pytest.raises(InputError, match=r"expected a bandwidth that leaves a multiple of 1/period = 0.5"):
        nn.with_bandwidth(network, 0.2)


def test_what_has_no_frequencies_cannot_be_set():
    for build in (nn.MultiScale, nn.MultiGrade):
        with pytest.raises(InputError, match="expected a first activation that has a frequency, got ReLU"):
            nn.with_bandwidth(build(2, 1, 8, 2), 3.0)
