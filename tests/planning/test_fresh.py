import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from overtone import signals
from overtone._config import EncodingKind, ModelConfig
from overtone.errors import InputError
from overtone.nn._build import build_field
from overtone.planning import fresh
from overtone.planning._fresh import summed_spectrum


def slow_spectrum(values, entries):
    """By the definition: one sum over samples for every frequency."""
    shape, channels = values.shape[:-1], values.shape[-1]
    found = np.zeros(sum(n // 2 for n in shape) + 1)
    for k in np.ndindex(*(n // 2 + 1 for n in shape)):
        for channel in range(channels):
            total = 0.0
            for n in np.ndindex(*shape):
                phase = sum(a * b / size for a, b, size in zip(k, n, shape, strict=True))
                total += values[(*n, channel)] * np.exp(-2j * math.pi * phase)
            found[sum(k)] += abs(total)
    return found[1 : entries + 1]


@settings(max_examples=10, deadline=None)
@given(
    st.sampled_from([(9,), (6, 5), (4, 4), (3, 4, 2)]),
    st.integers(1, 2),
    st.integers(0, 99),
    st.integers(1, 9),
)
def test_the_spectrum_is_that_of_the_definition(shape, channels, seed, entries):
    values = torch.randn(*shape, channels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    # Sums of at most 30 samples of size 4 in float64, added over at most 60 modes.
    np.testing.assert_allclose(
        summed_spectrum(values, entries), slow_spectrum(values.numpy(), entries), atol=1e-11
    )


class Waves(nn.Module):
    """One wave along the first axis, its frequency and phase drawn around a centre."""

    def __init__(self, centre, seed):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.frequency = centre + round(2 * float(torch.rand((), generator=generator)) - 1)
        self.phase = 6 * float(torch.rand((), generator=generator))

    def forward(self, coords):
        return torch.cos(2 * math.pi * self.frequency * coords[:, :1] + self.phase)


def test_the_candidate_of_the_same_spectrum_wins_and_distances_are_those_of_the_waves():
    signal = signals.synthetic.harmonics([20], samples=256)
    found = fresh(signal, [lambda seed, c=c: Waves(c, seed) for c in (4, 12, 20, 40)], seeds=6)
    assert found.best == 2
    assert found.distance[0] == pytest.approx(16, abs=1.1)
    assert found.distance[3] == pytest.approx(20, abs=1.1)
    assert found.distance[2] < 1.1


def test_rougher_signals_want_more_bandwidth():
    def best(exponent):
        signal = signals.synthetic.power_law((32, 32), exponent, seed=0)
        reaches = [(b, b) for b in (0.5, 1.0, 2.0, 4.0, 8.0)]
        return fresh(
            signal,
            [
                lambda seed, r=r: build_field(
                    signal, ModelConfig(EncodingKind.GAUSSIAN, r, width=32, depth=2, features=32), seed
                )
                for r in reaches
            ],
            seeds=2,
        ).best

    assert best(1.0) > best(5.0)


def test_wrong_input_is_named():
    signal = signals.synthetic.harmonics([3], samples=32)
    with pytest.raises(InputError, match="at least one candidate and one seed, got 0 and 10"):
        fresh(signal, [])
    with pytest.raises(InputError, match="got 1 and 0"):
        fresh(signal, [lambda seed: Waves(3, seed)], seeds=0)
