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


def test_spokes_are_weighted_by_their_density():
    angles, radii = np.arange(24)[:, None] * np.pi / 24, (np.arange(2 * SIDE) - SIDE) / (2 * SIDE)
    spokes = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=-1)
    places = np.stack(np.mgrid[:SIDE, :SIDE] - SIDE // 2, -1).reshape(-1, 2)
    data = np.exp(-2j * np.pi * spokes @ places.T) @ disc().reshape(-1) / SIDE
    problem = ot.signals.noncartesian_kspace(data, spokes, (SIDE, SIDE), complex_values=False)
    # A part of the spokes has its own density.
    made = {
        one.name: one.values for one in reconstruct(problem.split(0.2)[0], lambda v: float(v.abs().mean()))
    }
    assert list(made) == ["scaled adjoint", "density-compensated adjoint", "total variation"]
    assert error(made["density-compensated adjoint"]) < 0.2 * error(made["scaled adjoint"])
    assert error(made["density-compensated adjoint"]) < 0.02
