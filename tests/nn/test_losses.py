from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from overtone.errors import InputError
from overtone.nn.losses import BandFollowing, BandWeighted, FocalFrequency, Sobolev, SpectralLoss
from overtone.spectra import Bands, GridTransform

Weigh = Callable[[np.ndarray, np.ndarray], np.ndarray]


def drawn(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def mean_square(a: Tensor, b: Tensor) -> float:
    return (a - b).square().mean().item()


def dense(n: int, periodic: bool) -> tuple[np.ndarray, np.ndarray]:
    """One axis' orthonormal transform as a matrix, row by row, and the unsigned cycles per array of its rows."""
    j = np.arange(n)
    if periodic:
        rows = [np.exp(-2j * np.pi * k * j / n) / math.sqrt(n) for k in range(n)]
        return np.array(rows), np.minimum(j, n - j).astype(float)
    rows = [math.sqrt((1 if k == 0 else 2) / n) * np.cos(np.pi * k * (j + 0.5) / n) for k in range(n)]
    return np.array(rows, dtype=complex), j / 2


def slow(residual: np.ndarray, periodic: tuple[bool, ...], spacing: tuple[float, ...], weigh: Weigh) -> float:
    """The loss by dense sums over every mode: no FFT, no halves, no folding."""
    shape = residual.shape[:-1]
    axes = [dense(n, p) for n, p in zip(shape, periodic, strict=True)]
    frequency = np.zeros(shape)
    for mode in itertools.product(*map(range, shape)):
        parts = [axes[a][1][k] / (shape[a] * spacing[a]) for a, k in enumerate(mode)]
        frequency[mode] = math.sqrt(sum(f * f for f in parts))
    modes = residual.astype(complex)
    for a, (matrix, _) in enumerate(axes):
        modes = np.moveaxis(np.tensordot(matrix, modes, axes=(1, a)), 0, a)
    square = np.abs(modes) ** 2
    return float((weigh(frequency, square) * square).sum() / residual.size)


def sobolev_weights(s: float, unit: float) -> Weigh:
    def weigh(frequency: np.ndarray, square: np.ndarray) -> np.ndarray:
        w = (1 + (frequency / unit) ** 2) ** s
        return (w / w.mean())[..., None]

    return weigh


def focal_weights(alpha: float) -> Weigh:
    def weigh(frequency: np.ndarray, square: np.ndarray) -> np.ndarray:
        w = square ** (alpha / 2)
        return w * square.sum() / (w * square).sum()

    return weigh


def band_weights(bands: Bands, weights: np.ndarray) -> Weigh:
    """A mode at the very edge of the corner belongs below it, at any other edge above."""
    cuts = np.array(bands.edges[1:-1]) * (1 - 1e-9)
    if bands.corner:
        cuts[-1] *= 1 + 2e-9

    def weigh(frequency: np.ndarray, square: np.ndarray) -> np.ndarray:
        w = weights[np.searchsorted(cuts, frequency, side="right")]
        return (w / w.mean())[..., None]

    return weigh


GRIDS = st.sampled_from(
    [
        ((7,), (True,)),
        ((8,), (False,)),
        ((4, 5), (True, True)),
        ((5, 4), (False, True)),
        ((3, 6), (False, False)),
    ]
)


@settings(deadline=None, max_examples=12)
@given(GRIDS, st.integers(1, 2), st.floats(-2, 2), st.floats(0.3, 2), st.integers(0, 99))
def test_all_are_the_slow_sums(grid, channels, s, alpha, seed):
    shape, periodic = grid
    spacing = tuple(0.5 + a for a in range(len(shape)))
    basis = GridTransform(shape, spacing, periodic)
    a, b = drawn((*shape, channels), seed), drawn((*shape, channels), seed + 100)
    residual = (a - b).numpy()
    longest = max(n * d for n, d in zip(shape, spacing, strict=True))
    ramp = 1.0 + np.arange(basis.bands.count)
    pairs = [
        (Sobolev(basis, s), sobolev_weights(s, 1 / longest)),
        (Sobolev(basis, s, unit=0.2), sobolev_weights(s, 0.2)),
        (FocalFrequency(basis, alpha), focal_weights(alpha)),
        (BandWeighted(basis, torch.from_numpy(ramp)), band_weights(basis.bands, ramp)),
    ]
    for loss, weigh in pairs:
        # Some 100 terms, each wrong by a few 2^-52 of the largest weight: 1e-12 of the sum is ample.
        assert loss(a, b).item() == pytest.approx(slow(residual, periodic, spacing, weigh), rel=1e-12)


@pytest.mark.parametrize("s", [-1.5, 1.0, 2.0])
@pytest.mark.parametrize("k", [1, 3, 7])
def test_one_harmonic_gives_its_weight_times_its_power(s, k):
    n, amplitude = 32, 0.7
    x = torch.arange(n, dtype=torch.float64)[:, None] / n
    wave = amplitude * torch.cos(2 * math.pi * k * x + 0.4)
    harmonics = np.abs(np.fft.fftfreq(n, 1 / n))
    w = (1 + k**2) ** s / ((1 + harmonics**2) ** s).mean()
    loss = Sobolev(GridTransform((n,), periodic=True), s)
    assert loss(wave, torch.zeros_like(wave)).item() == pytest.approx(w * amplitude**2 / 2, rel=1e-12)
    assert loss(wave, torch.zeros_like(wave)).item() != pytest.approx(amplitude**2 / 2, rel=1e-2)


def test_one_even_harmonic_gives_its_weight_times_its_power():
    n, k = 16, 5
    wave = torch.cos(math.pi * k * (torch.arange(n, dtype=torch.float64) + 0.5) / n)[:, None]
    # k half-cycles along the array
    w = (1 + (k / 2) ** 2) / np.mean([1 + (j / 2) ** 2 for j in range(n)])
    assert Sobolev(GridTransform((n,)), 1.0)(wave, 0 * wave).item() == pytest.approx(w / 2, rel=1e-12)


@pytest.mark.parametrize("periodic", [True, False])
def test_order_zero_is_the_mean_square(periodic):
    basis = GridTransform((6, 9), periodic=periodic)
    a, b = drawn((6, 9, 3)), drawn((6, 9, 3), 1)
    for loss in (Sobolev(basis, 0.0), BandWeighted(basis, torch.full((basis.bands.count,), 7.0))):
        assert loss(a, b).item() == pytest.approx(mean_square(a, b), rel=1e-12)


def test_fixed_weights_give_a_white_residual_its_mean_square():
    """One wrong sample on a periodic grid has equal power at every mode, whichever sample it is."""
    basis = GridTransform((6, 7), periodic=True)
    spike = torch.zeros(6, 7, 1, dtype=torch.float64)
    spike[2, 3] = 4.0
    ramp = torch.arange(1.0, basis.bands.count + 1)
    for loss in (Sobolev(basis, 1.0), Sobolev(basis, -2.0), BandWeighted(basis, ramp)):
        assert loss(spike, 0 * spike).item() == pytest.approx(mean_square(spike, 0 * spike), rel=1e-12)


def test_white_noise_has_its_mean_square_on_average_with_even_borders():
    basis = GridTransform((8,))
    total = sum(Sobolev(basis, 1.0)(drawn((8, 500), seed), torch.zeros(8, 500)).item() for seed in range(4))
    # The loss is a mean over 8 modes and 2000 channels of w chi^2: standard error sqrt(2 mean(w^2) / 16000).
    f = np.arange(8) / 2
    w = (1 + f**2) / (1 + f**2).mean()
    assert total / 4 == pytest.approx(1.0, abs=4 * math.sqrt(2 * (w**2).mean() / 16000))


@settings(deadline=None, max_examples=12)
@given(GRIDS, st.floats(0.2, 3), st.floats(1e-6, 1e6), st.integers(0, 99))
def test_following_weights_keep_the_value_of_the_mean_square(grid, exponent, scale, seed):
    shape, periodic = grid
    basis = GridTransform(shape, None, periodic)
    a, b = scale * drawn((*shape, 2), seed), scale * drawn((*shape, 2), seed + 100)
    target = basis.power(basis.coefficients(b))
    for loss in (FocalFrequency(basis, exponent), BandFollowing(basis, target, exponent=exponent)):
        assert loss(a, b).item() == pytest.approx(mean_square(a, b), rel=1e-12)


def test_weights_of_at_most_one_would_change_the_scale():
    """Negative control: divided by their largest, as is usual, focal weights make a lighter loss."""
    basis = GridTransform((16,), periodic=True)
    a, b = drawn((16, 1)), drawn((16, 1), 1)

    def usual(frequency: np.ndarray, square: np.ndarray) -> np.ndarray:
        return np.sqrt(square / square.max())

    value = slow((a - b).numpy(), (True,), (1 / 16,), usual)
    assert value < 0.9 * FocalFrequency(basis)(a, b).item()


@pytest.mark.parametrize("periodic", [True, (False, True), False])
def test_gradients_of_fixed_weights(periodic):
    basis = GridTransform((4, 5), None, periodic)
    a, b = drawn((4, 5, 2)).requires_grad_(), drawn((4, 5, 2), 1)
    for loss in (
        Sobolev(basis, 1.0),
        Sobolev(basis, -1.0),
        BandWeighted(basis, list(range(basis.bands.count))),
    ):
        assert torch.autograd.gradcheck(loss, (a, b))
        assert torch.autograd.gradgradcheck(loss, (a, b), fast_mode=True)


def test_gradients_treat_weights_as_constants():
    """2 w_k r_k / N per mode, with the weights of the present residual, against the dense transform."""
    n = 9
    a, b = drawn((n, 1)).requires_grad_(), drawn((n, 1), 1)
    FocalFrequency(GridTransform((n,), periodic=True))(a, b).backward()
    matrix, _ = dense(n, True)
    modes = matrix @ (a - b).detach().numpy()[:, 0]
    square = np.abs(modes) ** 2
    w = focal_weights(1.0)(square, square)
    expected = (matrix.conj().T @ (2 * w * modes / n)).real
    np.testing.assert_allclose(a.grad[:, 0].numpy(), expected, atol=1e-14)


@pytest.mark.parametrize(("s", "faster"), [(1.0, 6), (-1.0, 1)])
def test_the_sign_of_s_chooses_what_is_learned_first(s, faster):
    """Gradient descent on the samples themselves: mode k shrinks by 1 - 2 lr w_k / N a step."""
    n, lr = 16, 0.3
    basis = GridTransform((n,), periodic=True)
    loss = Sobolev(basis, s)
    x = torch.arange(n, dtype=torch.float64)[:, None] / n
    target = torch.cos(2 * math.pi * x) + torch.cos(12 * math.pi * x)
    values = torch.zeros_like(target, requires_grad=True)
    for _ in range(5):
        (gradient,) = torch.autograd.grad(loss(values, target), values)
        values = (values - lr * gradient).detach().requires_grad_()
    left = np.abs(np.fft.rfft((values - target).detach().numpy()[:, 0]))[[1, 6]] * 2 / n
    w = (1 + np.fft.fftfreq(n, 1 / n) ** 2) ** s
    w = (w / w.mean())[[1, 6]]
    np.testing.assert_allclose(left, (1 - 2 * lr * w / n) ** 5, rtol=1e-12)
    assert (left[0] < left[1]) == (faster == 1)


BANDS = Bands((0.0, 0.5, 2.5, 8.0))


def harmonics(n: int, amplitudes: dict[int, float]) -> Tensor:
    x = torch.arange(n, dtype=torch.float64)[:, None] / n
    return sum(a * torch.cos(2 * math.pi * k * x) for k, a in amplitudes.items())


def following(noise: list[float] | None = None, **arguments: float) -> BandFollowing:
    return BandFollowing(
        GridTransform((16,), periodic=True, bands=BANDS), [0.0, 2.0, 0.5], noise, **arguments
    )


def test_following_weights_are_the_relative_errors():
    loss = following(memory=0.0)
    a = harmonics(16, {1: 1.0, 5: 2.0})
    # Residual powers 1/2 and 2, relative errors 1/4 and 4: sixteen times the weight for the upper band.
    power = torch.zeros(9, 1, dtype=torch.float64)
    power[1], power[5] = 0.5, 2.0
    w = loss.weights(power)
    assert w[5, 0].item() / w[1, 0].item() == pytest.approx(16.0)
    assert (w * power).sum().item() == pytest.approx(2.5)
    assert loss(a, torch.zeros_like(a)).item() == pytest.approx(2.5)


def test_a_band_with_next_to_nothing_cannot_outweigh_the_rest():
    loss = BandFollowing(GridTransform((16,), periodic=True, bands=BANDS), [1e-30, 2.0, 0.0], memory=0.0)
    power = torch.zeros(9, 1, dtype=torch.float64)
    power[0], power[1], power[5] = 1e-4, 1.0, 1e-3
    w = loss.weights(power)[:, 0]
    # relative errors 1e-4 / 2e-3, 1 / 2 and 1e-3 / 2e-3
    assert (w[0] / w[1]).item() == pytest.approx(0.1)
    assert (w[5] / w[1]).item() == pytest.approx(1.0)


def test_bands_at_the_noise_weigh_nothing():
    loss = following([0.0, 0.0, 0.4], memory=0.0)
    a = harmonics(16, {1: 0.1, 5: math.sqrt(2 * 0.3)}).requires_grad_()
    loss(a, torch.zeros_like(a)).backward()
    modes = np.abs(np.fft.rfft(a.grad[:, 0].numpy()))
    assert modes[5] < 1e-12 * modes[1]
    grown = harmonics(16, {1: 0.1, 5: 1.0}).requires_grad_()
    loss(grown, torch.zeros_like(grown)).backward()
    assert np.abs(np.fft.rfft(grown.grad[:, 0].numpy()))[5] > 0.1


def test_nothing_left_to_learn_is_the_mean_square():
    loss = following([0.0, 1.0, 0.4], memory=0.0)
    a = harmonics(16, {1: 0.1, 5: 0.1})
    assert loss(a, torch.zeros_like(a)).item() == pytest.approx(0.01)
    assert bool((loss.weights(torch.zeros(9, 1, dtype=torch.float64)) == 1).all())


def test_the_average_remembers_and_is_stored():
    loss = following(memory=0.5)
    zero = torch.zeros(16, 1, dtype=torch.float64)
    loss(harmonics(16, {1: 1.0}), zero)
    assert loss.error[:, 0].tolist() == pytest.approx([0, 0.5, 0], abs=1e-15)
    loss(harmonics(16, {1: 2.0}), zero)
    assert loss.error[1, 0].item() == pytest.approx(1.25)
    other = following(memory=0.5)
    other.load_state_dict(loss.state_dict())
    assert torch.equal(other.error, loss.error)
    other.eval()(harmonics(16, {5: 9.0}), zero)
    assert torch.equal(other.error, loss.error)


def losses(basis: GridTransform) -> list[SpectralLoss]:
    count = basis.bands.count
    return [
        Sobolev(basis, 1.0),
        FocalFrequency(basis),
        BandWeighted(basis, [1.0] * count),
        BandFollowing(basis, [1.0] * count),
    ]


def test_flat_and_grid_values_are_the_same():
    basis = GridTransform((4, 6))
    a, b = drawn((4, 6, 2)), drawn((4, 6, 2), 1)
    for on_grid, flat in zip(losses(basis), losses(basis), strict=True):
        assert on_grid(a, b).item() == flat(a.reshape(24, 2), b.reshape(24, 2)).item()


def test_precision_follows_the_values():
    basis = GridTransform((4, 6), periodic=True)
    a, b = drawn((4, 6, 2)), drawn((4, 6, 2), 1)
    for exact, single in zip(losses(basis), losses(basis), strict=True):
        found = single(a.float(), b.float())
        assert found.dtype == torch.float32
        # 48 squares of values rounded to 2^-24, and an FFT of about 5 passes
        assert found.item() == pytest.approx(exact(a, b).item(), rel=40 * 2.0**-24)


def test_a_residual_that_is_not_finite_gives_a_loss_that_is_not():
    for loss in losses(GridTransform((8,))):
        for bad in (math.nan, math.inf):
            a = torch.zeros(8, 1)
            a[3] = bad
            assert not math.isfinite(loss(a, torch.zeros(8, 1)).item())


@pytest.mark.parametrize("shape", [(5, 1), (8,), (4, 2, 1), (8, 0)])
def test_minibatches_are_refused(shape):
    for loss in losses(GridTransform((8,))):
        with pytest.raises(InputError, match=r"a minibatch of its samples has no spectrum"):
            loss(torch.zeros(shape), torch.zeros(shape))
    with pytest.raises(InputError, match=r"Sobolev: expected a prediction and a target of shape \(8, 'C'\)"):
        Sobolev(GridTransform((8,)), 1.0)(torch.zeros(8, 1), torch.zeros(8, 2))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda t: Sobolev(t, math.nan), "s: expected a finite order"),
        (lambda t: Sobolev(t, 1.0, unit=0.0), "unit: expected"),
        (lambda t: FocalFrequency(t, 0.0), "alpha: expected"),
        (lambda t: BandWeighted(t, [1.0]), "weights: expected one of the weights per band"),
        (lambda t: BandWeighted(t, [0.0] * t.bands.count), "weights: expected a weight above zero"),
        (
            lambda t: BandWeighted(t, [-1.0] * t.bands.count),
            "weights: expected finite weights of at least zero",
        ),
        (lambda t: BandFollowing(t, [1.0] * t.bands.count, memory=1.0), "memory: expected a memory in"),
        (lambda t: BandFollowing(t, [1.0] * t.bands.count, floor=0.0), "floor: expected"),
        (lambda t: BandFollowing(t, [1.0] * t.bands.count, exponent=-1), "exponent: expected an exponent"),
        (
            lambda t: BandFollowing(t, [1.0] * t.bands.count, [2.0] * t.bands.count),
            "target_power: expected a band with more target power than noise",
        ),
        (
            lambda t: BandFollowing(t, torch.ones(t.bands.count, 3))(torch.zeros(8, 2), torch.ones(8, 2)),
            "BandFollowing: expected values of 3 channels, got 2",
        ),
    ],
)
def test_bad_arguments_are_named(build, message):
    with pytest.raises(InputError, match=message):
        build(GridTransform((8,)))
