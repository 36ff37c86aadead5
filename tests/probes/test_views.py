import math

import numpy as np
import pandas
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from overtone.errors import InputError
from overtone.probes import Observer, Probe, Values, views
from overtone.probes._inputs import TensorInputs
from overtone.probes._targets import Classes
from overtone.spectra import Bands, BandTransform
from overtone.spectra.sequence import TemporalEstimator

EPS = np.finfo(np.float64).eps


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def uniform(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cloud(channels=2, seed=0):
    return normal(60, 6, seed=seed), normal(60, channels, seed=seed + 1)


MADE = {
    "graph": lambda: views.graph(*cloud(), modes=20),
    "filters": lambda: views.filters(*cloud(), widths=[0.8, 1.6, 3.0]),
    "directions": lambda: views.directions(*cloud(), count=9),
    "points": lambda: views.points(uniform(60, 2), normal(60, 2), bands=[0, 0.5, 1.5, 2.5]),
    "sequence": lambda: views.sequence(normal(12, 30, 3), normal(12, 30, 2, seed=1)),
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_a_row_is_what_the_transform_says_of_prediction_and_target(make):
    """Slow twin: the prediction is transformed itself, where the view transforms the residual and uses linearity.

    The transforms are orthonormal sums of at most 360 terms in float64, relative error below 360 eps each; least
    squares on points stop at 1e-10.
    """
    view = make()
    target = view.target.values
    prediction = 0.6 * target + 0.3 * normal(*target.shape, seed=9)
    row = view.compare(prediction)
    own, wanted = (view.transform.coefficients(v) for v in (prediction, target))
    scale = float(view.target_power.max())
    bounds = {"rtol": 1e-7 if view.name == "points" else 1e4 * EPS, "atol": 1e-7 * scale}
    np.testing.assert_allclose(row["residual_power"], view.transform.power(own - wanted), **bounds)
    np.testing.assert_allclose(row["cross_power"], view.transform.cross(own, wanted), **bounds)
    assert row["train_error"] == pytest.approx(float((prediction - target).square().mean()), rel=1e-12)


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_a_perfect_prediction_is_learned_and_none_is_not(make):
    view = make()
    target = view.target.values
    perfect, nothing = view.compare(target), view.compare(torch.zeros_like(target))
    np.testing.assert_array_equal(perfect["residual_power"], 0)
    np.testing.assert_allclose(perfect["cross_power"], view.target_power, rtol=1e-12)
    np.testing.assert_allclose(nothing["residual_power"], view.target_power, rtol=1e-12)
    np.testing.assert_allclose(nothing["cross_power"], 0, atol=1e-12 * float(view.target_power.max()))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3), st.integers(0, 1000), st.sampled_from(["graph", "sequence"]))
def test_power_closes_where_the_modes_are_orthonormal(channels, seed, which):
    view = (
        views.graph(*cloud(channels, seed), modes=15, bands=[0, 0.05, 0.1])
        if which == "graph"
        else views.sequence(normal(4, 17, 1, seed=seed), normal(4, 17, channels, seed=seed))
    )
    row = view.compare(normal(*view.target.values.shape, seed=seed + 7))
    assert row["residual_power"].sum(0).mean() == pytest.approx(row["train_error"], rel=1e-10)
    assert (row["residual_power"] >= 0).all()


@pytest.mark.parametrize("harmonic", [1, 3, 7])
def test_a_tone_is_found_in_its_band_with_half_its_square(harmonic):
    n, amplitude = 64, 1.7
    place = torch.arange(n, dtype=torch.float64)[:, None] / n
    tone = amplitude * torch.cos(2 * math.pi * harmonic * place)
    time = views.sequence(place[None], tone[None], rate=n, estimator=TemporalEstimator.periodic(), unit="s")
    edges = (np.arange(9) + 0.5).tolist()
    placed = views.points(place, tone, domain=(0, 1), periodic=True, bands=[0, *edges])
    for view in (placed, time):
        band = int(view.transform.bands.index(torch.tensor([float(harmonic)])))
        assert float(view.target_power[band, 0]) == pytest.approx(amplitude**2 / 2, rel=1e-9)
        assert float(view.target_power.sum()) == pytest.approx(amplitude**2 / 2, rel=1e-9)
    assert time.header({}).attrs["frequency_unit"] == "Hz"
    wide = views.directions(torch.cat([place, 0 * place], 1), tone, along=torch.tensor([2.0, 0.0]), count=9)
    assert int(wide.target_power[1:, 0].argmax()) + 1 == harmonic
    assert float(wide.target_power[harmonic, 0]) == pytest.approx(amplitude**2 / 2, rel=0.1)


def test_filter_bands_are_differences_of_gaussian_means():
    """Slow twin: dense Gaussian weights, row by row."""
    x, y = cloud(1)
    widths = [3.0, 1.6, 0.8]
    view = views.filters(x, y, widths=[0.8, 3.0, 1.6])
    field = y - y.mean()
    low = []
    for width in widths:
        weight = torch.stack([torch.exp(-((x - row).square().sum(1)) / (2 * width**2)) for row in x])
        low.append(weight @ field / weight.sum(1, keepdim=True))
    parts = [y.mean().expand_as(y), low[0], low[1] - low[0], low[2] - low[1], field - low[2]]
    expected = [float(part.square().mean()) for part in parts]
    np.testing.assert_allclose(view.target_power[:, 0], expected, rtol=1e-10)
    np.testing.assert_allclose(view.transform.bands.edges[2:-1], 1 / (2 * math.pi * np.array(widths)))


def test_filters_applied_anew_equal_those_kept_as_matrices(monkeypatch):
    from overtone.spectra.clouds import _gaussian_filter as ladder

    kept = views.filters(*cloud(), widths=[1.0, 2.0])
    monkeypatch.setattr(ladder, "_KEPT_ROWS", 0)
    anew = views.filters(*cloud(), widths=[1.0, 2.0])
    prediction = normal(60, 2, seed=5)
    for name in ("residual_power", "cross_power"):
        np.testing.assert_allclose(
            kept.compare(prediction)[name], anew.compare(prediction)[name], rtol=1e-10, atol=1e-14
        )


class Halves(BandTransform):
    """A transform of one's own: the means of the first and the second half."""

    bands = Bands((0.0, 1.0, 2.0))

    def coefficients(self, values):
        return torch.stack([values[: len(values) // 2].mean(0), values[len(values) // 2 :].mean(0)])

    def cross(self, coefficients, other):
        return coefficients * other


def test_a_transform_of_ones_own_has_power_and_cross_power(tmp_path):
    x, y = cloud()
    view = views.TransformView(x, Values(y), Halves(), name="halves", attrs={})
    network = nn.Linear(6, 2).double()
    with Probe(view, network, tmp_path) as probe:
        probe(0)
    with torch.no_grad():
        target, output = (Halves().coefficients(v) for v in (y, network(x)))
    np.testing.assert_allclose(probe.record.cross_power[0], (target * output).numpy(), atol=1e-12)
    np.testing.assert_allclose(probe.record.residual_power[0], (target - output).square().numpy(), atol=1e-12)


def test_held_out_samples_have_an_error_of_their_own():
    x, y = cloud()
    held = torch.arange(60) >= 45
    row = views.graph(x, y, modes=10, held_out=held).compare(torch.where(held[:, None], y + 2, y + 1))
    assert row["train_error"] == pytest.approx(1, rel=1e-12)
    assert row["held_out_error"] == pytest.approx(4, rel=1e-12)


def test_classes_are_compared_as_probabilities():
    labels = torch.tensor([0, 2, 1, 2])
    target = Classes(labels)
    logits = normal(4, 3)
    raised = np.exp(logits.numpy())
    expected = raised / raised.sum(1, keepdims=True)
    np.testing.assert_allclose(target.read(logits), expected, rtol=1e-12)
    np.testing.assert_array_equal(target.values, np.eye(3)[labels])
    single = Classes(torch.tensor([0, 1, 1]))
    one = torch.tensor([[0.3], [-1.0], [2.0]])
    np.testing.assert_allclose(single.read(one)[:, 1:], torch.sigmoid(one.double()), rtol=1e-6)
    certain = 50 * (2 * target.values - 1)
    np.testing.assert_allclose(target.read(certain), target.values, atol=1e-12)


def test_what_suits_the_shapes():
    names = {
        "points": (uniform(40, 2), normal(40, 1)),
        "graph": (normal(40, 3, 4, 4), torch.arange(40) % 3),
        "sequence": (normal(20, 16, 2), normal(20, 16, 1)),
    }
    for name, (x, y) in names.items():
        assert views.choose(x, y).name == name
    view = views.choose(normal(3000, 5), normal(3000), samples=100, seed=3)
    assert view.inputs.count == 100
    again = views.choose(normal(3000, 5), normal(3000), samples=100, seed=3)
    other = views.choose(normal(3000, 5), normal(3000), samples=100, seed=4)
    assert torch.equal(view.target.values, again.target.values)
    assert not torch.equal(view.target.values, other.target.values)
    tokens = views.choose(
        {"ids": torch.randint(9, (30, 7))}, normal(30, 1), features=normal(30, 4, seed=2), samples=25
    )
    assert tokens.inputs.count == 25


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: views.choose(normal(9, 5), normal(8, 1)),
            "targets: expected 9 targets, one per sample, got 8",
        ),
        (
            lambda: views.choose(normal(9, 5).index_fill(0, torch.tensor([4]), math.nan), normal(9, 1)),
            "expected finite numbers in every row, got NaN or infinity in 1 of 9 rows, first in row 4",
        ),
        (
            lambda: views.choose(np.array([["red", "1"], ["blue", "2"]]), normal(2, 1)),
            r"inputs: expected columns of numbers, got text in column 0 .'red' in its first row.; encode it",
        ),
        (
            lambda: views.choose({"a": torch.zeros(4, 2), "b": torch.zeros(5)}, normal(4, 1)),
            r"samples along their first axis, got 4 in inputs\['a'\], 5 in inputs\['b'\]",
        ),
        (
            lambda: views.choose({"ids": torch.zeros(4, 2, dtype=torch.int64)}, normal(4, 1)),
            "one tensor of floating-point numbers to measure distances in, got 0; pass features=",
        ),
        (
            lambda: views.choose(normal(5, 4), torch.tensor([0, 1, 2, 3, 9]), classes=4),
            "labels: expected whole labels from 0 to 3, got 9 for sample 4",
        ),
        (lambda: views.choose(torch.ones(30, 7), normal(30, 1)), "expected features that vary"),
        (lambda: views.choose(torch.ones(30, 2), normal(30, 1)), "expected"),
        (
            lambda: views.choose(normal(9, 5), normal(9, 1), samples=0),
            "a whole number of samples, at least 1, got 0",
        ),
        (lambda: views.sequence(normal(5, 4), normal(5, 4)), "targets of shape .sequences, time, channels."),
        (
            lambda: views.graph(*cloud(), held_out=torch.ones(60, dtype=torch.bool)),
            "leaves samples for train",
        ),
        (lambda: Values(normal(3, 2), channels=("a",)), "channels: expected 2 channel names, got 1"),
        (lambda: TensorInputs(["a", "b"]), "inputs: expected columns of numbers, got text in column 0"),
        (lambda: TensorInputs(None), "inputs: expected numbers: a tensor, an array, .* got NoneType"),
        (
            lambda: TensorInputs([[1.0, 2.0], [3.0]]),
            "the same number of values in every row, got rows of different lengths",
        ),
        (
            lambda: TensorInputs(torch.zeros(0, 3)),
            "got 0 in inputs; pass the same number of rows in each, at least one",
        ),
        (
            lambda: views.choose(normal(9, 5), [math.nan] * 9),
            "targets: expected finite numbers in every row, got NaN or infinity in 9 of 9 rows",
        ),
        (
            lambda: views.choose(pandas.DataFrame({"a": [1.0, 2], "b": ["x", "y"]}), normal(2, 1)),
            r"got text in column 1 .'x' in its first row.; encode it, for instance as one column of zeros",
        ),
        (
            lambda: Probe(normal(9, 5), nn.Linear(5, 1)),
            "watched: expected a signal, a view or several views, got Tensor; make views with",
        ),
        (
            lambda: Observer([normal(9, 5)]),
            "watched: expected a signal or views of samples, got Tensor; use Observer.of",
        ),
        (
            lambda: Probe.of(*cloud(), "network"),
            "expected a torch.nn.Module, got str; for networks of other libraries pass predictions to an Observer",
        ),
        (
            lambda: Probe.of(*cloud(), nn.Linear(5, 2)),
            r"a network that can be called on the measured inputs, got RuntimeError: mat1 and mat2 shapes cannot be "
            r"multiplied .2x6 and 5x2.; pass inputs that the network accepts, or pass forward=",
        ),
    ],
)
def test_bad_input_gets_one_sentence(make, text):
    with pytest.raises(InputError, match=text):
        make()


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({}, "cycles per step"),
        ({"rate": 1.0}, "Hz"),
        ({"rate": 250.0}, "Hz"),
        ({"rate": 24, "unit": "day"}, "cycles per day"),
        ({"unit": "day"}, "cycles per day"),
        ({"rate": 250.0, "unit": "s"}, "Hz"),
        ({"rate": 1.0, "unit": "step"}, "cycles per step"),
    ],
)
def test_frequencies_of_sequences_are_in_the_unit_of_their_rate(named, told):
    inputs = torch.randn(4, 64, 1, generator=torch.Generator().manual_seed(0))
    header = views.sequence(inputs, inputs, **named).header({})
    assert header.attrs["frequency_unit"] == told
    assert header.attrs["nyquist"] == [named.get("rate", 1.0) / 2]


def test_a_rate_per_step_other_than_one_is_refused():
    inputs = torch.randn(4, 64, 1, generator=torch.Generator().manual_seed(0))
    with pytest.raises(InputError, match="expected a unit of time with a rate, got 'step'; name the unit"):
        views.sequence(inputs, inputs, rate=250.0, unit="step")
    assert views.sequence(inputs, inputs, rate=250.0, unit="s").header({}).attrs["frequency_unit"] == "Hz"


@pytest.mark.parametrize("view", [views.points, views.graph])
def test_channels_of_values_have_names(view):
    x = uniform(60, 2)
    y = torch.stack([x[:, 0].sin(), x[:, 1].cos()], 1)
    assert view(x, y, channels=("u", "v")).header({}).channels == ("u", "v")
    assert view(x, y).header({}).channels == ("0", "1")
    # Names of channels decide what whole numbers are: classes are numbered, values have names.
    assert view(x, (9 * y).round().long(), channels=("u", "v")).header({}).channels == ("u", "v")
    with pytest.raises(InputError, match="channels: expected 2 channel names, got 1"):
        view(x, y, channels=("u",))
