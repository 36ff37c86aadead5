"""Noise added to the pictures that ship with scikit-image, none of them downloaded."""

import numpy as np
import pytest
from skimage import data, util
from skimage.color import rgb2gray

from overtone.spectra import NoiseVerdict, noise_floor


def gray(name: str) -> np.ndarray:
    picture = util.img_as_float(getattr(data, name)())
    return rgb2gray(picture[..., :3]) if picture.ndim == 3 else picture


def noisy(picture: np.ndarray, std: float, seed: int) -> np.ndarray:
    return picture + std * np.random.default_rng(seed).standard_normal(picture.shape)


@pytest.mark.parametrize("std", [0.02, 0.1])
@pytest.mark.parametrize(
    "name", ["astronaut", "camera", "coffee", "coins", "chelsea", "page", "text", "rocket", "moon"]
)
def test_noise_on_natural_pictures_is_found_within_ten_percent(name, std):
    floor = noise_floor(noisy(gray(name), std, 21))
    assert floor.verdict is NoiseVerdict.NOISE
    assert float(floor.std[0]) == pytest.approx(std, rel=0.1)


@pytest.mark.parametrize("name", ["camera", "coffee", "coins"])
def test_the_wavelet_alone_would_not_do(name):
    floor = noise_floor(noisy(gray(name), 0.02, 22))
    assert float(floor.estimates["wavelet"][0]) > 0.02 * 1.2


@pytest.mark.parametrize("name", ["astronaut", "camera", "coins", "rocket", "text", "grass", "gravel"])
def test_clean_pictures_are_not_called_noisy(name):
    floor = noise_floor(gray(name))
    assert floor.verdict is not NoiseVerdict.NOISE or float(floor.std[0]) < 0.01
    assert float(floor.low[0]) < 0.01


@pytest.mark.parametrize("name", ["horse", "checkerboard", "binary_blobs", "shepp_logan_phantom"])
def test_clean_drawings_are_clean(name):
    assert noise_floor(gray(name)).verdict is NoiseVerdict.CLEAN


def test_a_texture_is_told_or_left_open_but_bounded():
    floor = noise_floor(noisy(gray("grass"), 0.02, 23))
    assert floor.verdict is NoiseVerdict.CANNOT_TELL or float(floor.std[0]) == pytest.approx(0.02, rel=0.1)
    assert float(floor.low[0]) <= 0.02 <= float(floor.high[0])


def test_each_colour_has_its_own_noise():
    stds = np.array([0.02, 0.05, 0.1])
    picture = util.img_as_float(data.astronaut())
    floor = noise_floor(noisy(picture, stds, 24), channel_axis=-1)
    np.testing.assert_allclose(floor.std, stds, rtol=0.1)
