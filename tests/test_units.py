"""Every converter against the measured spectrum of each formula, written out as its library has it."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtone import units
from overtone.errors import InputError
from overtone.nn import MLP
from overtone.nn.activations import ComplexGabor, Finer, Gauss, Sine
from overtone.units._conventions import lowest_cycles
from tests.nn.measured import bandwidth

M = 256
EVEN = (np.arange(M) + 0.5) / M
NORMAL = np.array([NormalDist().inv_cdf(u) for u in EVEN])
CUT = np.array(
    [NormalDist().inv_cdf(NormalDist().cdf(-3) + u * (1 - 2 * NormalDist().cdf(-3))) for u in EVEN]
)
UNIFORM = 2 * EVEN - 1
INPUTS = 2
LENGTHS = 4
"""Lengths of the samples to look at, so that less than one cycle across them is seen as a frequency."""


def pair(angle: np.ndarray) -> np.ndarray:
    return np.concatenate([np.cos(angle), np.sin(angle)], axis=-1)


def octaves(count: float) -> np.ndarray:
    """Exponents 0 ... L-1; for a count that is not whole, counted down from the highest."""
    return count - 1 - np.arange(max(1, math.floor(count)))


def growing(omega: float, x: np.ndarray, bias: float) -> np.ndarray:
    """FINER's first layer on coordinates that go to and fro between -1 and 1, over which its law is the same."""
    there = 1 - np.abs(np.mod(x, 4.0) - 2.0)
    z = there[:, None] * (UNIFORM / INPUTS) + bias * np.mod(np.arange(M) * 0.618034, 1.0) * 2 - bias
    return np.sin(omega * (np.abs(z) + 1) * z)


def bumps(x: np.ndarray, shape: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Units of slopes and biases as PyTorch draws them; a bump lies among the samples the rarer, the broader it is."""
    places = x[0] + (x[-1] - x[0]) * (0.25 + 0.5 * np.mod(np.arange(M) * 0.618034, 1.0))
    values = shape((x[:, None] - places) * (UNIFORM / math.sqrt(INPUTS)))
    return values * np.tile(np.sqrt(np.abs(UNIFORM)), values.shape[1] // M)


FORMULAS = {
    "bandwidth": lambda v, x: pair(2 * np.pi * x[:, None] * UNIFORM * v / 0.9),
    "tancik": lambda v, x: pair(2 * np.pi * x[:, None] * (NORMAL * v)),
    "ffn": lambda v, x: pair(2 * np.pi * x[:, None] * (NORMAL * v)),
    "rff": lambda v, x: pair(2 * np.pi * x[:, None] * (NORMAL * v)),
    "nerfstudio-rff": lambda v, x: pair((2 * np.pi * x)[:, None] * (NORMAL * v)),
    "deepxde": lambda v, x: pair(x[:, None] * (NORMAL * v)),
    "jaxpi": lambda v, x: pair(x[:, None] * (NORMAL * v)),
    "rtdl": lambda v, x: pair(2 * np.pi * (CUT * v) * x[:, None]),
    "pytabkit": lambda v, x: np.cos(
        2 * np.pi * (NORMAL * v) * x[:, None] + np.pi * np.sin(np.arange(M) * 7.0)
    ),
    "tancik-posenc": lambda v, x: pair(2 * np.pi * x[:, None] * (2 ** np.linspace(0, v, M) - 1)),
    "nerf": lambda v, x: pair(2.0 ** octaves(v) * np.pi * x[:, None]),
    "nerfstudio": lambda v, x: pair(2 * np.pi * x[:, None] * 2.0 ** octaves(v)),
    "tcnn": lambda v, x: pair(2.0 ** octaves(v) * np.pi * x[:, None]),
    "siren-posenc": lambda v, x: pair((2.0 ** octaves(v) * np.pi) * x[:, None]),
    "finer-posenc": lambda v, x: pair(2.0 ** octaves(v) * x[:, None]),
    "siren": lambda v, x: np.sin(v * (x[:, None] * (UNIFORM / INPUTS) + 0.7 * np.sin(np.arange(M) * 3.0))),
    "siren-pytorch": lambda v, x: np.sin(
        v * (x[:, None] * (UNIFORM / INPUTS) + 0.5 * np.sin(np.arange(M) * 5.0))
    ),
    "finer": lambda v, x: growing(v, x, 1 / math.sqrt(INPUTS)),
    "finer-bias": lambda v, x: growing(30.0, x, v),
    "wire": lambda v, x: bumps(x, lambda z: pair(v * z) * np.tile(np.exp(-((1.5 * v * z) ** 2)), 2)),
    "wire-scale": lambda v, x: bumps(x, lambda z: pair(20.0 * z) * np.tile(np.exp(-((v * z) ** 2)), 2)),
    "gauss": lambda v, x: bumps(x, lambda z: np.exp(-((v * z) ** 2))),
    "gauss-width": lambda v, x: bumps(x, lambda z: np.exp(-(z**2) / (2 * v**2))),
}
RANGE = {
    **dict.fromkeys(("bandwidth", "tancik", "ffn", "rff", "nerfstudio-rff", "deepxde"), (0.0, 1.0)),
    **dict.fromkeys(("tancik-posenc", "nerfstudio", "tcnn"), (0.0, 1.0)),
    **dict.fromkeys(("nerf", "siren-posenc", "finer-posenc", "siren", "siren-pytorch"), (-1.0, 1.0)),
    **dict.fromkeys(("finer", "finer-bias", "wire", "wire-scale", "gauss", "gauss-width"), (-1.0, 1.0)),
    "jaxpi": (0.0, math.tau),
    "rtdl": (-3.0, 3.0),
    "pytabkit": (-2.0, 2.0),
}
START = {
    "bandwidth": 50.0,
    "tancik": 25.0,
    "ffn": 30.0,
    "rff": 20.0,
    "nerfstudio-rff": 30.0,
    "deepxde": 150.0,
    "jaxpi": 30.0,
    "rtdl": 5.0,
    "pytabkit": 7.0,
    "tancik-posenc": 6.2,
    "nerf": 6,
    "nerfstudio": 7,
    "tcnn": 7,
    "siren-posenc": 6,
    "finer-posenc": 8,
    "siren": 300.0,
    "siren-pytorch": 250.0,
    "finer": 200.0,
    "finer-bias": 10.0,
    "wire": 200.0,
    "wire-scale": 300.0,
    "gauss": 400.0,
    "gauss-width": 0.002,
}
OCTAVES = {"nerf", "nerfstudio", "tcnn", "siren-posenc", "finer-posenc"}


@cache
def measured(name: str, value: float, domain: tuple[float, float] | None = None) -> float:
    """Cycles across the samples that hold 90 % of the power of the library's features."""
    low, high = domain or RANGE[name]
    stretch = (low, low + LENGTHS * (high - low))
    return bandwidth(lambda x: FORMULAS[name](value, x), stretch, samples=2048) / LENGTHS


def converted(name: str, other: str, domain: tuple[float, float] | None = None) -> float:
    return units.convert(
        START[name], of=name, to=other, domain=domain or RANGE[name], to_domain=RANGE[other], inputs=INPUTS
    )


def test_every_convention_is_measured():
    assert set(FORMULAS) == set(RANGE) == set(START) == {*units.CONVENTIONS, "ffn"}


@pytest.mark.parametrize("name", FORMULAS)
def test_usual_ranges(name):
    usual = units.CONVENTIONS.get(name, units.CONVENTIONS["tancik"]).domain
    assert usual is None if name in {"jaxpi", "rtdl", "pytabkit"} else usual == RANGE[name]


@pytest.mark.parametrize("other", FORMULAS)
@pytest.mark.parametrize("name", FORMULAS)
def test_the_same_bandwidth_is_measured_in_both_conventions(name, other):
    before, after = measured(name, START[name]), measured(other, converted(name, other))
    # A bin is a quarter of a cycle. The cut of rtdl's normal law takes 0.7 %; the slowest 3 % of log-linear
    # frequencies look constant over four lengths, which moves the quantile by 1.2 %; laws are drawn at 256
    # even quantiles, whose steps near 90 % are 1 %.
    low, high = 0.97 * before - 0.5, 1.03 * before + 0.5
    if other in OCTAVES and name not in OCTAVES:
        high *= 2  # the least whole number of octaves that reaches it
    assert low <= after <= high


@pytest.mark.parametrize("name", FORMULAS)
def test_the_bandwidth_itself_is_measured(name):
    """Against the FFT alone: the value in cycles across the samples."""
    assert converted(name, "bandwidth") == pytest.approx(measured(name, START[name]), rel=0.03, abs=0.5)


@pytest.mark.parametrize(
    ("name", "other", "octaves_off"),
    [
        ("deepxde", "tancik", math.log2(2 * math.pi)),
        ("jaxpi", "rff", math.log2(2 * math.pi)),
        ("finer-posenc", "siren-posenc", math.log2(math.pi)),
        ("finer-posenc", "nerfstudio", math.log2(2 * math.pi)),
        ("tcnn", "nerfstudio", 1.0),
    ],
)
def test_taking_a_number_over_unconverted_is_wrong_by_the_known_octaves(name, other, octaves_off):
    """On equal coordinates; log2(pi) = 1.65 and log2(2 pi) = 2.65 octaves."""
    domain = (-1.0, 1.0)
    value = 6 if name in OCTAVES else 60.0
    ratio = measured(other, value, domain) / measured(name, value, domain)
    assert math.log2(ratio) == pytest.approx(octaves_off, abs=0.1)
    same = units.convert(value, of=name, to=other, domain=domain, to_domain=domain)
    assert measured(other, same, domain) == pytest.approx(measured(name, value, domain), rel=0.02, abs=0.5)


def test_finer_and_siren_on_their_own_ranges_are_a_factor_pi_apart():
    assert 8 - units.convert(8, of="finer-posenc", to="nerfstudio") == pytest.approx(math.log2(math.pi))
    assert measured("nerfstudio", 8) / measured("finer-posenc", 8) == pytest.approx(math.pi, rel=0.03)


def test_the_documented_example():
    assert units.convert(10, of="deepxde", to="tancik", domain=(-1, 1)) == pytest.approx(10 / math.pi)
    assert measured("tancik", 100 / math.pi) == pytest.approx(measured("deepxde", 100, (-1, 1)), abs=0.1)


@pytest.mark.parametrize("domain", [(0.0, 2.0), (-1.0, 1.0), (5.0, 6.5)])
@pytest.mark.parametrize("name", ["tancik", "deepxde", "tancik-posenc", "siren"])
def test_another_range_of_the_users(name, domain):
    value = units.convert(START[name], of=name, to="bandwidth", domain=domain, inputs=INPUTS)
    assert value == pytest.approx(measured(name, START[name], domain), rel=0.03, abs=0.5)


def test_siren_thirty_is_far_below_ten():
    assert units.convert(30, of="siren", to="bandwidth", inputs=2) == pytest.approx(0.9 * 30 / (2 * math.pi))
    assert units.convert(30, of="siren", to="tancik", inputs=2) < 10 / 3
    assert 2 * units.sine_bandwidth(30, 2) / 0.9 == pytest.approx(4.775, abs=1e-3)


NEAR = {"finer", "finer-bias"}
"""Known for coordinates from -1 to 1 and from 0 to 1 alone."""

ANY_VALUE = sorted(set(FORMULAS) - OCTAVES - NEAR - {"wire-scale"})


@given(st.sampled_from(ANY_VALUE), st.sampled_from(ANY_VALUE), st.floats(0.5, 12))
def test_there_and_back(name, other, value):
    there = units.convert(value, name, other, domain=(0, 3), to_domain=(-2, 5), inputs=3)
    back = units.convert(there, other, name, domain=(-2, 5), to_domain=(0, 3), inputs=3)
    # 2^S - 1 of a small S cancels: about 1/S digits are lost
    assert back == pytest.approx(value, rel=1e-10)


@pytest.mark.parametrize("domain", [(-1.0, 1.0), (0.0, 1.0)])
@pytest.mark.parametrize("name", [*sorted(NEAR), "wire-scale"])
@pytest.mark.parametrize("inputs", [1, 3])
def test_there_and_back_above_the_lowest_bandwidth(name, domain, inputs):
    lowest = lowest_cycles(name, domain, inputs)
    # Not far above it the bandwidth hardly rises with the biases.
    for cycles in (1.3 * lowest + 1, 10 * lowest + 10):
        value = units.convert(cycles, "bandwidth", name, domain=(0, 1), to_domain=domain, inputs=inputs)
        assert units.convert(
            value, name, "bandwidth", domain=domain, to_domain=(0, 1), inputs=inputs
        ) == pytest.approx(cycles, rel=2e-3)


@pytest.mark.parametrize(
    ("name", "value", "activation"),
    [
        ("finer", 45.0, lambda inputs: Finer(45.0, bias=1 / math.sqrt(inputs))),
        ("finer-bias", 2.0, lambda _: Finer(30.0, bias=2.0)),
        ("wire", 25.0, lambda _: ComplexGabor(25.0, scale=37.5)),
        ("wire-scale", 40.0, lambda _: ComplexGabor(20.0, scale=40.0)),
        ("gauss", 12.0, lambda _: Gauss(12.0)),
        ("gauss-width", 0.1, lambda _: Gauss(1 / (math.sqrt(2) * 0.1))),
        ("siren", 50.0, lambda _: Sine(50.0)),
    ],
)
@pytest.mark.parametrize("inputs", [1, 2])
def test_the_number_is_that_of_the_layer(name, value, activation, inputs):
    network = MLP(inputs, 1, 8, 2, activation(inputs))
    assert units.convert(
        value, name, "bandwidth", domain=(-1, 1), to_domain=(-1, 1), inputs=inputs
    ) == pytest.approx(network.bandwidth[0])


@given(st.floats(1e-3, 1e6), st.integers(2, 300), st.integers(1, 10))
def test_laws_and_inverses(reach, count, inputs):
    assert units.gaussian_bandwidth(units.gaussian_sigma(reach)) == pytest.approx(reach)
    assert units.log_linear_bandwidth(units.log_linear_scale(reach)) == pytest.approx(reach, rel=1e-9)
    assert units.log_linear_bandwidth(units.log_linear_scale(reach, count), count) == pytest.approx(
        reach, rel=1e-9
    )
    assert units.sine_bandwidth(units.sine_omega(reach, inputs), inputs) == pytest.approx(reach)
    octave_count = units.octave_count(reach)
    assert units.octave_bandwidth(octave_count) >= reach * (1 - 1e-11)
    assert octave_count == 1 or max(map(units.octave_bandwidth, range(1, octave_count))) < reach


@pytest.mark.parametrize("count", [1, 64, 1000])
def test_an_even_draw_ends_where_half_of_all_normal_draws_do(count):
    highest = np.abs(np.random.default_rng(0).normal(scale=4.0, size=(4000, count))).max(1)
    assert np.median(highest) == pytest.approx(units.gaussian_highest(4.0, count), rel=0.04)


@given(st.integers(1, 60))
def test_octave_law_is_the_quantile(count):
    frequencies = 2.0 ** np.arange(count)
    held = [sum(frequencies <= b) / count for b in frequencies]
    assert units.octave_bandwidth(count) == next(
        b for b, h in zip(frequencies, held, strict=True) if h >= 0.9
    )


def test_frequencies():
    assert units.cycles_to_radians(1.0) == 2 * math.pi
    assert units.radians_to_cycles(units.cycles_to_radians(3.0)) == 3.0
    assert units.nyquist(1 / 44_100) == pytest.approx(22_050)
    assert units.gaussian_bandwidth(1.0) == pytest.approx(1.6449, abs=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: units.convert(1, of="keras", to="tancik"),
            "expected one of bandwidth, deepxde, ffn, .* got 'keras'",
        ),
        (
            lambda: units.convert(1, of="tancik", to="x"),
            "expected one of bandwidth, deepxde, ffn, .* got 'x'",
        ),
        (
            lambda: units.convert(-1, of="tancik", to="deepxde"),
            "value: expected a positive finite number, got -1",
        ),
        (
            lambda: units.convert(math.nan, of="siren", to="siren"),
            "value: expected a positive finite number, got nan",
        ),
        (
            lambda: units.convert("ten", of="tancik", to="rff"),
            "value: expected a positive finite number, got 'ten'",
        ),
        (
            lambda: units.convert(1, of="jaxpi", to="tancik"),
            "domain: expected the range .* 'jaxpi' has no usual one",
        ),
        (
            lambda: units.convert(1, of="tancik", to="rtdl"),
            "to_domain: expected the range .* 'rtdl' has no usual one",
        ),
        (
            lambda: units.convert(1, of="tancik", to="rff", domain=(1, 0)),
            r"domain: expected a range \(low, high\)",
        ),
        (lambda: units.convert(1, of="tancik", to="siren"), "inputs: expected the number of coordinates"),
        (lambda: units.convert(1, of="wire", to="tancik"), "inputs: expected the number of coordinates"),
        (
            lambda: units.convert(1, of="bandwidth", to="finer-bias", inputs=1),
            r"value: expected a bandwidth above 8.44 cycles per unit, .* omega = 30 allows, got 0.5",
        ),
        (
            lambda: units.convert(1, of="bandwidth", to="wire-scale", inputs=2),
            r"value: expected a bandwidth above 2.03 cycles per unit, .* omega = 20 allows, got 0.5",
        ),
        (
            lambda: units.convert(30, of="finer", to="bandwidth", domain=(0, 10), inputs=1),
            "domain: expected coordinates from -1 to 1 or from 0 to 1",
        ),
        (
            lambda: units.convert(2.5, of="nerf", to="tancik"),
            "count: expected a whole number of at least 1, got 2.5",
        ),
        (lambda: units.convert(1, of="finer-posenc", to="nerf"), "value: expected at least one octave"),
        (lambda: units.nyquist(0.0), "spacing: expected a positive finite number, got 0.0"),
        (lambda: units.gaussian_sigma(math.nan), "bandwidth: expected a positive finite number, got nan"),
        (lambda: units.gaussian_highest(1.0, 0), "count: expected a positive finite number, got 0"),
        (lambda: units.sine_bandwidth(30.0, 0), "inputs: expected a positive finite number, got 0"),
        (lambda: units.log_linear_bandwidth(3.0, 1), "count: expected a whole number of at least 2, got 1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_needs_no_torch():
    code = "import sys, overtone.units; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
