from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.errors import InputError
from overtone.nn.layers import (
    AdaptiveFilter,
    BinomialPool,
    Border,
    FeatureScale,
    HighPassAttention,
    IdealPool,
    LowPassConv,
    LowPassMaxPool,
)

MODES = {Border.WRAP: "wrap", Border.MIRROR: "reflect", Border.REPEAT: "edge"}


def drawn(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def wave(n: int, cycles: float) -> torch.Tensor:
    """(1, 1, n) of a frequency in cycles per sample."""
    return torch.cos(2 * math.pi * cycles * torch.arange(n, dtype=torch.float64) + 0.3)[None, None]


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(list(Border)), st.integers(1, 3), st.sampled_from([3, 5]), st.integers(0, 99))
def test_binomial_pool_is_the_slow_sum(border, stride, taps, seed):
    x = drawn((1, 2, 6, 7), seed)
    row = np.array([math.comb(taps - 1, k) for k in range(taps)]) / 2.0 ** (taps - 1)
    half = taps // 2
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (half, half), (half, half)), mode=MODES[border])
    out = BinomialPool(2, stride, taps, border).double()(x).numpy()
    for i, j in np.ndindex(out.shape[2:]):
        patch = padded[:, :, i * stride : i * stride + taps, j * stride : j * stride + taps]
        expected = np.einsum("bcij,i,j->bc", patch, row, row)
        # 25 products of values below 5 with weights that sum to 1
        np.testing.assert_allclose(out[:, :, i, j], expected, atol=50 * 2.0**-52)


@pytest.mark.parametrize(("taps", "cycles"), [(3, 1 / 8), (3, 1 / 2), (5, 1 / 4), (7, 3 / 16)])
def test_binomial_response_is_measured(taps, cycles):
    layer = BinomialPool(1, 1, taps, Border.WRAP).double()
    x = wave(16, cycles)
    factor = layer.response(torch.tensor(cycles, dtype=torch.float64))
    torch.testing.assert_close(layer(x), factor * x, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    "layer",
    [
        BinomialPool(1, 1, 3, Border.WRAP),
        BinomialPool(1, 1, 7, Border.WRAP),
        IdealPool(1, 1, periodic=True),
        AdaptiveFilter(1, 0.1, periodic=True),
        AdaptiveFilter(1, 60.0, spacing=1 / 512, periodic=True),
        AdaptiveFilter(1, 0.2, softness=0.5, periodic=True),
    ],
    ids=str,
)
def test_bandwidth_is_that_of_filtered_white_noise(layer):
    """A single sample is white: the spectrum of what comes out is the response."""
    spike = torch.zeros(1, 1, 512, dtype=torch.float64)
    spike[0, 0, 7] = 1
    power = np.abs(np.fft.rfft(layer.double()(spike).detach()[0, 0].numpy())) ** 2
    cumulative = np.cumsum(power)
    found = np.searchsorted(cumulative, 0.9 * cumulative[-1]) / 512
    spacing = getattr(layer, "spacing", (1.0,))[0]
    # a bin of 1/512 cycles per sample, and the half bins at the ends
    assert layer.bandwidth[0] * spacing == pytest.approx(found, abs=1.5 / 512)


@pytest.mark.parametrize("pool", [IdealPool(1, 2, periodic=True), BinomialPool(1, 2, 5, Border.WRAP)])
def test_the_highest_frequency_does_not_come_back_as_a_constant(pool):
    high = wave(16, 0.5)
    assert pool.double()(high).abs().max() < 1e-14
    assert high[..., ::2].abs().max() > 0.9


def test_ideal_pool_keeps_what_the_coarse_grid_holds_and_nothing_else():
    pool = IdealPool(1, 2, periodic=True)
    kept, lost = wave(16, 3 / 16), wave(16, 5 / 16)
    torch.testing.assert_close(pool(kept + lost), kept[..., ::2], rtol=0, atol=1e-14)
    # without the low pass, 5/16 would have come back as 3/16
    assert np.abs(np.fft.rfft(lost[0, 0, ::2].numpy()))[3] > 1


@pytest.mark.parametrize("periodic", [True, False])
def test_filters_are_the_slow_transform(periodic):
    """A dense DFT or DCT-II of each axis, a factor per mode, and back."""
    x = drawn((2, 1, 5, 6))
    matrices, frequencies = [], []
    for n in (5, 6):
        j = np.arange(n)
        if periodic:
            matrices.append(np.exp(-2j * np.pi * np.outer(j, j) / n) / math.sqrt(n))
            frequencies.append(np.minimum(j, n - j) / n)
        else:
            size = np.where(j == 0, 1, 2)[:, None]
            matrices.append(np.sqrt(size / n) * np.cos(np.pi * np.outer(j, j + 0.5) / n) + 0j)
            frequencies.append(j / (2 * n))
    modes = np.einsum("ki,lj,bcij->bckl", *matrices, x.numpy())
    f, g = np.meshgrid(*frequencies, indexing="ij")
    r = np.sqrt((f / 0.15) ** 2 + (g / 0.3) ** 2)
    soft = (1 + np.exp(-1 / 0.2)) / (1 + np.exp(-(1 - r) / 0.2))
    cases = [
        (AdaptiveFilter(2, (0.15, 0.3), softness=0.2, periodic=periodic), soft, 1e-7),
        (IdealPool(2, 1, periodic), (f < 0.5 * (1 - 1e-6)) & (g < 0.5 * (1 - 1e-6)), 1e-13),
    ]
    for layer, factors, tolerance in cases:
        back = np.einsum("ki,lj,bckl->bcij", *[m.conj() for m in matrices], factors * modes)
        # the cut-off's logarithm is a float32 parameter, as all of them begin: 2^-24 of it, steepened by 1/softness
        np.testing.assert_allclose(layer(x).detach().numpy(), back.real, atol=10 * tolerance)


def test_a_cutoff_moves():
    layer = AdaptiveFilter(1, 0.05, periodic=True).double()
    x = wave(64, 8 / 64)
    assert layer(x).abs().max() < 1e-3
    layer.move_to(8 / 64)
    assert layer.cutoff[0] == pytest.approx(1 / 8)
    torch.testing.assert_close(layer(x), 0.5 * x, rtol=0, atol=1e-4)
    layer.move_to([0.5])
    torch.testing.assert_close(layer(x), x, rtol=0, atol=1e-3)
    constant = torch.ones(1, 1, 9, dtype=torch.float64)
    torch.testing.assert_close(layer(constant), constant, rtol=0, atol=1e-13)


def test_a_cutoff_can_be_learned():
    source = AdaptiveFilter(1, 0.2, softness=0.3)
    learner = AdaptiveFilter(1, 0.08, softness=0.3, learned=True)
    x = drawn((4, 1, 64)).float()
    target = source(x).detach()
    optimizer = torch.optim.Adam(learner.parameters(), lr=0.05)
    for _ in range(80):
        optimizer.zero_grad()
        (learner(x) - target).square().mean().backward()
        optimizer.step()
    assert learner.cutoff[0] == pytest.approx(0.2, rel=0.02)
    assert not any(p.requires_grad for p in source.parameters())


def test_spacing_makes_cutoffs_physical():
    x = drawn((1, 2, 12, 10))
    physical = AdaptiveFilter(2, (30.0, 5.0), spacing=(0.01, 0.04)).double()
    samples = AdaptiveFilter(2, (0.3, 0.2)).double()
    torch.testing.assert_close(physical(x), samples(x), rtol=0, atol=1e-6)


def test_low_pass_conv_is_its_parts():
    layer = LowPassConv(1, 2, 3, BinomialPool(1), activation=torch.nn.ReLU(), seed=2).double()
    x = drawn((2, 2, 9))
    padded = torch.nn.functional.pad(x, (1, 1), mode="reflect")
    dense = torch.stack(
        [torch.einsum("bik,oik->bo", padded[:, :, p : p + 3], layer.weight) + layer.bias for p in range(9)],
        dim=-1,
    ).relu()
    torch.testing.assert_close(layer(x), layer.low_pass(dense), rtol=0, atol=1e-13)


def test_shifting_by_a_sample_changes_little():
    """What anti-aliasing is for: the strided layer's spectrum power moves, the low-pass layer's does not."""
    picture = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 1, 32, 32)))
    shifted = picture.roll(1, dims=-1)

    def moved(layer: torch.nn.Module) -> float:
        a, b = layer(picture), layer(shifted)
        return abs(a.square().mean().item() / b.square().mean().item() - 1)

    ideal = LowPassMaxPool(2, IdealPool(2, 2, periodic=True), window=1)
    assert moved(ideal) < 1e-12
    assert moved(torch.nn.MaxPool2d(1, 2)) > 1e-3


def test_max_pool_takes_maxima_first():
    x = drawn((1, 1, 9))
    dense = torch.maximum(x[..., :-1], x[..., 1:])
    pool = LowPassMaxPool(1, BinomialPool(1)).double()
    torch.testing.assert_close(pool(x), BinomialPool(1).double()(dense), rtol=0, atol=0)


def attention_by_hand(layer: HighPassAttention, x: torch.Tensor) -> torch.Tensor:
    """One head, its matrix A' written out."""
    outputs = []
    n, size = x.shape[-2], layer.features // layer.heads
    query, key, value = (x @ layer.project.weight.T + layer.project.bias).chunk(3, dim=-1)
    for head in range(layer.heads):
        own = slice(head * size, (head + 1) * size)
        logits = query[..., own] @ key[..., own].transpose(-1, -2) / math.sqrt(size)
        matrix = logits.exp() / logits.exp().sum(-1, keepdim=True)
        low = torch.full_like(matrix, 1 / n)
        outputs.append((low + (1 + layer.gain[head]) * (matrix - low)) @ value[..., own])
    return torch.cat(outputs, -1) @ layer.output.weight.T + layer.output.bias


@pytest.mark.parametrize("gain", [0.0, 0.7])
def test_attention_is_its_matrix(gain):
    layer = HighPassAttention(6, 3, seed=1).double()
    with torch.no_grad():
        layer.gain.copy_(gain * torch.arange(1, 4))
    x = drawn((2, 5, 6))
    torch.testing.assert_close(layer(x), attention_by_hand(layer, x), rtol=1e-10, atol=1e-12)


def above_constant(x: torch.Tensor) -> torch.Tensor:
    return x - x.mean(-2, keepdim=True)


def test_stacked_attention_leaves_the_mean_and_the_gain_gives_the_rest_back():
    x = drawn((1, 32, 8))
    layer = HighPassAttention(8, 2, seed=0).double()
    with torch.no_grad():
        plain = layer(x)
        layer.gain.fill_(8.0)
        sharp = layer(x)
    torch.testing.assert_close(above_constant(sharp), 9 * above_constant(plain), rtol=1e-9, atol=1e-13)
    shares = [above_constant(x).norm() / x.norm()]
    for seed in range(4):
        with torch.no_grad():
            x = HighPassAttention(8, 2, seed=seed).double()(x)
        shares.append(above_constant(x).norm() / x.norm())
    assert shares[0] > 0.9
    rounding = 32 * torch.finfo(torch.float64).eps  # of the means over 32 tokens; below it no order is left
    assert all(after < max(before, rounding) for before, after in itertools.pairwise(shares))
    assert sum(share > rounding for share in shares) >= 3
    assert shares[-1] < 0.02


def test_feature_scale_begins_as_identity_and_splits_the_two_parts():
    layer = FeatureScale(3).double()
    x = drawn((4, 7, 3))
    torch.testing.assert_close(layer(x), x, rtol=0, atol=1e-15)
    with torch.no_grad():
        layer.low.fill_(1.0)
        layer.high.copy_(torch.tensor([-1.0, 0.0, 2.0]))
    mean = x.mean(-2, keepdim=True)
    expected = 2 * mean + torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64) * (x - mean)
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: BinomialPool(3), "axes: expected 1 or 2 axes, got 3"),
        (lambda: BinomialPool(1, taps=4), "taps: expected an odd number, got 4"),
        (lambda: BinomialPool(1, taps=1), "taps: expected a whole number of at least 3"),
        (lambda: BinomialPool(1, stride=0), "stride: expected a whole number of at least 1, got 0"),
        (
            lambda: BinomialPool(2)(torch.zeros(1, 1, 5)),
            r"expected values of shape \(batch, channels, n, n\)",
        ),
        (lambda: BinomialPool(1)(torch.zeros(1, 1, 1)), "expected at least 2 samples along each axis"),
        (lambda: LowPassConv(1, 2, 1, BinomialPool(1))(torch.zeros(1, 3, 9)), r"\(batch, 2, n\), got shape"),
        (lambda: AdaptiveFilter(2, [0.1, 0.2, 0.3]), "cutoff: expected one number or one per axis"),
        (lambda: AdaptiveFilter(1, 0.1, softness=0.0), "softness: expected"),
        (lambda: AdaptiveFilter(1, 0.1).move_to(-1.0), "cutoff: expected positive finite numbers"),
        (
            lambda: HighPassAttention(8, 3),
            "HighPassAttention: expected features that are a multiple of the heads",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
