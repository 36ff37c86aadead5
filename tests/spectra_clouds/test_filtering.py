from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.spectra.clouds import GaussianFilter, KernelSums
from overtone.spectra.clouds._kernel_sums import leaves
from tests.spectra_clouds.twins import filtered

seeds = st.integers(0, 10_000)
few = settings(max_examples=10, deadline=None)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def clusters(n, features, seed=0):
    """Rows around 8 centres, and a target smooth within and different between them."""
    generator = np.random.default_rng(seed)
    which = generator.integers(8, size=n)
    x = 4 * generator.normal(size=(8, features))[which] + generator.normal(size=(n, features))
    return x, np.stack([np.sin(x[:, 0]), which % 2.0], 1)


@pytest.mark.parametrize(("dtype", "unit"), [(np.float32, 2.0**-24), (np.float64, 2.0**-53)])
@pytest.mark.parametrize("features", [1, 5, 40])
def test_exact_sums_are_the_loop_over_pairs(features, dtype, unit):
    """|x|^2 + |x'|^2 - 2 x x' errs by (d + 3) u (|x| + |x'|)^2, which over 2 width^2 is the relative error of G."""
    x, y = normal(90, features).astype(dtype), normal(90, 3, seed=1)
    ladder = [0.5 * features**0.5, 2.0 * features**0.5]
    found = GaussianFilter(x, ladder).split(y)
    reach = 4 * ((x - x.mean(0)) ** 2).sum(1).max()
    for index, width in enumerate(ladder):
        allowed = 4 * ((features + 3) * unit * reach / (2 * width**2) + 90 * unit) * np.abs(y).max()
        assert np.abs(found.low[index].numpy() - filtered(x.astype(float), y, width)).max() <= allowed
    torch.testing.assert_close(found.low + found.high, torch.from_numpy(y).expand(2, -1, -1))
    assert found.approximation.tolist() == [0, 0]


def test_a_wave_passes_as_the_gaussian_foretells():
    """On an even line the average of cos(2 pi f x) is that times exp(-2 (pi f width)^2), away from the ends."""
    x = np.linspace(0, 1, 2001)
    for frequency, width in [(4.0, 0.02), (8.0, 0.02), (4.0, 0.05)]:
        wave = np.cos(2 * np.pi * frequency * x)
        low = GaussianFilter(x, width).split(wave).low[0, :, 0].numpy()
        inside = (x > 6 * width) & (x < 1 - 6 * width)
        passed = np.exp(-2 * (np.pi * frequency * width) ** 2)
        assert np.abs(low - passed * wave)[inside].max() < 1e-6


def test_narrow_filters_keep_all_and_wide_ones_the_mean():
    x, y = normal(50, 6), normal(50, 2, seed=1)
    found = GaussianFilter(x, [1e-3, 1e5]).split(y)
    np.testing.assert_allclose(found.low[0], y, atol=1e-12)
    np.testing.assert_allclose(found.low[1], np.broadcast_to(y.mean(0), y.shape), atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_narrowest_filter_keeps_all_in_any_precision(dtype):
    x, y = (100 + normal(50, 60)).astype(dtype), normal(50, 2, seed=1)
    np.testing.assert_allclose(GaussianFilter(x, 1e-6).split(y).low[0], y, atol=1e-6)


def test_errors_are_their_definition():
    x, y, h = normal(70, 5), normal(70, 3, seed=1) + 2, normal(70, 3, seed=2) - 1
    found = GaussianFilter(x, [1.5]).errors(y, h)
    target, rest = y - y.mean(0), (h - y) - (h - y).mean(0)
    for part, e in ((filtered, found.e_low), (lambda *a: a[1] - filtered(*a), found.e_high)):
        wanted = np.sqrt((part(x, rest, 1.5) ** 2).sum() / (part(x, target, 1.5) ** 2).sum())
        assert e[0] == pytest.approx(wanted, rel=1e-10)
    assert found.low_share[0] == pytest.approx(
        (filtered(x, target, 1.5) ** 2).sum() / (target**2).sum(), rel=1e-10
    )
    np.testing.assert_allclose(found.residual_mean, (h - y).mean(0) ** 2)
    np.testing.assert_allclose(found.target_mean, y.mean(0) ** 2)
    gap = (found.e_high - found.e_low) / (found.e_high + found.e_low)
    assert torch.equal(found.bias, gap)


def test_what_is_learned_low_first_reads_so_and_what_is_learned_high_first_does_not():
    x, y = normal(300, 3), None
    y = np.sin(x) + 0.8 * np.sign(normal(300, 3, seed=1))
    low = GaussianFilter(x, 0.6).split(y)
    ladder = [0.4, 0.6, 0.9]
    smooth_first = GaussianFilter(x, ladder).errors(y, low.low[0])
    rough_first = GaussianFilter(x, ladder).errors(y, low.high[0])
    assert (smooth_first.e_low < smooth_first.e_high).all()
    assert (rough_first.e_low > rough_first.e_high).all()
    assert (smooth_first.bias > 0).all()
    assert (rough_first.bias < 0).all()


@pytest.mark.parametrize("shares", [(0.7, 0.5, 0.3), (0.9,)])
def test_widths_give_the_shares(shares):
    x, y = clusters(400, 6)
    found = GaussianFilter.widths_for(x, y, shares)
    reached = GaussianFilter(x, found).errors(y, y).low_share
    np.testing.assert_allclose(reached, shares, rtol=1e-6)


def test_widths_from_some_rows_are_near_those_from_all():
    x, y = clusters(1000, 3)
    np.testing.assert_allclose(
        GaussianFilter.widths_for(x, y, at_most=400), GaussianFilter.widths_for(x, y, at_most=1000), rtol=0.3
    )


def test_leaves_hold_every_row_once_and_rows_that_are_close():
    for features in (3, 40):
        x, _ = clusters(1000, features)
        parts = leaves(torch.from_numpy(x), 64, 0)
        assert sorted(torch.cat(parts).tolist()) == list(range(1000))
        assert max(map(len, parts)) <= 64
        inside = np.mean([x[part].var(0).sum() for part in parts])
        assert inside < 0.5 * x.var(0).sum()


def true_error(x, y, ladder, sums):
    exact = GaussianFilter(x, ladder, KernelSums.exact()).split(y).low
    found = GaussianFilter(x, ladder, sums).split(y)
    wrong = ((found.low - exact).square().mean((1, 2)) / exact.square().mean((1, 2))).sqrt()
    return wrong.numpy(), found.approximation.numpy()


def test_the_approximation_tells_its_error():
    """64 rows tell a root mean square to within a factor of 2 unless its tails are heavy."""
    x, y = clusters(3000, 10)
    wrong, told = true_error(x, y, [1.5, 4.0, 20.0], KernelSums.tree(near=128, far=32))
    assert (wrong > 0).all()
    assert (wrong < 0.15).all()
    assert (told > 0.4 * wrong).all()
    assert (told < 2.5 * wrong).all()


def test_more_draws_are_more_exact():
    x, y = clusters(3000, 10)
    coarse = true_error(x, y, [4.0], KernelSums.tree(near=64, far=16))[0]
    fine = true_error(x, y, [4.0], KernelSums.tree(near=64, far=256))[0]
    assert fine < coarse / 2


def test_an_approximation_that_reaches_all_rows_is_exact():
    x, y = clusters(300, 5)
    wrong, told = true_error(x, y, [1.0, 5.0], KernelSums.tree(near=400))
    assert wrong.max() < 1e-12
    assert told.max() < 1e-12


def test_seeds_decide_the_approximation():
    x, y = clusters(1000, 5)
    one, same, other = (
        GaussianFilter(x, 3.0, KernelSums.tree(64, 16, seed)).split(y).low for seed in (0, 0, 1)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@few
@given(seeds, st.floats(-3, 3), st.floats(-3, 3))
def test_parts_are_linear(seed, a, b):
    x, y, z = normal(40, 4, seed=seed), normal(40, 2, seed=seed + 1), normal(40, 2, seed=seed + 2)
    apply = GaussianFilter(x, [0.8, 2.0])
    combined = apply.split(a * y + b * z).low
    parts = a * apply.split(y).low + b * apply.split(z).low
    torch.testing.assert_close(combined, parts, rtol=0, atol=1e-11)


@few
@given(seeds)
def test_order_translation_and_rotation_do_not_matter(seed):
    generator = np.random.default_rng(seed)
    x, y = normal(40, 4, seed=seed), normal(40, 2, seed=seed + 1)
    plain = GaussianFilter(x, 1.0).split(y).low
    order = generator.permutation(40)
    torch.testing.assert_close(GaussianFilter(x[order], 1.0).split(y[order]).low, plain[:, order])
    turned = np.linalg.qr(generator.normal(size=(4, 4)))[0]
    moved = x @ turned + 10 * generator.normal(size=4)
    torch.testing.assert_close(GaussianFilter(moved, 1.0).split(y).low, plain, rtol=0, atol=1e-9)


@few
@given(seeds)
def test_channels_do_not_know_each_other(seed):
    x, y = normal(40, 4, seed=seed), normal(40, 3, seed=seed + 1) * np.array([1, 1e8, 1])
    together = GaussianFilter(x, 1.0).split(y).low
    for channel in range(3):
        alone = GaussianFilter(x, 1.0).split(y[:, channel]).low[..., 0]
        torch.testing.assert_close(alone, together[..., channel], rtol=1e-10, atol=1e-10)


@few
@given(seeds, st.floats(1e-3, 1e3))
def test_units_of_the_features_are_those_of_the_width(seed, factor):
    x, y = normal(40, 4, seed=seed), normal(40, 2, seed=seed + 1)
    plain = GaussianFilter(x, 1.0).split(y).low
    torch.testing.assert_close(GaussianFilter(factor * x, factor).split(y).low, plain, rtol=0, atol=1e-9)
