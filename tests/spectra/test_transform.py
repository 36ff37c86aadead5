from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from overtone.spectra._grid_modes import cosine, cosine_by_fft, forward
from tests.spectra.twins import basis, tolerance

PRECISION = {torch.float32: 2.0**-24, torch.float64: 2.0**-53}


def random(shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def error_bound(field):
    """The 2-norm bound of `tolerance`, with the band's power zero and the root taken."""
    squares = float(field.double().square().sum())
    return math.sqrt(float(tolerance(np.zeros(1), squares, field.numel(), PRECISION[field.dtype])[0]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 16, 25])
@pytest.mark.parametrize("way", [cosine, cosine_by_fft])
def test_cosine_transform_is_the_dense_sum(way, n, dtype):
    field = random((3, n), n, dtype)
    dense = field.double().numpy() @ basis(n, 1.0, False)[0].T
    found = way(field.clone(), (1,))
    assert found.dtype == dtype
    assert np.linalg.norm(found.double().numpy() - dense) <= error_bound(field)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 2), (0, 1, 2)])
def test_both_ways_to_the_cosine_transform_agree(axes, dtype):
    field = random((5, 6, 7), 1, dtype)
    one, other = cosine(field.clone(), axes), cosine_by_fft(field, axes)
    assert one.shape == other.shape == field.shape
    assert (one - other).double().norm() <= 2 * error_bound(field)


def test_periodic_axes_are_the_dense_fourier_sum():
    field = random((4, 5, 6))
    found = forward(field.clone(), (1,), (0, 2)).numpy()
    dense = field.numpy().astype(complex)
    for axis, wraps in enumerate((True, False, True)):
        rows = basis(field.shape[axis], 1.0, wraps)[0]
        dense = np.moveaxis(np.tensordot(rows, dense, axes=(1, axis)), 0, axis)
    assert np.abs(found - dense[..., :4]).max() <= error_bound(field)


def test_gradients_flow_through_the_transform():
    field = random((3, 4)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: forward(x, (0, 1), ()), (field,))
    assert torch.autograd.gradcheck(lambda x: forward(x, (0,), (1,)), (field,))
