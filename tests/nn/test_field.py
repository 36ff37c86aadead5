from __future__ import annotations

import copy
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import nn

from overtone.errors import InputError
from overtone.nn import MLP, CoordinateScaling, Field, OutputScaling
from overtone.nn.activations import Sine
from overtone.nn.encodings import Basic, Gaussian, Identity, Positional
from tests.nn.measured import bandwidth

SECONDS, RATE = 600.0, 44_100


def picture(seed: int = 0, **sizes: int) -> Field:
    body = MLP(32, 3, **{"width": 16, "depth": 2, **sizes}, seed=seed)
    frame = CoordinateScaling.of((0.0, 0.0), (1.0, 1.5), ("height", "height"), (0.0, 1.0))
    restore = OutputScaling(torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.5, 0.5, 0.5]))
    return Field(Gaussian(2, 16, 10.0, seed), body, frame, restore)


def points(n: int = 9, axes: int = 2) -> torch.Tensor:
    return torch.rand(n, axes, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_is_the_composition_of_its_parts():
    field, x = picture(), points()
    seen = torch.stack([(x[:, 0] - 0) / 1.5 + 1 / 6, x[:, 1] / 1.5], -1)
    torch.testing.assert_close(field.frame(x), seen, rtol=0, atol=4 * 2**-53)
    hidden = field.body(field.encoding(seen).float())
    # 32 features of at most 1 with weights below 0.2, then 16: float32 sums of that size
    torch.testing.assert_close(field.normalised(x), hidden, rtol=0, atol=64 * 2**-24)
    offset = torch.tensor([0.5, 0.4, 0.3])
    torch.testing.assert_close(field(x), offset + 0.5 * field.normalised(x), rtol=0, atol=2 * 2**-24)
    assert field(x).dtype == torch.float32
    assert field.double()(x).dtype == torch.float64


def test_long_recordings_keep_their_phase():
    """At 600 s and 8 kHz a float32 coordinate is wrong by a third of a cycle; the field is not."""
    encoding = Gaussian.from_bandwidth(1, 16, 8000 * SECONDS)
    field = Field(
        encoding, nn.Linear(32, 1), CoordinateScaling.of((0.0,), (SECONDS,), ("s",), encoding.domain)
    )
    index = int(SECONDS * RATE) - np.arange(1, 40)
    coords = torch.from_numpy(index / RATE)[:, None]
    features = field.encoding(field.frame(coords), torch.float32)
    expected = []
    for x in coords[:, 0].tolist():
        whole = [
            Fraction(x) / Fraction(SECONDS) * Fraction(b) % 1 for b in encoding.frequencies[:, 0].tolist()
        ]
        angle = [2 * math.pi * float(w) for w in whole]
        expected.append([*map(math.cos, angle), *map(math.sin, angle)])
    # float64 phases: |b| < 3 * 1.2e7 cycles with a relative error of 3 * 2^-53 each; then float32 angle and
    # cosine.
    bound = 2 * math.pi * 3 * encoding.frequencies.abs().max().item() * 2**-53 + (math.pi + 1) * 2 * 2**-24
    assert (features.double() - torch.tensor(expected, dtype=torch.float64)).abs().max() < bound
    naive = encoding(field.frame(coords).float())
    assert (naive.double() - torch.tensor(expected, dtype=torch.float64)).abs().max() > 0.5
    assert field.bandwidth == pytest.approx((8000.0,))


@given(
    st.lists(
        st.tuples(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.sampled_from("mms")), min_size=1, max_size=3
    ),
    st.sampled_from([(0.0, 1.0), (-1.0, 1.0)]),
)
def test_frames_fit_the_box_into_the_domain(axes, domain):
    origin, extent, names = (tuple(column) for column in zip(*axes, strict=True))
    frame = CoordinateScaling.of(origin, extent, names, domain)
    corners = torch.tensor(
        [origin, [o + e for o, e in zip(origin, extent, strict=True)]], dtype=torch.float64
    )
    low, high = frame(corners)
    # an offset of 1e3 against a length of 1e-3 costs six digits
    close = 1e6 * 8 * 2**-53
    torch.testing.assert_close(low + high, torch.full_like(low, sum(domain)), rtol=0, atol=close)
    for name in set(names):
        same = [i for i, n in enumerate(names) if n == name]
        assert len({frame.scale[i].item() for i in same}) == 1
        longest = max(same, key=lambda i: extent[i])
        assert (high - low)[longest].item() == pytest.approx(domain[1] - domain[0], abs=close)
        assert low[longest].item() == domain[0]


def test_axes_of_different_units_each_fill_the_domain():
    frame = CoordinateScaling.of((0, 5), (10, 0.2), ("mm", "s"), (-1, 1))
    assert frame.scale.tolist() == pytest.approx([0.2, 10])
    assert frame.to_physical((4.0, 4.0)) == pytest.approx((0.8, 40.0))


def test_bandwidth_is_physical():
    field = picture()
    assert field.bandwidth == pytest.approx([1.6449 * 10 / 1.5] * 2, rel=1e-4)
    frame = CoordinateScaling.of((0.0,), (4.0,), ("s",), (-1.0, 1.0))
    assert Field(Identity(1), MLP(1, 1, 8, 1), frame).bandwidth is None
    assert Field(Identity(1), nn.Linear(1, 1), frame).bandwidth is None
    sine = Field(Identity(1), MLP(1, 1, 8, 1, Sine(30.0)), frame)
    assert sine.bandwidth == pytest.approx((0.9 * 30 / (2 * math.pi) / 2,))


def test_a_field_draws_the_frequencies_it_states():
    """Along each physical axis the features of an anisotropic field have the stated bandwidth."""
    encoding = Gaussian.from_bandwidth(2, 2048, (20.0, 60.0))
    frame = CoordinateScaling.of((10.0, -3.0), (4.0, 0.5), ("m", "s"), encoding.domain)
    field = Field(encoding, nn.Linear(4096, 1), frame)
    for axis, (low, extent) in enumerate(((10.0, 4.0), (-3.0, 0.5))):

        def features(x, axis=axis):
            coords = torch.tensor([[11.0, -2.8]], dtype=torch.float64).repeat(len(x), 1)
            coords[:, axis] = torch.from_numpy(x)
            return encoding(frame(coords), torch.float32).numpy()

        found = bandwidth(features, (low, low + extent)) / extent
        # four standard errors of the quantile from 2048 draws are 7.8 %; a bin is 1 / extent
        assert found == pytest.approx(field.bandwidth[axis], rel=0.08, abs=1 / extent)


def test_description_and_size():
    field = picture()
    assert field.describe() == "Gaussian(16 features, sigma 10) + MLP 2 x 16 ReLU"
    assert field.parameter_count == 32 * 16 + 16 + 16 * 16 + 16 + 16 * 3 + 3
    assert Field(Basic(1), nn.Linear(2, 1)).describe() == "Basic + Linear"


def test_state_round_trip_and_casts():
    stored, other, x = picture(1), picture(2), points()
    assert not torch.equal(stored(x), other(x))
    other.load_state_dict(stored.state_dict())
    assert torch.equal(stored(x), other(x))
    half = picture(1).bfloat16()
    assert half.frame.scale.dtype == half.restore.scale.dtype == torch.float64
    assert half.encoding.frequencies.dtype == torch.float32
    assert half(x).dtype == torch.bfloat16
    # two layers of bfloat16 (8 bits) on values of order one
    assert (half(x).float() - stored(x)).abs().max() < 0.05


def test_float32_coordinates_are_taken():
    field, x = picture(), points()
    # a float32 coordinate moves the phase of up to 40 cycles by 40 * 2^-24; the network's slope is of order
    # one
    torch.testing.assert_close(field(x.float()), field(x), rtol=0, atol=2 * math.pi * 40 * 2**-24 * 8)


def test_autocast_keeps_phases_and_returns_the_networks_precision():
    field, x = picture(), points()
    with torch.autocast("cpu", torch.bfloat16):
        values = field(x)
    assert values.dtype == torch.float32
    assert (values - field(x)).abs().max() < 0.05


def test_is_transformed_copied_and_stored_as_any_module():
    field, x = picture().double(), points()
    rows = torch.func.vmap(torch.func.jacrev(lambda p: field(p[None])[0]))(x)
    x.requires_grad_()
    for channel in range(3):
        (slope,) = torch.autograd.grad(field(x)[:, channel].sum(), x)
        torch.testing.assert_close(rows[:, channel], slope, rtol=1e-10, atol=1e-12)
    assert torch.equal(copy.deepcopy(field)(x), field(x))
    other = picture(5).double()
    other.load_state_dict(load(save(field.state_dict())))
    assert torch.equal(other(x), field(x))


def test_compiles_in_one_graph():
    for encoding in (Gaussian(2, 8, 3.0), Positional.log_linear(2, 4, 3.0), Identity(2)):
        field = Field(
            encoding, MLP(encoding.out_features, 1, 8, 2, Sine()), restore=OutputScaling([1.0], [2.0])
        )
        compiled = torch.compile(field, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(points()), field(points()))
    torch.compiler.reset()


def test_gradients_reach_weights_and_coordinates():
    field = picture().double()
    x = points(3).requires_grad_()
    assert torch.autograd.gradcheck(field, (x,), atol=1e-4)
    assert all(p.grad is None for p in field.parameters())
    field(x).sum().backward()
    assert all(p.grad is not None for p in field.parameters())


def test_the_body_may_be_anyones():
    field = Field(Basic(2), nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 1)))
    assert field(points()).shape == (9, 1)


def test_restore_is_exact_in_float64():
    normalised = torch.tensor([[0.25], [-1.0]])
    assert OutputScaling([273.15], [10.0])(normalised)[0].item() == np.float32(275.65)
    # Detail beside an offset that float32 rounds away.
    fine = OutputScaling([1e6], [1e-3])(normalised)
    torch.testing.assert_close(fine, 1e6 + 1e-3 * normalised.double(), rtol=1e-15, atol=0)
    assert torch.equal(OutputScaling.identity(1)(normalised), normalised)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Field(Basic(2), MLP(5, 1)), "Field: expected 4 inputs of the body, got 5"),
        (
            lambda: Field(Basic(2), MLP(4, 1), CoordinateScaling.identity(3)),
            "Field: expected 2 coordinates of the frame, got 3",
        ),
        (
            lambda: Field(Basic(2), MLP(4, 1), restore=OutputScaling.identity(2)),
            "Field: expected 1 channels of the output scaling, got 2",
        ),
        (
            lambda: picture()(torch.zeros(4, 3)),
            r"expected coordinates of shape \(..., 2\), got shape \(4, 3\)",
        ),
        (
            lambda: CoordinateScaling.of((0,), (0.0,), ("s",), (0, 1)),
            "extent: expected positive finite numbers",
        ),
        (
            lambda: CoordinateScaling.of((0, 0), (1.0,), ("s",), (0, 1)),
            r"extent: expected one number or one per axis \(2\), got shape \(1,\)",
        ),
        (
            lambda: CoordinateScaling.of((0,), (1.0,), ("s", "s"), (0, 1)),
            r"units: expected one unit per axis \(1\), got 2",
        ),
        (
            lambda: CoordinateScaling((math.nan,), (1.0,), (0.0,)),
            "expected finite origin and low, one per axis",
        ),
        (lambda: CoordinateScaling((0.0,), (-1.0,), (0.0,)), "scale: expected positive finite numbers"),
        (
            lambda: OutputScaling([0.0], [0.0]),
            "expected one finite offset and one positive scale per channel",
        ),
        (
            lambda: OutputScaling([0.0], [1.0, 1.0]),
            "expected one finite offset and one positive scale per channel",
        ),
        (
            lambda: OutputScaling([math.nan], [1.0]),
            "expected one finite offset and one positive scale per channel",
        ),
    ],
)
def test_bad_input_is_named(build, message):
    with pytest.raises(InputError, match=message):
        build()
