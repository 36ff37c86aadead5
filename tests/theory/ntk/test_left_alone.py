"""A kernel leaves a network, in the midst of its training, bit for bit as it was."""

import contextlib

import pytest
import torch

from overtone.errors import InputError
from overtone.theory import ntk
from tests.probes.kinds import KINDS, STEADY
from tests.probes.test_bit_identical import data, same, trained

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("name", [name for name in KINDS if name not in STEADY][::4])
def test_training_is_the_same_with_a_kernel_in_between(name):
    """Of every fourth network that holds something; a kernel that fails must have changed nothing either."""
    x, _ = data()

    def look(network):
        def kernel(step):
            if step in (0, 4, 8):
                with contextlib.suppress(InputError, RuntimeError):
                    assert torch.isfinite(ntk.empirical_ntk(network, x[:3]).matrix).all()

        return kernel

    assert same(trained(name, look), trained(name))
