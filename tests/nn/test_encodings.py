from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from overtone.errors import InputError
from overtone.nn.encodings import Basic, Encoding, Gaussian, Identity, Positional
from overtone.nn.encodings._fourier import equal_power_bandwidth
from tests.nn.measured import bandwidth

EPS32 = 2.0**-24


def along(encoding: Encoding, axis: int):
    """The features as a function of one coordinate, the others held still."""

    def features(x: np.ndarray) -> np.ndarray:
        coords = torch.full((len(x), encoding.in_features), 0.3, dtype=torch.float64)
        coords[:, axis] = torch.from_numpy(x)
        return encoding(coords).numpy()

    return features


def quantile_error(features: int) -> float:
    """Four standard errors of the 90 % quantile of |N(0, 1)| from `features` draws, relative to it."""
    density = 2 * math.exp(-(1.6449**2) / 2) / math.sqrt(2 * math.pi)
    return 4 * math.sqrt(0.9 * 0.1 / features) / density / 1.6449


@pytest.mark.parametrize("sigma", [10.0, 40.0, [8.0, 32.0]])
def test_gaussian_bandwidth_is_that_of_its_features(sigma):
    encoding = Gaussian(2, 2048, sigma, seed=3)
    for axis, nominal in enumerate(encoding.bandwidth):
        found = bandwidth(along(encoding, axis), (0, 1))
        assert found == pytest.approx(nominal, rel=quantile_error(2048), abs=1)
    assert encoding.bandwidth == pytest.approx(
        equal_power_bandwidth(encoding.frequencies), rel=quantile_error(2048)
    )


@pytest.mark.parametrize("wanted", [12.0, (12.0, 60.0)])
@pytest.mark.parametrize("build", [Gaussian.from_bandwidth, Positional.from_bandwidth])
def test_from_bandwidth_has_that_bandwidth(build, wanted):
    encoding = build(2, 1024, wanted)
    nominal = wanted if isinstance(wanted, tuple) else (wanted, wanted)
    assert encoding.bandwidth == pytest.approx(nominal, rel=1e-6)
    for axis in range(2):
        found = bandwidth(along(encoding, axis), encoding.domain)
        assert found == pytest.approx(nominal[axis], rel=quantile_error(1024), abs=1)


def test_a_wrong_bandwidth_would_be_noticed():
    encoding = Gaussian(1, 2048, 10.0)
    found = bandwidth(along(encoding, 0), (0, 1))
    assert found != pytest.approx(10.0, rel=quantile_error(2048), abs=1)
    assert found != pytest.approx(encoding.bandwidth[0] / (2 * math.pi), rel=quantile_error(2048), abs=1)


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        (Basic(2), (1.0, 1.0)),
        (Positional.octaves(2, 6), (32.0, 32.0)),
        (Positional.octaves(1, 11), (512.0,)),
        (Positional.octaves(2, [3, 7]), (4.0, 64.0)),
        (Positional.octaves(1, 4, first=3.0), (24.0,)),
        (Positional([[1.0, 2.0], [5.0]]), (2.0, 5.0)),
    ],
)
def test_whole_frequencies_are_found_exactly(encoding, expected):
    assert encoding.bandwidth == expected
    for axis, nominal in enumerate(expected):
        assert bandwidth(along(encoding, axis), (0, 1), samples=4096) == pytest.approx(nominal, abs=2)


def test_an_axis_on_which_nothing_varies_has_bandwidth_zero():
    assert Positional([[1.0], [0.0]]).bandwidth == (1.0, 0.0)


def test_log_linear_frequencies_are_those_of_the_reference():
    encoding = Positional.log_linear(2, 128, 6.0)
    axis = 2 ** np.linspace(0, 6, 128) - 1
    expected = np.zeros((256, 2))
    expected[:128, 0] = expected[128:, 1] = axis
    np.testing.assert_allclose(encoding.frequencies.numpy(), expected, rtol=2 * EPS32, atol=0)
    per_axis = Positional.log_linear(2, 128, [6.0, 4.0])
    assert per_axis.frequencies.amax(0).tolist() == pytest.approx([63, 15], rel=1e-6)


def test_octaves_are_nerf_up_to_the_first_sign():
    x = torch.rand(50, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ours = Positional.octaves(1, 5)(x)
    angle = 2.0 ** torch.arange(5, dtype=torch.float64) * math.pi * (2 * x - 1)
    theirs = torch.cat([angle.cos(), angle.sin()], -1)
    theirs[:, [0, 5]] *= -1
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@given(
    st.integers(1, 3),
    st.integers(1, 9),
    st.floats(0.1, 50),
    st.integers(0, 2**40),
)
def test_features_are_the_formula(axes, features, sigma, seed):
    encoding = Gaussian(axes, features, sigma, seed)
    x = torch.rand(7, axes, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    angle = 2 * math.pi * x @ encoding.frequencies.double().T
    expected = torch.cat([angle.cos(), angle.sin()], -1)
    assert encoding.out_features == expected.shape[-1]
    # float64: a phase of c cycles is known to c * 2^-53 * (axes + 1) cycles; c stays below 5 sigma axes.
    torch.testing.assert_close(
        encoding(x), expected, rtol=0, atol=2 * math.pi * 5 * 50 * 3 * 4 * 2**-53 + 1e-15
    )
    # float32: the coordinate's own rounding moves the phase by c * 2^-24.
    size = x @ encoding.frequencies.double().abs().T
    bound = 2 * math.pi * (size.max().item() * (axes + 1) + 2) * EPS32
    assert (encoding(x.float()).double() - expected).abs().max() < bound


def test_half_precision_modules_keep_their_phases():
    encoding = Gaussian(2, 64, 30.0)
    x = torch.rand(200, 2, generator=torch.Generator().manual_seed(1))
    reference = encoding(x)
    for cast in (encoding.half, encoding.bfloat16, encoding.double, encoding.float):
        cast()
        assert encoding.frequencies.dtype == torch.float32
        assert torch.equal(encoding(x), reference)
    # cosines of magnitude up to 1 rounded to bfloat16 (8 bits) and nothing worse
    rounded = encoding(x, torch.bfloat16)
    assert rounded.dtype == torch.bfloat16
    assert (rounded.float() - reference).abs().max() <= 2**-9
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(encoding(x), reference)


def test_many_coordinates_are_encoded_as_few_are():
    encoding = Gaussian(2, 512, 30.0)
    x = torch.rand(3, 100, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    together = encoding(x)
    assert together.shape == (3, 100, 1024)
    torch.testing.assert_close(together[2, 7], encoding(x[2, 7]), rtol=0, atol=1e-15)
    assert encoding(x[:0]).shape == (0, 100, 1024)


def test_the_precision_follows_the_coordinates():
    encoding = Basic(1)
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        assert encoding(torch.zeros(3, 1, dtype=dtype)).dtype == dtype
    assert encoding(torch.zeros(3, 1, dtype=torch.int64)).dtype == torch.float32
    assert Identity(1)(torch.zeros(3, 1), torch.float64).dtype == torch.float64


def test_gradients_with_respect_to_coordinates():
    x = torch.rand(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    for encoding in (Identity(2), Basic(2), Gaussian(2, 4, 2.0), Positional.log_linear(2, 3, 2.0)):
        assert torch.autograd.gradcheck(encoding, (x,))


def test_frequencies_come_from_the_seed_alone():
    before = torch.get_rng_state()
    first = Gaussian(2, 16, 5.0, seed=7)
    torch.manual_seed(99)
    second = Gaussian(2, 16, 5.0, seed=7)
    torch.set_rng_state(before)
    assert torch.equal(first.frequencies, second.frequencies)
    assert not torch.equal(first.frequencies, Gaussian(2, 16, 5.0, seed=8).frequencies)
    source = torch.Generator().manual_seed(1)
    third, fourth = Gaussian(2, 16, 5.0, source), Gaussian(2, 16, 5.0, source)
    assert not torch.equal(third.frequencies, fourth.frequencies)
    assert torch.equal(torch.get_rng_state(), before)
    assert not list(first.parameters())


def test_state_round_trip_carries_frequencies_and_bandwidth():
    stored, other = Gaussian(2, 16, [5.0, 9.0], seed=1), Gaussian(2, 16, 1.0, seed=2)
    other.load_state_dict(stored.state_dict())
    assert torch.equal(stored.frequencies, other.frequencies)
    assert other.bandwidth == stored.bandwidth
    assert other.describe() == stored.describe() == "Gaussian(16 features, sigma 5, 9)"


def test_per_axis_numbers_may_be_tensors_and_arrays():
    expected = Gaussian(2, 4, [1.0, 2.0]).frequencies
    for sigma in (torch.tensor([1.0, 2.0]), np.array([1.0, 2.0]), (1, 2)):
        assert torch.equal(Gaussian(2, 4, sigma).frequencies, expected)
    assert torch.equal(Gaussian(2, 4, np.float32(2)).frequencies, Gaussian(2, 4, 2.0).frequencies)


def test_descriptions():
    assert Identity(2).describe() == "Identity"
    assert Basic(2).describe() == "Basic"
    assert Gaussian(2, 256, 10.0).describe() == "Gaussian(256 features, sigma 10)"
    assert Positional.octaves(2, 7).describe() == "Positional(14 frequencies up to 64)"
    assert Positional.octaves(2, [7, 3]).describe() == "Positional(10 frequencies up to 64, 4)"


def test_common_interface():
    for encoding, domain in ((Identity(3), (-1, 1)), (Basic(3), (0, 1)), (Gaussian(3, 4, 1.0), (0, 1))):
        assert encoding.domain == domain
        assert encoding(torch.zeros(2, 5, 3)).shape == (2, 5, encoding.out_features)
    assert Identity(3).frequencies is None
    assert Identity(3).bandwidth is None
    assert Gaussian(3, 4, 1.0).frequencies.shape == (4, 3)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Gaussian(2, 16, -1.0), "sigma: expected positive finite numbers, got -1.0"),
        (lambda: Gaussian(2, 16, math.nan), "sigma: expected positive finite numbers, got nan"),
        (lambda: Gaussian(2, 16, [1.0, 2.0, 3.0]), r"one number or one per axis \(2\), got shape \(3,\)"),
        (lambda: Gaussian(2, 16, "ten"), r"sigma: expected a number or one per axis \(2\), got 'ten'"),
        (lambda: Gaussian(2, 0, 1.0), "features: expected a whole number of at least 1, got 0"),
        (lambda: Gaussian(0, 4, 1.0), "in_features: expected a whole number of at least 1, got 0"),
        (lambda: Gaussian(2, 2.5, 1.0), "features: expected a whole number of at least 1, got 2.5"),
        (lambda: Gaussian.from_bandwidth(2, 16, math.nan), "bandwidth: expected positive finite numbers"),
        (
            lambda: Gaussian.from_bandwidth(2, 16, [1.0]),
            r"bandwidth: expected one number or one per axis \(2\), got shape \(1,\)",
        ),
        (
            lambda: Positional.from_bandwidth(2, 16, [1.0, math.inf]),
            "bandwidth: expected positive finite numbers",
        ),
        (lambda: Positional.log_linear(2, 1, 3.0), "count: expected a whole number of at least 2, got 1"),
        (lambda: Positional.octaves(2, [1, 2, 3]), r"count: expected one count or one per axis \(2\), got 3"),
        (lambda: Positional.octaves(2, 3, first=0.0), "first: expected positive finite numbers"),
        (lambda: Positional([]), "frequencies: expected frequencies for each axis"),
        (lambda: Positional([[1.0], []]), "frequencies: expected frequencies for each axis"),
        (lambda: Positional([[-1.0]]), "frequencies: expected finite frequencies of at least 0"),
        (
            lambda: Basic(2)(torch.zeros(4, 3)),
            r"expected coordinates of shape \(..., 2\), got shape \(4, 3\)",
        ),
        (
            lambda: Identity(2)(torch.zeros(4, 3)),
            r"expected coordinates of shape \(..., 2\), got shape \(4, 3\)",
        ),
        (lambda: Basic(1)(torch.tensor(0.0)), r"expected coordinates of shape \(..., 1\), got shape \(\)"),
    ],
)
def test_bad_input_is_named(build, message):
    with pytest.raises(InputError, match=message):
        build()
