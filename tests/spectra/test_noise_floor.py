import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.errors import InputError
from overtone.spectra import Bands, GridTransform, NoiseVerdict, noise_floor, noise_sentence


def noise(shape: tuple[int, ...], std: float, seed: int) -> np.ndarray:
    return std * np.random.default_rng(seed).standard_normal(shape)


def smooth(*shape: int) -> np.ndarray:
    axes = np.meshgrid(*(np.linspace(0, 1, n) for n in shape), indexing="ij")
    return 0.5 + sum(0.25 / len(shape) * np.sin((5 + 3 * i) * x + i) for i, x in enumerate(axes))


def power_law(shape: tuple[int, ...], exponent: float, seed: int) -> np.ndarray:
    """Amplitudes k^-exponent with random phases, scaled to [0, 1]."""
    squares = np.meshgrid(*(np.fft.fftfreq(n) ** 2 for n in shape), indexing="ij")
    radius = np.sqrt(sum(squares))
    radius.flat[0] = np.inf
    field = np.fft.ifftn(np.fft.fftn(noise(shape, 1, seed)) * radius**-exponent).real
    return (field - field.min()) / np.ptp(field)


def claims(values: np.ndarray, share: float = 0.01) -> bool:
    """Whether noise above `share` of the range is claimed."""
    floor = noise_floor(values)
    return floor.verdict is NoiseVerdict.NOISE and float(floor.std[0]) > share * np.ptp(values)


@pytest.mark.parametrize("shape", [(4096,), (96, 128), (28, 30, 32)])
@pytest.mark.parametrize("std", [0.02, 0.2])
def test_noise_on_a_smooth_signal(shape, std):
    floor = noise_floor(smooth(*shape) + noise(shape, std, 1))
    assert floor.verdict is NoiseVerdict.NOISE
    assert float(floor.std[0]) == pytest.approx(std, rel=0.06)
    assert 0.5 * std < float(floor.low[0]) <= float(floor.std[0]) <= float(floor.high[0]) < 1.15 * std


@pytest.mark.parametrize(("shape", "std"), [((64, 64), 0.1), ((2048,), 0.02)], ids=["picture", "series"])
def test_the_interval_covers_the_truth(shape, std):
    covered = 0
    for seed in range(24):
        floor = noise_floor(smooth(*shape) + noise(shape, std, 100 + seed))
        covered += bool(floor.low[0] <= std <= floor.high[0])
    assert covered >= 0.85 * 24


def test_white_noise_alone_is_noise():
    floor = noise_floor(noise((64, 64), 3.0, 2))
    assert floor.verdict is NoiseVerdict.NOISE
    assert float(floor.std[0]) == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize("shape", [(128, 128), (2048,), (24, 24, 24)])
@pytest.mark.parametrize("exponent", [0.75, 1.0, 2.0])
def test_no_claim_on_clean_power_laws(shape, exponent):
    claimed = sum(claims(power_law(shape, exponent, seed)) for seed in range(4))
    assert claimed == 0


def test_a_slow_power_law_cannot_be_told_from_noise():
    floor = noise_floor(power_law((128, 128), 1.0, 3))
    assert floor.verdict is NoiseVerdict.CANNOT_TELL
    assert "Cannot tell: the signal has power up to the Nyquist frequency" in noise_sentence(floor)


t = np.arange(4096) / 4096
x, y = np.meshgrid(np.linspace(0, 1, 160), np.linspace(0, 1, 160))
CLEAN = {
    "harmonics": sum(np.sin(2 * np.pi * 3 * k * t) / k for k in range(1, 40)),
    "high tones": np.sin(2 * np.pi * 1700.3 * t) + np.cos(2 * np.pi * 801 * t),
    "step": 1.0 * (t > 0.37),
    "square wave": np.sign(np.sin(2 * np.pi * 7.3 * t)),
    "chirp to Nyquist": np.sin(np.pi * 2048 * t**2),
    "gradient": x + 0.3 * y,
    "disc": 1.0 * (np.hypot(x - 0.5, y - 0.5) < 0.3),
    "triangles": 0.7 * ((x > 0.3) & (x + y < 1.3)) + 0.2 * (x > 2 * y),
    "chessboard": 1.0 * ((np.arange(160)[:, None] // 20 + np.arange(160) // 20) % 2),
    "finest chessboard": 1.0 * ((np.arange(160)[:, None] + np.arange(160)) % 2),
    "ball": 1.0 * (sum(a**2 for a in np.meshgrid(*[np.linspace(-1, 1, 24)] * 3)) < 0.6),
}


@pytest.mark.parametrize("name", CLEAN)
def test_no_claim_on_clean_signals(name):
    assert not claims(CLEAN[name])


@pytest.mark.parametrize(
    "name", ["harmonics", "step", "square wave", "disc", "triangles", "chessboard", "ball"]
)
def test_noise_on_clean_signals_is_found(name):
    values = CLEAN[name] / np.ptp(CLEAN[name])
    floor = noise_floor(values + noise(values.shape, 0.05, 4))
    assert floor.verdict is NoiseVerdict.NOISE
    assert float(floor.std[0]) == pytest.approx(0.05, rel=0.1)


@pytest.mark.parametrize(
    "shape", [(2,), (3,), (7,), (64,), (1, 40), (3, 5), (16, 16), (2, 2, 2), (4, 300), (1, 1, 9)]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_small_signals_get_wide_intervals(shape, seed):
    floor = noise_floor(noise(shape, 1.0, seed))
    assert float(floor.low[0]) <= float(floor.std[0]) <= float(floor.high[0])
    assert math.isfinite(float(floor.high[0]))
    if math.prod(shape) <= 256:
        assert floor.verdict is NoiseVerdict.CANNOT_TELL
        assert "too short" in noise_sentence(floor)


def test_a_constant_is_clean():
    floor = noise_floor(torch.full((32, 32), 7.0))
    assert floor.verdict is NoiseVerdict.CLEAN
    assert float(floor.high[0]) == 0
    assert "no white noise" in noise_sentence(floor)


def test_the_steps_of_coarse_rounding_are_no_noise():
    floor = noise_floor(torch.as_tensor(1e6 + smooth(128, 128), dtype=torch.float32))
    assert floor.verdict is NoiseVerdict.CLEAN
    assert float(floor.std[0]) < 1e6 * torch.finfo(torch.float32).eps


@settings(max_examples=15, deadline=None)
@given(
    scale=st.floats(1e-6, 1e6),
    offset=st.floats(-100, 100),
    sign=st.sampled_from([-1, 1]),
    seed=st.integers(0, 99),
)
def test_scale_and_offset_carry_over(scale, offset, sign, seed):
    values = smooth(48, 40) + noise((48, 40), 0.05, seed)
    plain, moved = noise_floor(values), noise_floor(sign * scale * (values + offset))
    assert moved.verdict is plain.verdict
    # Values of size 100 are rounded to 100 eps = 2e-14 of the range, 1e-12 of the noise's power.
    np.testing.assert_allclose(moved.std, scale * plain.std, rtol=1e-9)
    np.testing.assert_allclose(moved.high, scale * plain.high, rtol=1e-9)


def test_channels_are_estimated_each_by_itself():
    stds = (0.02, 0.1, 0.0)
    channels = [smooth(96, 80) + noise((96, 80), std, k) for k, std in enumerate(stds)]
    floor = noise_floor(np.stack(channels), channel_axis=0)
    assert floor.verdict is NoiseVerdict.NOISE
    assert floor.verdicts == (NoiseVerdict.NOISE, NoiseVerdict.NOISE, NoiseVerdict.CLEAN)
    assert "2 of 3 channels" in noise_sentence(floor)
    for c, channel in enumerate(channels):
        alone = noise_floor(channel)
        assert float(floor.std[c]) == float(alone.std[0])
        for name, estimate in floor.estimates.items():
            assert float(estimate[c]) == float(alone.estimates[name][0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_and_form(dtype):
    values = torch.as_tensor(smooth(64, 64) + noise((64, 64), 0.1, 5))
    floor, exact = noise_floor(values.to(dtype)), noise_floor(values.numpy())
    for name in ("std", "low", "high", "power"):
        assert getattr(floor, name).dtype is torch.float64
    assert floor.std.shape == (1,)
    assert set(floor.estimates) == {"wavelet", "spectrum", "quiet blocks"}
    # Rounding of 6e-8 against noise of 0.1: 1e-6 of the amplitude, of which the level is a mean.
    np.testing.assert_allclose(floor.std, exact.std, rtol=1e-5)


def test_gradients_are_not_needed_and_values_are_left_alone():
    values = torch.as_tensor(smooth(64, 64) + noise((64, 64), 0.1, 6)).requires_grad_()
    before = values.detach().clone()
    floor = noise_floor(values)
    assert not floor.power.requires_grad
    assert torch.equal(values.detach(), before)


def test_the_power_is_flat_over_the_modes_and_closes():
    shape, spacing = (40, 64), (0.1, 0.2)
    values = np.stack([smooth(*shape) + noise(shape, std, 7) for std in (0.1, 0.3)], -1)
    floor = noise_floor(values, spacing, channel_axis=-1, bands=[0, 1, 2])
    transform = GridTransform(shape, spacing, bands=[0, 1, 2])
    assert floor.bands == transform.bands
    share = transform.modes.double() / math.prod(shape)
    torch.testing.assert_close(floor.power, share[:, None] * floor.std**2, rtol=1e-14, atol=0)
    torch.testing.assert_close(floor.power.sum(0), floor.std**2, rtol=1e-12, atol=0)


def test_spacing_moves_the_bands_and_nothing_else():
    values = smooth(64, 48) + noise((64, 48), 0.1, 8)
    near, far = noise_floor(values, 0.001), noise_floor(values, 50.0, bands=Bands((0.0, 0.001, 0.01)))
    assert torch.equal(near.std, far.std)
    assert near.bands.high[-1] > 1000 * far.bands.high[-1]


def test_periodic_axes_are_taken_as_such():
    wave = np.cos(2 * math.pi * 311 * np.arange(1024) / 1024)
    floor = noise_floor(wave + noise((1024,), 1e-4, 9), periodic=True)
    assert float(floor.std[0]) == pytest.approx(1e-4, rel=0.15)


def test_long_signals_are_sampled_and_short_stretches_do_not_decide():
    values = torch.randn(1 << 22, generator=torch.Generator().manual_seed(10)) * 0.05
    values += torch.linspace(0, 1, 1 << 22)
    floor = noise_floor(values)
    assert floor.verdict is NoiseVerdict.NOISE
    assert float(floor.std[0]) == pytest.approx(0.05, rel=0.02)


def test_noise_that_grows_towards_nyquist_is_called_not_white():
    white = noise((130, 130), 0.05, 11)
    blurred = sum(white[i : i + 128, j : j + 128] for i in range(3) for j in range(3)) / 9
    white = white[1:-1, 1:-1]
    sharpened = noise_floor(smooth(128, 128) + 2 * white - blurred)
    assert sharpened.rising == (True,)
    assert "not white" in noise_sentence(sharpened)
    plain = noise_floor(smooth(128, 128) + white)
    assert plain.rising == (False,)
    assert "not white" not in noise_sentence(plain)


def test_low_passed_noise_is_not_given_its_full_strength():
    white = noise((130, 130), 0.1, 12)
    blurred = sum(white[i : i + 128, j : j + 128] for i in range(3) for j in range(3)) / 9
    floor = noise_floor(smooth(128, 128) + blurred)
    assert floor.verdict is not NoiseVerdict.NOISE or float(floor.std[0]) < 0.5 * blurred.std()


def test_the_sentence_has_the_figures():
    floor = noise_floor(smooth(96, 96) + noise((96, 96), 0.1, 13))
    assert f"{float(floor.std[0]):.3g}" in noise_sentence(floor)
    assert f"between {float(floor.low[0]):.3g} and {float(floor.high[0]):.3g}" in noise_sentence(floor)
    assert "range" in noise_sentence(floor)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([1.0, np.nan, 2.0]), "expected finite values"),
        (np.ones(4) * 1j, "expected real values"),
        (np.ones((2, 2, 2, 2)), "expected values on a grid of 1 to 3 axes"),
        (np.ones(0), "expected values to analyse"),
        (np.ones(1), "expected at least two samples"),
    ],
)
def test_impossible_values_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        noise_floor(values)


def test_a_long_signal_with_a_flat_middle_is_read_where_it_varies(monkeypatch):
    from overtone.spectra import _noise_floor as floor

    monkeypatch.setattr(floor, "_MAX_SAMPLES", 32 * 32)
    values = np.random.default_rng(0).normal(size=(96, 96))
    np.testing.assert_array_equal(floor._piece(values), values[32:64, 32:64])
    values[20:, :] = 0
    assert floor._piece(values).shape == (32, 32)
    assert floor._piece(values)[:20].std() > 0.5
