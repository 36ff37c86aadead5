from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.errors import InputError
from overtone.spectra import GridTransform, PointsTransform
from overtone.spectra.clouds import GraphTransform
from overtone.spectra.linear_readout import BlockFolds, FeatureBudget, read_out
from overtone.spectra.linear_readout._ridge import PENALTIES, ridge
from overtone.spectra.sequence import SequenceTransform

few = settings(max_examples=5, deadline=None)
N = 96
X = torch.arange(N, dtype=torch.float64) / N
LINE = GridTransform((N,), periodic=True, bands=[0, 0.5, 1.5, 2.5, 4.5, 8.5, 16.5])


def normal(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def cosine(k):
    return torch.cos(2 * torch.pi * k * X)


TONES = torch.stack([cosine(1), cosine(2), cosine(4), cosine(8), cosine(16)], 1).sum(1, keepdim=True)


def powers(depth):
    """Layer d holds c, c^2, .. c^(2^d), c = cos(2 pi x): linear combinations reach cos(2 pi k x), k <= 2^d."""
    return {f"layer {d}": torch.stack([cosine(1) ** p for p in range(1, 2**d + 1)], 1) for d in range(depth)}


def test_each_layer_of_squares_reaches_one_octave_more():
    """Powers of a cosine up to the 2^d-th are the cosines up to 2^d periods (Chebyshev).

    The u tones out of reach, of power 1 / 2 each, are noise to the fit of 0.8 N = 77 samples: the error of a tone in
    reach has about the power u / (2 * 77) beside its own 1 / 2, a relative error of sqrt(4 / 77) = 0.23 at most.
    """
    found = read_out(powers(4), TONES, LINE, width=FeatureBudget.full())
    error = found.relative_error[:, 1:6, 0]
    held = torch.tensor([[d >= band for band in range(5)] for d in range(4)])
    assert float(error[held].max()) < 0.23
    assert float(error[~held].min()) > 0.9
    assert found.highest_held()[:, 0].tolist() == [1.5, 2.5, 4.5, 8.5]
    assert found.features == (1, 2, 4, 8)


def slow_ridge(x, y):
    """Normal equations; the penalty of least error when every sample in turn is left out and predicted."""
    values = np.linalg.svd(x - x.mean(0))[1]
    unit = np.mean(values[values > values.max() * 1e-12] ** 2)

    def solve(x, y, penalty):
        centre, offset = x.mean(0), y.mean(0)
        rest = x - centre
        weights = np.linalg.solve(rest.T @ rest + penalty * unit * np.eye(x.shape[1]), rest.T @ (y - offset))
        return lambda new: (new - centre) @ weights + offset

    errors = []
    for penalty in PENALTIES:
        kept = [np.arange(len(x)) != i for i in range(len(x))]
        out = [solve(x[k], y[k], penalty)(x[~k])[0] - y[~k][0] for k in kept]
        errors.append((np.mean(np.square(out), 0) / y.var(0)).sum())
    best = PENALTIES[int(np.argmin(errors))]
    return solve(x, y, best), best


@pytest.mark.parametrize("noise", [0.1, 3.0])
def test_the_ridge_is_that_of_normal_equations_and_refits(noise):
    """Refits centre anew, which the closed form does as well: 1 / n is the share of the mean in h_i."""
    x = normal(30, 5)
    y = x @ normal(5, 2, seed=1) + noise * normal(30, 2, seed=2)
    fit = ridge(x, y)
    predict, penalty = slow_ridge(x.numpy(), y.numpy())
    assert fit.penalty == penalty
    np.testing.assert_allclose(fit.predict(x), predict(x.numpy()), rtol=0, atol=1e-9)


def test_the_read_out_is_that_of_plain_loops():
    layer, y = normal(N, 6), normal(N, 2, seed=1)
    folds = BlockFolds(4, 3, seed=2)
    found = read_out({"a": layer}, y, LINE, width=FeatureBudget.full(), folds=folds)
    member, predicted = folds.members(N), np.empty((N, 2))
    for fold in range(4):
        inside = (member != fold).numpy()
        predicted[~inside] = slow_ridge(layer.numpy()[inside], y.numpy()[inside])[0](layer.numpy()[~inside])
    wanted = LINE.spectrum(y - torch.from_numpy(predicted)).power
    torch.testing.assert_close(found.residual_power[0], wanted, rtol=1e-8, atol=1e-10)


@few
@given(st.floats(1e-6, 1e6), st.floats(-10, 10), st.integers(0, 99))
def test_scale_shift_rotation_and_copies_of_a_layer_do_not_matter(scale, shift, seed):
    layer = normal(N, 5, seed=seed)
    rotation = torch.linalg.qr(normal(5, 5, seed=seed + 1)).Q
    layers = {
        "plain": layer,
        "changed": scale * (layer @ rotation + shift),
        "copies": layer.repeat(1, 7),
    }
    power = read_out(layers, TONES + layer[:, :1], LINE, width=FeatureBudget.full()).residual_power
    torch.testing.assert_close(power[1], power[0], rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(power[2], power[0], rtol=1e-6, atol=1e-9)


@few
@given(
    st.sampled_from([FeatureBudget.full(), FeatureBudget.projected(8), FeatureBudget.principal(8)]),
    st.floats(0.1, 10),
    st.integers(0, 99),
)
def test_errors_scale_with_the_target_and_power_closes(width, factor, seed):
    layers, y = {"a": normal(N, 20, seed=seed)}, normal(N, 2, seed=seed + 1) + TONES
    one, other = (read_out(layers, f * y, LINE, width=width) for f in (1.0, factor))
    torch.testing.assert_close(other.relative_error, one.relative_error, rtol=1e-7, atol=0)
    torch.testing.assert_close(one.target_power.sum(0), y.square().mean(0), rtol=1e-12, atol=0)
    assert one.features == ((20,) if width == FeatureBudget.full() else (8,))


@pytest.mark.parametrize(
    "width", [FeatureBudget.full(), FeatureBudget.projected(64), FeatureBudget.principal(64)]
)
def test_width_does_not_cheat(width):
    """A layer wider than there are samples fits any target; on what it was not fitted to it finds nothing."""
    wide, noise = normal(N, 400), normal(N, 1, seed=1)
    memory = wide @ torch.linalg.lstsq(wide, noise).solution
    assert float((memory - noise).abs().max()) < 1e-9, "the control: in sample it is perfect"
    found = read_out({"wide": wide}, noise, LINE, width=width)
    share = found.residual_power.sum(1) / found.target_power.sum(0)
    assert float(share) > 0.85


def test_equal_widths_make_layers_comparable():
    """Ten features in one layer and the same ten spread over 300: alike once both are cut to ten."""
    y = normal(N, 1, seed=3)
    narrow = torch.cat([y + 0.3 * normal(N, 1, seed=4), normal(N, 9, seed=5)], 1)
    wide = narrow @ normal(10, 300, seed=6) / 300**0.5
    for width in (FeatureBudget.projected(10), FeatureBudget.principal(10)):
        found = read_out({"narrow": narrow, "wide": wide}, y, LINE, width=width)
        total = found.residual_power.sum((1, 2))
        assert found.features == (10, 10)
        assert float(total[0] / total[1]) == pytest.approx(1, abs=0.05)


def test_principal_components_lose_what_is_weak():
    weak = torch.cat([1e-3 * TONES, normal(N, 12)], 1)
    kept, lost = (
        read_out({"a": weak}, TONES, LINE, width=w)
        for w in (FeatureBudget.full(), FeatureBudget.principal(4))
    )
    assert float(kept.residual_power.sum()) < 0.01 * float(kept.target_power.sum())
    assert float(lost.residual_power.sum()) > 0.8 * float(lost.target_power.sum())


def test_blocks_ask_for_what_is_farther_off():
    """Narrow bumps tell values between neighbours, and nothing in a gap as long as a block."""
    bumps = torch.exp(-0.5 * ((X[:, None] - X[None, ::2] + 0.5) % 1 - 0.5).square() / 0.02**2)
    near, far = (
        read_out(
            {"bumps": bumps}, cosine(4)[:, None], LINE, width=FeatureBudget.full(), folds=BlockFolds(4, block)
        )
        for block in (1, 24)
    )
    assert float(near.relative_error[0, 3, 0]) < 0.1
    assert float(far.relative_error[0, 3, 0]) > 0.4


def test_folds_hold_every_row_once_and_blocks_together():
    found = BlockFolds(5, 7, seed=1).members(100)
    assert set(found.tolist()) == set(range(5))
    assert all(len(set(block.tolist())) == 1 for block in found.split(7))
    counts = torch.bincount(found)
    assert int(counts.max() - counts.min()) <= 7
    assert not torch.equal(found, BlockFolds(5, 7, seed=2).members(100))


def test_any_transform_will_do():
    """The low part of each target is in the first layer, all of it in the second."""
    generator = np.random.default_rng(0)
    points = torch.from_numpy(generator.uniform(size=(200, 2)))
    low, high = (torch.cos(2 * torch.pi * k * points[:, :1]) for k in (1, 4))
    angle = 2 * torch.pi * torch.arange(120) / 120
    ring = torch.stack([angle.cos(), angle.sin(), 0 * angle, 0 * angle], 1).double()
    steps = torch.arange(40, dtype=torch.float64) / 40
    phase = torch.from_numpy(generator.uniform(size=(6, 1)))
    slow, fast = (torch.cos(2 * torch.pi * (k * steps + phase)).reshape(-1, 1) for k in (2, 9))
    cases = (
        (low, high, PointsTransform(points, [0, 0.5, 2.5, 4.5], domain=((0, 1), (0, 1)))),
        (ring[:, :1], torch.cos(7 * angle)[:, None].double(), GraphTransform(ring, 24, neighbours=4)),
        (slow, fast, SequenceTransform(40, bands=[0, 0.5 / 40, 5.5 / 40])),
    )
    for first, second, transform in cases:
        y = first + second
        found = read_out(
            {"first": first, "both": torch.cat([first, second], 1)}, y, transform, width=FeatureBudget.full()
        )
        error = found.residual_power.sum(2).sum(1)
        assert float(error[1]) < 1e-6 * float(found.target_power.sum())
        strong = found.target_power[:, 0] > 0.1
        assert 0 < int(strong.sum()) <= 3
        bottom, top = (int(strong.nonzero()[i]) for i in (0, -1))
        assert float(found.relative_error[0, bottom, 0]) < 0.3
        assert float(found.relative_error[0, top, 0]) > 0.9


def test_bands_without_target_have_no_error():
    half = GridTransform((N,), periodic=True, bands=[0, 0.5, 20.5, 30.5])
    on_off = torch.zeros(N, 1, dtype=torch.float64)
    on_off[::2] = 1.0
    found = read_out({"noise": normal(N, 2)}, on_off, half, width=FeatureBudget.full())
    empty = (found.target_power[:, 0] == 0).tolist()
    assert torch.isnan(found.relative_error[0, :, 0]).tolist() == empty
    assert found.target_power[[0, -1], 0].min() > 0.2
    with_both = read_out({"itself": on_off}, on_off, half, width=FeatureBudget.full())
    assert with_both.highest_held()[0, 0] == half.bands.edges[-1]


LAYER, Y = normal(N, 3), normal(N, 1, seed=1)
BROKEN = LAYER.clone()
BROKEN[5, 1] = torch.nan
REFUSED = {
    "NaN row": (
        {"conv": BROKEN},
        Y,
        {},
        "conv: expected finite numbers in every row, got NaN .* first in row 5",
    ),
    "constant": ({"dead": LAYER * 0}, Y, {}, "dead: expected activations that vary, got constant features"),
    "rows": ({"a": LAYER[1:]}, Y, {}, "a: expected 96 rows, one per sample, got 95"),
    "pictures": (
        {"a": LAYER[:, :, None]},
        Y,
        {},
        "a: expected one row per sample and one column per quantity",
    ),
    "constant target": ({"a": LAYER}, Y * 0 + 1, {}, "targets: expected targets that vary, got constant"),
    "no layer": ({}, Y, {}, "activations: expected at least one layer, got none"),
    "other grid": ({"a": LAYER[:90]}, Y[:90], {}, r"96 rows, one per sample of the grid .96,., got 90"),
    "folds": (
        {"a": LAYER},
        Y,
        {"folds": BlockFolds(5, 40)},
        "folds: expected at least 200 samples for 5 folds, got 96",
    ),
    "one fold": ({"a": LAYER}, Y, {"folds": BlockFolds(1)}, "at least 2 folds of blocks"),
    "width": (
        {"a": LAYER},
        Y,
        {"width": FeatureBudget.projected(0)},
        "width: expected at least 1 feature, got 0",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_gets_one_sentence(name):
    layers, y, arguments, sentence = REFUSED[name]
    with pytest.raises(InputError, match=sentence):
        read_out(layers, y, LINE, **arguments)


def test_parts_of_sequences_are_refused():
    with pytest.raises(InputError, match="whole sequences of 40 rows, got 96 rows"):
        read_out({"a": LAYER}, Y, SequenceTransform(40))


def left_out_error(features, targets, penalty):
    """Fit without each sample in turn, by the normal equations: twin of the closed form.

    The closed form keeps the mean of all samples in h_i as 1 / n; so does the column of ones here, unpenalised.
    """
    n, errors = len(features), []
    for i in range(n):
        inside = [j for j in range(n) if j != i]
        design = np.hstack([np.ones((n - 1, 1)), features[inside]])
        weight = np.diag([0.0] + [penalty] * features.shape[1])
        solved = np.linalg.solve(design.T @ design + weight, design.T @ targets[inside])
        errors.append(targets[i] - np.concatenate([[1.0], features[i]]) @ solved)
    return float(np.mean(np.square(errors)))


@pytest.mark.parametrize(("samples", "features"), [(30, 5), (12, 11), (12, 36)])
def test_penalty_is_that_of_least_left_out_error_also_where_the_features_interpolate(samples, features):
    for seed in range(6):
        draws = np.random.default_rng(seed)
        x = draws.normal(size=(samples, features))
        y = x[:, :3] @ draws.normal(size=(3, 1)) + 10.0 ** -draws.integers(0, 8) * draws.normal(
            size=(samples, 1)
        )
        centred = x - x.mean(0)
        unit = np.square(np.linalg.svd(centred, compute_uv=False)[: min(samples - 1, features)]).mean()
        scores = {p: left_out_error(centred, y, p * unit) for p in PENALTIES if p >= 1e-6}
        best = min(scores, key=scores.get)
        fit = ridge(torch.tensor(x), torch.tensor(y))
        assert fit.penalty <= 1e-6 if best == 1e-6 else fit.penalty == best


def test_equal_features_up_to_rounding_choose_the_same_penalty():
    for seed in range(20):
        draws = torch.Generator().manual_seed(seed)
        x = torch.randn(10, 36, generator=draws, dtype=torch.float64)
        y = torch.randn(10, 1, generator=draws, dtype=torch.float64)
        signs = torch.randint(-1, 2, x.shape, generator=draws).double()
        other = x * (1 + 4 * torch.finfo(torch.float64).eps * signs)
        assert not torch.equal(x, other)
        assert ridge(x, y).penalty == ridge(other, y).penalty
