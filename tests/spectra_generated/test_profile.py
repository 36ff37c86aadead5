from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from overtone.errors import InputError
from overtone.spectra import grid
from overtone.spectra.generated import Resize, profiles
from tests.spectra_generated.fields import GAINS, coloured, nearest, white, zeros_between

few = settings(max_examples=10, deadline=None)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", [(3, 12, 10, 2), (3, 9, 16)])
def test_each_picture_has_its_own_spectrum(periodic, shape):
    pictures = torch.from_numpy(np.random.default_rng(0).normal(size=shape)) + 2
    found = profiles(pictures, periodic=periodic)
    axis = None if len(shape) == 3 else -1
    for one, power in zip(pictures, found.power, strict=True):
        wanted = grid(one, 1 / shape[1], periodic=periodic, channel_axis=axis, bands=found.bands)
        torch.testing.assert_close(power, wanted.power, rtol=1e-10, atol=1e-15)
    assert int(found.modes.sum()) == shape[1] * shape[2]
    torch.testing.assert_close(found.density * found.modes[:, None], found.mean)


def azimuthal(pictures):
    """Mean of |F|^2 over rings of integer radius, by loops: (N, ring)."""
    side = pictures.shape[1]
    out = []
    for picture in pictures.numpy():
        modes = np.abs(np.fft.fft2(picture)) ** 2 / side**4
        rings = {}
        for (i, j), power in np.ndenumerate(modes):
            radius = np.hypot(min(i, side - i), min(j, side - j))
            rings.setdefault(int(np.floor(radius + 0.5)), []).append(power)
        out.append([np.mean(rings[r]) for r in range(side // 2)])
    return np.array(out)


def test_the_density_is_the_azimuthal_mean():
    pictures = white(3, 14)
    edges = [0, *np.arange(0.5, 7), 7]
    found = profiles(pictures, periodic=True, bands=edges)
    wanted = azimuthal(pictures)
    assert found.bands.edges[7] == 6.5
    np.testing.assert_allclose(found.density[:7, 0], wanted.mean(0)[:7], rtol=1e-10)
    assert not np.allclose(profiles(pictures, bands=edges).density[:7, 0], wanted.mean(0)[:7], rtol=1e-2)


@few
@given(st.integers(1, 5), st.integers(2, 12), st.integers(2, 12), st.floats(0.1, 5), st.booleans())
def test_power_closes_and_scales(count, height, width, factor, periodic):
    pictures = torch.from_numpy(np.random.default_rng(height).normal(size=(count, height, width, 2)))
    found = profiles(pictures, periodic=periodic)
    torch.testing.assert_close(found.power.sum(1), pictures.square().mean((1, 2)), rtol=1e-12, atol=0)
    scaled = profiles(factor * pictures, periodic=periodic)
    torch.testing.assert_close(scaled.power, factor**2 * found.power, rtol=1e-9, atol=1e-30)


@few
@given(st.integers(0, 15), st.integers(0, 15))
def test_a_shift_keeps_the_profile_of_what_wraps_around(down, right):
    pictures = coloured(3, 16, lambda f: 1 / (1 + f) ** 2)
    moved = profiles(pictures.roll((down, right), (1, 2)), periodic=True)
    torch.testing.assert_close(moved.power, profiles(pictures, periodic=True).power, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("upsample", GAINS, ids=lambda f: f.__name__)
def test_upsampled_white_noise_has_the_filters_profile(upsample):
    """At least 60 independent modes a band: 5 standard deviations, 5 sqrt(2 / (2200 * 60)), are 2 %."""
    edges = [0, 0.5, 4.5, 8.5, 12.5, 16]
    found = profiles(upsample(white(2200, 16)), periodic=True, bands=edges)
    w = 2 * np.pi * np.fft.fftfreq(32)
    gain = GAINS[upsample](w)
    power = gain[:, None] * gain[None] / 4 / 32**2
    radius = np.hypot(w[:, None], w[None]) / (2 * np.pi) * 32
    wanted = np.bincount(np.searchsorted(edges[1:], radius.ravel()), power.ravel())
    np.testing.assert_allclose(found.mean[1:, 0], wanted[1:], rtol=0.02)
    others = [f for f in GAINS if f is not upsample]
    for other in others:
        wrong = GAINS[other](w)[:, None] * GAINS[other](w)[None] / 4 / 32**2
        apart = np.bincount(np.searchsorted(edges[1:], radius.ravel()), wrong.ravel())[1:] / wanted[1:]
        assert np.abs(apart - 1).max() > 0.2, "the control: another filter's profile"


def test_zeros_between_repeat_the_spectrum():
    """X'(k) = X(k mod n): the mean power at k and at n - k is one and the same, exactly, along each axis."""
    small = coloured(20, 16, lambda f: 1 / (1 + f) ** 3)
    modes = torch.fft.fft2(zeros_between(small)).abs().square().mean(0)
    torch.testing.assert_close(modes[:16, :16], modes[16:, 16:], rtol=1e-9, atol=1e-20)
    copied = profiles(zeros_between(small), periodic=True)
    smooth = profiles(nearest(small), periodic=True)
    corner = torch.from_numpy(copied.bands.low >= 15)
    assert float(copied.density[corner].mean() / smooth.density[corner].mean()) > 30


def test_batches_and_precision_do_not_matter():
    pictures = white(5, 12)
    whole = profiles(pictures)
    torch.testing.assert_close(profiles(pictures[2:3]).power[0], whole.power[2], rtol=1e-12, atol=0)
    single = profiles(pictures.float())
    bound = 100 * torch.finfo(torch.float32).eps
    torch.testing.assert_close(single.power, whole.power, rtol=bound, atol=bound / 144)
    assert float(single.floor[0]) == pytest.approx(
        torch.finfo(torch.float32).eps ** 2 * float(whole.mean.sum()), rel=1e-3
    )


def test_area_is_the_mean_of_rectangles():
    pictures = white(2, 12, channels=3)
    small = Resize.area(4, 6).apply(pictures.movedim(-1, 1))
    wanted = pictures.reshape(2, 4, 3, 6, 2, 3).mean((2, 4)).movedim(-1, 1)
    torch.testing.assert_close(small, wanted, rtol=0, atol=1e-14)


def test_bicubic_is_that_of_pillow():
    """Pillow computes in float32 with weights in double precision."""
    picture = white(1, 24)[0].float()
    ours = Resize.bicubic(10, 7).apply(picture[None, None])[0, 0]
    theirs = np.asarray(Image.fromarray(picture.numpy()).resize((7, 10), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_rules_differ_in_what_they_damp():
    """Folding: area lets through what bicubic takes away above the new Nyquist frequency."""
    fast = torch.from_numpy(np.cos(2 * np.pi * 13 * (np.arange(32) + 0.5) / 32))[None, None, :].expand(
        2, 32, 32
    )
    area, cubic = (
        float(profiles(fast, resize=rule(16, 16)).mean.sum()) for rule in (Resize.area, Resize.bicubic)
    )
    assert cubic < 0.5 * area


def broken(value):
    pictures = white(4, 8)
    pictures[2, 3, 3] = value
    return pictures


REFUSED = {
    "NaN": (
        broken(torch.nan),
        {},
        "pictures of finite numbers, got NaN or infinity in 1 of 4, first in picture 2",
    ),
    "one picture": (white(1, 8)[0], {}, r"pictures of shape .N, height, width. or .*, got shape .8, 8."),
    "constant": (torch.ones(3, 8, 8), {}, "pictures that vary, got constant pictures"),
    "enlarging": (
        white(2, 8),
        {"resize": Resize.bicubic(16, 16)},
        "resize: expected a size from 2 x 2 to that of the pictures, 8 x 8, got 16 x 16",
    ),
    "no whole factor": (
        white(2, 8),
        {"resize": Resize.area(3, 4)},
        "a whole multiple of 3 x 4, got 8 x 8; crop",
    ),
    "text": (np.array([["a"]]), {}, "pictures: expected an array of numbers"),
    "none": (white(0, 8), {}, "pictures: expected values to analyse, got an empty array"),
    "complex": (white(2, 8) + 1j, {}, "pictures: expected real values"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_are_no_pictures_gets_one_sentence(name):
    pictures, arguments, sentence = REFUSED[name]
    with pytest.raises(InputError, match=sentence):
        profiles(pictures, **arguments)


def test_keeping_is_no_change():
    picture = white(1, 4)
    assert Resize.none().apply(picture) is picture
    assert (
        len(
            {Resize.none().name, Resize.area(4, 4).name, Resize.bicubic(4, 4).name, Resize.bicubic(4, 5).name}
        )
        == 4
    )
