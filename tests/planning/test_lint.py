"""The check of a setting finds each fault, one finding a fault, and nothing in settings that are right."""

from __future__ import annotations

import math

import pytest

from overtone import units
from overtone.errors import InputError
from overtone.planning import LintCode, lint
from overtone.signals import array, synthetic

SIGNAL = synthetic.power_law((128, 128), 3.0, seed=0)


def codes(*arguments, **options):
    return [finding.code for finding in lint(*arguments, **options).findings]


def suggested(library, signal=SIGNAL, domain=None):
    return lint(signal, library, 10.0, domain=domain or (0, 1)).suggested


@pytest.mark.parametrize("library", [*units.CONVENTIONS])
@pytest.mark.parametrize("domain", [(0, 1), (-1, 1), (-math.pi, math.pi)])
def test_the_suggested_setting_is_right_in_every_library(library, domain):
    if library.startswith("finer") and "posenc" not in library and domain[0] < -1:
        with pytest.raises(InputError, match="coordinates from -1 to 1 or from 0 to 1"):
            suggested(library, domain=domain)
        return
    value = suggested(library, domain=domain)
    # Octaves are counted in whole numbers, and second parameters of activations have a lowest bandwidth: a setting may
    # have twice the bandwidth, at the edge of nothing to say.
    inexact = float(value).is_integer() or library in ("finer-bias", "wire-scale")
    allowed = {LintCode.COORDINATE_RANGE} if inexact else set()
    assert set(codes(SIGNAL, library, value, domain=domain)) <= allowed


def test_the_estimate_is_trusted_to_a_factor_of_four():
    value = suggested("tancik")
    assert codes(SIGNAL, "tancik", 3.9 * value) == codes(SIGNAL, "tancik", value / 3.9) == []
    assert codes(SIGNAL, "tancik", 4.1 * value) == [LintCode.BANDWIDTH_HIGH]
    assert codes(SIGNAL, "tancik", value / 4.1) == [LintCode.BANDWIDTH_LOW]
    low, high = lint(SIGNAL, "tancik", value).suggested_range
    assert (low, high) == pytest.approx((value / 4, value * 4))


def test_radians_and_cycles_are_told_apart():
    cycles, radians = suggested("tancik"), suggested("deepxde")
    assert radians == pytest.approx(2 * math.pi * cycles)
    assert codes(SIGNAL, "tancik", radians) == [LintCode.RADIANS_FOR_CYCLES]
    assert codes(SIGNAL, "deepxde", cycles) == [LintCode.CYCLES_FOR_RADIANS]


def test_the_range_that_a_value_presumes():
    value = suggested("tancik")
    assert codes(SIGNAL, "tancik", value, domain=(-1, 1)) == [LintCode.COORDINATE_RANGE]
    assert codes(SIGNAL, "tancik", value / 2, domain=(-1, 1)) == []
    assert codes(SIGNAL, "tancik", value, domain=(1, 2)) == []


def test_beyond_nyquist_is_an_error_with_the_wave_it_looks_like():
    sigma = units.gaussian_sigma(70.0)
    (finding,) = lint(SIGNAL, "tancik", sigma).findings
    assert finding.code is LintCode.BEYOND_NYQUIST
    assert finding.error
    # 128 samples carry 64 cycles; 70 look like 2 * 64 - 70.
    extent = SIGNAL.geometry.extent[0]
    assert [f * extent for f in finding.values["alias"]] == pytest.approx([58.0, 58.0])


def test_one_value_for_unequal_axes():
    signal = synthetic.harmonics([40], samples=1024).grid_values[:, 0]
    slow = synthetic.harmonics([1], samples=1024).grid_values[:, 0]
    unequal = array((signal[:, None] + slow[None, :]).numpy())
    found = codes(unequal, "tancik", suggested("tancik", unequal))
    assert found == [LintCode.UNEQUAL_AXES]


@pytest.mark.parametrize(
    ("precision", "cycles", "error"),
    [("float16", 15.0, None), ("float16", 20.0, False), ("bfloat16", 10.0, False), ("bfloat16", 25.0, True)],
)
def test_rounding_of_the_phase(precision, cycles, error):
    sigma = units.gaussian_sigma(cycles)
    found = [
        f for f in lint(SIGNAL, "tancik", sigma, precision=precision).findings if "precision" in f.values
    ]
    assert [f.error for f in found] == ([] if error is None else [error])


def test_the_bound_on_the_phase_error_holds_for_real_rounding():
    """Coordinate and product are rounded by PyTorch itself, and the error stays below the stated bound."""
    import torch

    frequency = 20.0
    v = torch.linspace(0, 1, 4001, dtype=torch.float64)
    exact = 2 * math.pi * frequency * v
    rounded = (v.half() * torch.tensor(2 * math.pi * frequency).half()).double()
    # The factor itself is rounded too, which the bound leaves out: it scales all phases alike.
    scale = torch.tensor(2 * math.pi * frequency).half().double() / (2 * math.pi * frequency)
    worst = float((rounded - exact * scale).abs().max())
    (finding,) = [
        f
        for f in lint(SIGNAL, "bandwidth", frequency, precision="float16").findings
        if f.code is LintCode.LOW_PRECISION
    ]
    assert 0.2 * finding.values["phase_error"] < worst < 1.01 * finding.values["phase_error"]


def test_samples_that_are_never_drawn():
    value = suggested("tancik")
    (finding,) = lint(SIGNAL, "tancik", value, steps=10, batch=1000).findings
    assert finding.code is LintCode.SAMPLES_UNVISITED
    assert finding.values["unvisited"] == pytest.approx((1 - 1000 / 128**2) ** 10)
    assert codes(SIGNAL, "tancik", value, steps=100, batch=1000) == []
    assert codes(SIGNAL, "tancik", value, steps=1) == []


def test_what_is_wrong_is_refused():
    for options, said in (
        ({"library": "nothing"}, "pass the library"),
        ({"value": 0.0}, "positive"),
        ({"library": "rtdl"}, "has no usual one"),
        ({"precision": "float8"}, "one of float32, bfloat16, float16"),
        ({"domain": (1, 1)}, "low below high"),
        ({"steps": 0, "batch": 5}, "at least 1"),
    ):
        with pytest.raises(InputError, match=said):
            lint(SIGNAL, **{"library": "tancik", "value": 1.0, **options})


def test_a_setting_with_a_lowest_bandwidth_is_suggested_no_lower():
    """FINER's bias adds to the bandwidth of its omega: for slow signals the suggestion is the lowest bias."""
    slow = synthetic.harmonics([1], samples=512)
    result = lint(slow, "finer-bias", 5.0, domain=(-1, 1))
    assert 0 < result.suggested_range[0] <= result.suggested <= result.suggested_range[1]
    assert LintCode.BANDWIDTH_HIGH in [finding.code for finding in result.findings]
