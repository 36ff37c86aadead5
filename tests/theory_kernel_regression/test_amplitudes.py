"""The twin sees an encoding as it is: its gains and its window too."""

import pytest
import torch

from overtone.errors import InputError
from overtone.nn import encodings
from overtone.signals import synthetic
from overtone.theory import kernel_regression

GRID = synthetic.harmonics([1], samples=16).geometry
EPS = torch.finfo(torch.float32).eps


def kernel(encoding):
    operator = kernel_regression.NTKModel.from_encoding(encoding, GRID).operator(GRID.shape)
    return torch.stack([operator @ row for row in torch.eye(16, dtype=torch.float64)])


def dense(encoding):
    """The kernel of the features themselves, by the same network on its own inputs."""
    from overtone.theory import ntk

    features = encoding(GRID.coords().double())
    wide = ntk.InfiniteNetwork.fully_connected([ntk.DenseLayer.ntk()] * 4, ntk.DualActivation.relu())
    return wide(features).ntk


@pytest.mark.parametrize("cutoff", [None, 3.0])
def test_gains_and_windows_enter(cutoff):
    encoding = encodings.PowerLaw(1, 6, 1.0, 1.0)
    plain = encodings.Gaussian(1, 6, 2.0, seed=0)
    encoding.window(cutoff)
    plain.window(cutoff)
    for one in (encoding, plain):
        expected = dense(one)
        assert torch.allclose(kernel(one), expected, atol=32 * EPS * float(expected.abs().max()))


def test_what_is_no_sum_of_waves_is_refused():
    with pytest.raises(
        InputError, match="expected an encoding with frequencies, for which the kernel is stationary"
    ):
        kernel_regression.NTKModel.from_encoding(encodings.Identity(1), GRID)
