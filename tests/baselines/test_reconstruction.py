import numpy as np
import torch
from skimage.transform import radon

import overtone as ot
from overtone.baselines import reconstruct
from overtone.fitting._measured import as_outputs
from overtone.fitting._measured_split import split_measured

SIDE = 24


def disc():
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    return 1.0 * (np.hypot(x, y) < 8) - 0.5 * (np.hypot(x - 2, y) < 3)


def error(values):
    return float((as_outputs(values)[:, 0].reshape(SIDE, SIDE) - torch.from_numpy(disc())).square().mean())


def pictures(problem):
    fitted, held_out = split_measured(problem, 0.1, 0)
    judge = lambda values: float(held_out.loss(lambda _: as_outputs(values)))  # noqa: E731
    return {one.name: one.values for one in reconstruct(problem, judge, fitted)}


def test_total_variation_nearly_restores_a_disc_from_half_of_its_coefficients():
    full = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(disc()), norm="ortho"))
    mask = np.random.default_rng(0).random(full.shape) < 0.5
    mask[9:15, 9:15] = True
    made = pictures(ot.signals.kspace(full, mask, complex_values=False))
    assert error(made["total variation"]) < 0.05 * error(made["zero-filled"])


def test_projections_in_other_units_give_the_same_pictures():
    turns = np.linspace(0, 180, 16, endpoint=False)
    sinogram = radon(disc(), turns).T
    one = pictures(ot.signals.projections(sinogram, turns))
    # Lengths in millimetres, of which a sample has two: integrals are twice as large.
    other = pictures(ot.signals.projections(2 * sinogram, turns, spacing=2.0, unit="mm"))
    for name in ("filtered back-projection", "SART, 3 passes", "total variation"):
        assert torch.allclose(one[name], other[name], atol=1e-6), name
        assert error(one[name]) < 0.02, name


def test_a_complex_picture_is_restored_in_both_parts():
    values = disc() * np.exp(0.5j)
    full = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(values), norm="ortho"))
    mask = np.random.default_rng(0).random(full.shape) < 0.7
    mask[9:15, 9:15] = True
    made = pictures(ot.signals.kspace(full, mask))["total variation"]
    assert float((made.reshape(SIDE, SIDE) - torch.from_numpy(values)).abs().square().mean()) < 2e-3
