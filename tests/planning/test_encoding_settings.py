"""Settings told for a bandwidth are those with which encodings reach it."""

from __future__ import annotations

import numpy as np
import pytest

import overtone as ot
from overtone.nn import activations, encodings
from overtone.planning._bandwidth import COARSEST, LEVELS, EncodingSettings


def grid(spacing=(0.5, 2.0)):
    return ot.signals.array(np.eye(40, 30), spacing=spacing, unit="mm").geometry


@pytest.mark.parametrize("reach", [(0.4, 0.1), (0.9, 0.05), (0.2, 0.2)])
def test_encodings_so_set_reach_the_bandwidth(reach):
    """To 1e-9 where the law is continuous; octaves reach it or the least power of two beyond, below ten octaves."""
    place = grid()
    found = EncodingSettings.of(reach, place)
    cycles = [b * e for b, e in zip(reach, place.extent, strict=True)]
    assert encodings.Gaussian(2, 16, found.sigma).bandwidth == pytest.approx(cycles, rel=1e-6)
    coarsest = [min(COARSEST, c) for c in found.cells]
    hashed = encodings.HashGrid(2, found.cells, coarsest, LEVELS, log2_rows=4)
    assert hashed.bandwidth == pytest.approx(cycles, rel=1e-6)
    sine = activations.Sine(found.omega).bandwidth(2)
    assert 2 * sine == pytest.approx(max(cycles), rel=1e-9)
    for octaves, wanted in zip(found.octaves, cycles, strict=True):
        assert 2.0 ** (octaves - 1) >= wanted > (2.0 ** (octaves - 2) if octaves > 1 else 0)


def test_the_settings_follow_the_extent_and_not_the_unit():
    """The same picture in other units: cycles per extent are the same, and so are all settings."""
    assert EncodingSettings.of((0.4, 0.1), grid()) == EncodingSettings.of(
        (4.0, 1.0), grid(spacing=(0.05, 0.2))
    )


def test_the_line_names_each_setting():
    assert str(EncodingSettings.of((0.4, 0.1), grid())).startswith(
        "sigma 4.86 x 3.65, 4 x 4 octaves, omega_0 55.9"
    )
