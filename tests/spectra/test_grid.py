from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from overtone.errors import InputError
from overtone.spectra import Bands, GridTransform, grid
from tests.spectra.twins import dense_cross, tolerance

PRECISION = {torch.float32: 2.0**-24, torch.float64: 2.0**-53}
CLOSES = {torch.float32: 1e-6, torch.float64: 1e-12}
CASES = [
    (shape, periodic)
    for shape in [(13,), (16,), (6, 9), (7, 4), (1, 8), (4, 5, 3)]
    for periodic in itertools.product([True, False], repeat=len(shape))
]


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("shape", "periodic"), CASES)
def test_power_and_cross_power_are_the_dense_sums(shape, periodic, dtype):
    spacing = (0.5, 1.0, 3.0)[: len(shape)]
    field, other = random(*shape, dtype=dtype) + 1, random(*shape, seed=1, dtype=dtype)
    found = grid(field, spacing, periodic=periodic, reference=other)
    exact, exact_other = field.double().numpy(), other.double().numpy()
    for power, one, two in (
        (found.power, exact, exact),
        (found.cross, exact, exact_other),
        (found.reference_power, exact_other, exact_other),
    ):
        wanted = dense_cross(one, two, spacing, periodic, found.bands)
        total = max(np.square(one).mean(), np.square(two).mean())
        allowed = tolerance(np.full_like(wanted, total), total, field.numel(), PRECISION[dtype])
        assert power.dtype == torch.float64
        assert power.shape == (found.bands.count, 1)
        assert (np.abs(power[:, 0].numpy() - wanted) <= allowed).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [(100_003,), (301, 256), (31, 40, 37)])
def test_power_closes_to_the_mean_square(shape, periodic, dtype):
    field, other = random(*shape, 2, dtype=dtype) + 3, random(*shape, 2, seed=1, dtype=dtype) - 1
    found = grid(field, periodic=periodic, channel_axis=-1, reference=other)
    wanted = field.double().square().flatten(0, -2).mean(0)
    crossed = (field.double() * other.double()).flatten(0, -2).mean(0)
    torch.testing.assert_close(found.power.sum(0), wanted, rtol=CLOSES[dtype], atol=0)
    torch.testing.assert_close(found.cross.sum(0), crossed, rtol=CLOSES[dtype], atol=0)
    torch.testing.assert_close(found.mean_square, wanted, rtol=CLOSES[dtype], atol=0)
    assert found.missing.tolist() == [0, 0]


@pytest.mark.parametrize("n", [64, 65])
@pytest.mark.parametrize(("periodic", "shift"), [(True, 0.0), (False, 0.5)])
def test_a_harmonic_gives_half_its_squared_amplitude_in_its_band(n, periodic, shift):
    bands = Bands.linear((n,), periodic=periodic)
    x = (torch.arange(n, dtype=torch.float64) + shift) / n
    for k, amplitude in [(1, 0.5), (7, 2.0), (30, 3.0)]:
        field = amplitude * torch.cos(2 * math.pi * k * x)
        power = grid(field, periodic=periodic, bands=bands).power[:, 0]
        band = int(bands.index(torch.tensor(float(k))))
        assert power[band] == pytest.approx(amplitude**2 / 2, rel=1e-13)
        outside = torch.cat([power[:band], power[band + 1 :]]).sum()
        assert (
            outside <= (64 * torch.finfo(torch.float64).eps * amplitude) ** 2
        )  # a transform's rounding, squared


def test_a_harmonic_between_two_modes_leaks():
    x = torch.arange(64, dtype=torch.float64) / 64
    power = grid(torch.cos(2 * math.pi * 7.5 * x), periodic=True).power[:, 0]
    assert power.max() < 0.45


def test_a_power_law_keeps_its_slope():
    n, exponent = 4096, 1.5
    k = torch.arange(1, n // 2, dtype=torch.float64)
    phase = 2 * math.pi * torch.rand(len(k), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    half = torch.zeros(n // 2 + 1, dtype=torch.complex128)
    half[1 : n // 2] = torch.polar(k**-exponent * n / 2, phase)
    found = grid(torch.fft.irfft(half, n), periodic=True)
    bands = found.bands
    for band in range(bands.count):
        inside = (k >= bands.low[band]) & (k < bands.high[band])
        assert found.power[band, 0] == pytest.approx(
            float((k[inside] ** -(2 * exponent) / 2).sum()), abs=1e-15
        )


def test_a_large_mean_leaves_no_noise_at_other_frequencies():
    n = 255
    x = torch.arange(n, dtype=torch.float64) / n
    weak = 2.0**-5 * torch.cos(2 * math.pi * 5 * x)
    field = 1024 + (weak * 2**13).round() / 2**13
    single = field.float()
    assert torch.equal(single.double(), field)
    bands = Bands.linear((n,), periodic=True)
    exact = grid(field, periodic=True, bands=bands).power[1:, 0]
    found = grid(single, periodic=True, bands=bands).power[1:, 0]
    allowed = tolerance(exact.numpy(), float(exact.sum()), n, PRECISION[torch.float32])
    assert (np.abs((found - exact).numpy()) <= allowed).all()
    careless = torch.view_as_real(torch.fft.rfft(single, norm="ortho")[1:])
    leaking = careless.double().square().sum(-1) * 2 / n
    assert (np.abs((leaking - exact).numpy()) > allowed).any()


def test_physical_spacing_places_modes_of_anisotropic_volumes():
    shape, spacing = (24, 24, 8), (1.0, 1.0, 3.0)
    thin = torch.arange(8, dtype=torch.float64)
    field = torch.cos(2 * math.pi * 2 * thin / 8).expand(shape)
    found = grid(field, spacing, periodic=True, bands=Bands.linear(shape, spacing, periodic=True))
    band = int(found.power[:, 0].argmax())
    assert found.bands.low[band] < 2 / 24 < found.bands.high[band]
    assert found.power[band, 0] == pytest.approx(0.5)
    noise = grid(random(*shape), spacing, periodic=True)
    assert noise.bands.corner
    assert noise.power[-1] < 0.5 * noise.power.sum()
    smallest = noise.bands.index(torch.tensor(1 / 6))
    assert GridTransform(shape, spacing, True).modes[smallest + 1 :].sum() > 0.9 * 24 * 24 * 8


@pytest.mark.parametrize("periodic", [True, False])
def test_checkerboards_at_nyquist(periodic):
    line = (-1.0) ** torch.arange(16, dtype=torch.float64)
    stripes = grid(line.expand(16, 16), periodic=periodic)
    assert stripes.bands.corner
    checks = grid(line[:, None] * line, periodic=periodic)
    if periodic:
        assert stripes.power[-2] == pytest.approx(1)
        assert checks.power[-1] == pytest.approx(1)
    assert stripes.power[-1] == pytest.approx(0, abs=1e-25)


def test_every_kind_of_array_is_taken():
    field = (100 * random(6, 8)).round().clamp(-120, 120)
    wanted = grid(field).power
    frozen = field.numpy().copy()
    frozen.flags.writeable = False
    same = [
        frozen,
        field.numpy().astype(">f8"),
        field.numpy()[::-1, ::-1][::-1, ::-1],
        field.tolist(),
        field.to(torch.int64),
        field.to(torch.int8),
        field.numpy().astype(np.int32),
        field.half(),
        field.numpy().astype(np.longdouble),
    ]
    for values in same:
        torch.testing.assert_close(grid(values).power, wanted, rtol=1e-5, atol=1e-8)
    wide = (field + 200).to(torch.int32)
    unsigned = [wide.numpy().astype(kind) for kind in (np.uint16, np.uint32, np.uint64)]
    for values in unsigned:
        torch.testing.assert_close(grid(values).power, grid(field + 200).power, rtol=1e-5, atol=1e-6)


def test_values_stay_as_they_were():
    for dtype in (torch.float32, torch.float64):
        field = random(9, 10, dtype=dtype)
        before = field.clone()
        grid(field, reference=field)
        transform = GridTransform((9, 10))
        coefficients = transform.coefficients(field[..., None])
        kept = coefficients.clone()
        transform.power(coefficients)
        transform.cross(coefficients, coefficients)
        assert torch.equal(field, before)
        assert torch.equal(coefficients, kept)


def test_channels_may_lie_on_any_axis():
    field = random(5, 6, 3)
    last = grid(field, channel_axis=-1).power
    assert last.shape[1] == 3
    assert torch.equal(grid(field.movedim(-1, 0), channel_axis=0).power, last)
    for c in range(3):
        torch.testing.assert_close(grid(field[..., c]).power[:, 0], last[:, c], rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("periodic", [True, False, (True, False), (False, True)])
def test_transform_matches_grid_and_residuals_are_differences(periodic):
    target, guess = random(6, 7, 2), random(6, 7, 2, seed=1)
    transform = GridTransform((6, 7), None, periodic)
    a, b = transform.coefficients(target), transform.coefficients(guess)
    found = grid(guess, periodic=periodic, channel_axis=-1, reference=target)
    near = {"rtol": 1e-12, "atol": 1e-14}
    torch.testing.assert_close(transform.power(b), found.power, **near)
    torch.testing.assert_close(transform.cross(b, a), found.cross, **near)
    residual = grid(target - guess, periodic=periodic, channel_axis=-1)
    torch.testing.assert_close(transform.power(a - b), residual.power, **near)
    assert transform.bands == found.bands


def test_gradients_flow_to_the_values():
    for periodic in (True, (False, True)):
        transform = GridTransform((2, 3), None, periodic)
        field = random(2, 3, 1).requires_grad_()
        other = transform.coefficients(random(2, 3, 1, seed=1))
        assert torch.autograd.gradcheck(lambda x, t=transform: t.power(t.coefficients(x)), (field,))
        assert torch.autograd.gradcheck(
            lambda x, t=transform, o=other: t.cross(t.coefficients(x), o), (field,)
        )
        assert torch.autograd.gradgradcheck(lambda x, t=transform: t.power(t.coefficients(x)), (field,))
    assert grid(random(5).requires_grad_()).power.requires_grad


def test_the_extension_is_named_for_records():
    assert grid(random(4, 5), periodic=(True, False)).estimator == "grid: periodic x even"


@pytest.mark.parametrize(
    ("values", "options", "text"),
    [
        (np.zeros((2, 2), complex), {}, "values: expected real values, got torch.complex128; pass real and"),
        (
            np.array(["a"]),
            {},
            "values: expected an array of numbers, got dtype <U1; convert it to a float array",
        ),
        (np.zeros((0, 3)), {}, "values: expected values to analyse, got an empty array of shape (0, 3);"),
        (
            np.zeros((2,) * 4),
            {},
            "expected values on a grid of 1 to 3 axes, got 4 axes of shape (2, 2, 2, 2);",
        ),
        (np.zeros(()), {}, "values: expected an array of 1 to 3 axes, got a single number; pass one picture"),
        (np.zeros((2, 2)), {"channel_axis": 2}, "channel_axis: expected a channel axis below 2, got 2;"),
        (np.zeros((2, 2)), {"spacing": (1,)}, "spacing: expected one spacing per axis (2), got 1;"),
        (
            np.zeros((2, 2)),
            {"bands": [1, 2]},
            "bands: expected band edges that start at 0, got 1.0 as the first",
        ),
        (
            np.zeros((2, 3)),
            {"reference": np.zeros((2, 4))},
            "reference: expected values of shape (2, 3) and channels last, got (2, 4, 1);",
        ),
        (
            np.zeros((2, 3, 2)),
            {"reference": np.zeros((2, 3, 1)), "channel_axis": -1},
            "expected a reference of the values' shape (2, 3, 2), got (2, 3, 1); pass the same samples of both.",
        ),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(values, options, text):
    with pytest.raises(InputError) as caught:
        grid(values, **options)
    assert text in str(caught.value)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_refused_with_their_place(bad):
    field = random(4, 5, 3)
    field[2, 3, 1] = field[3, 0, 1] = bad
    with pytest.raises(
        InputError, match=rf"finite values, got {bad} at index \(2, 3\) of channel 1 \(2 non-finite"
    ):
        grid(field, channel_axis=-1)
    with pytest.raises(InputError, match=r"at index \(2, 3\) of channel 1"):
        GridTransform((4, 5)).coefficients(field.requires_grad_())


def test_an_overflowing_sum_is_not_called_nan():
    with pytest.raises(
        InputError, match=r"whose sum is representable in torch\.float32, got an overflow; pass float64"
    ):
        grid(torch.full((64,), 3e38))


def test_a_transform_refuses_other_shapes():
    transform = GridTransform((4, 5), periodic=True)
    with pytest.raises(InputError, match=r"values of shape \(4, 5\) and channels last, got \(5, 4, 1\)"):
        transform.coefficients(random(5, 4, 1))
    with pytest.raises(
        InputError, match=r"coefficients of shape \(4, 3\) with equal channels last, got \(4, 5, 1\)"
    ):
        transform.power(random(4, 5, 1))
    modes = transform.coefficients(random(4, 5, 2))
    with pytest.raises(InputError, match=r"with equal channels last, got \(4, 3, 1\)"):
        transform.cross(modes, modes[..., :1])
