"""The page's own training, spectrum and prediction against PyTorch, `Probe`, `spectra` and `theory`.

Tolerances: float32 rounds by 6e-8, a sum of 64 products by about 1e-6 of its terms, and gradient descent hardly
amplifies that in 30 steps: 1e-4 leaves a factor 100. Adam divides gradients by their size, so that entries of the
size of rounding errors move by a full rate in either direction; over 30 steps this is allowed to grow to 1e-3.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import overtone as ot
from overtone import signals, spectra
from overtone.probes import EveryN, views
from overtone.records import metrics
from overtone.theory import ntk
from overtone.theory.risk import GradientDescent

pytestmark = pytest.mark.browser

RUN = """([settings, steps]) => {
  const lab = new overtoneLab.Lab({...overtoneLab.DEFAULTS, ...settings});
  const list = (numbers) => Array.from(numbers);
  const initial = list(lab.network.parameters), predicted = lab.predict(4096);
  const rows = [];
  for (let step = 0; step <= steps; step++) { lab.train(step); lab.record(); rows.push(lab.history.at(-1)); }
  return {initial, frequencies: list(lab.network.frequencies), sizes: lab.network.sizes, x: list(lab.samples.x),
    noisy: list(lab.samples.noisy), edges: lab.bands.edges, power: list(lab.target), kernel: list(predicted.kernel),
    steps: predicted.steps, predicted: predicted.errors, learning: predicted.learning,
    rows: rows.map((row) => ({step: row.step, loss: row.loss, errors: row.errors}))};
}"""
NETWORKS = {"relu": {}, "tanh": {}, "fourier": {"sigma": 6}, "sine": {"omega": 12}}


class Sine(torch.nn.Module):
    def __init__(self, omega):
        super().__init__()
        self.omega = omega

    def forward(self, z):
        return torch.sin(self.omega * z)


class Encoded(torch.nn.Module):
    """The page's network, written with PyTorch."""

    def __init__(self, kind, answer, omega):
        super().__init__()
        self.frequencies = torch.tensor(answer["frequencies"]) if kind == "fourier" else None
        make = {"tanh": torch.nn.Tanh, "sine": lambda: Sine(omega)}.get(kind, torch.nn.ReLU)
        parts, initial = [], torch.tensor(answer["initial"])
        for inputs, outputs in itertools.pairwise(answer["sizes"]):
            linear = torch.nn.Linear(inputs, outputs)
            weights, biases, initial = initial.split(
                [inputs * outputs, outputs, len(initial) - (inputs + 1) * outputs]
            )
            with torch.no_grad():
                linear.weight.copy_(weights.view(outputs, inputs))
                linear.bias.copy_(biases)
            parts += [linear, make()]
        assert len(initial) == 0
        self.body = torch.nn.Sequential(*parts[:-1])

    def forward(self, x):
        if self.frequencies is None:
            return self.body(2 * x - 1)
        angle = 2 * torch.pi * self.frequencies * x
        return self.body(torch.cat([angle.cos(), angle.sin()], 1))


def recorded(answer, kind, optimizer, rate, steps, omega):
    """Train the same network on the same samples with PyTorch, and record it with a `Probe`."""
    network = Encoded(kind, answer, omega)
    x, y = torch.tensor(answer["x"])[:, None], torch.tensor(answer["noisy"])[:, None]
    signal = signals.array(y[:, 0].numpy(), spacing=1 / len(x), periodic=True)
    view = views.GridView(signal, bands=spectra.Bands(tuple(answer["edges"])))
    make = torch.optim.SGD if optimizer == "gd" else torch.optim.Adam
    descent, losses = make(network.parameters(), rate), []
    with ot.Probe(view, network, schedule=EveryN(1), forward=lambda x: network(x.float())) as probe:
        for step in range(steps + 1):
            loss = (network(x) - y).square().mean()
            losses.append(loss.item())
            probe(step, loss.detach())
            descent.zero_grad()
            loss.backward()
            descent.step()
    return np.array(losses), metrics.relative_error(probe.record).squeeze("channel").values


def ran(page, kind, optimizer, steps=30, **settings):
    chosen = {
        "network": kind,
        "optimizer": optimizer,
        "width": 32,
        "noise": 0.2,
        **NETWORKS[kind],
        **settings,
    }
    chosen.setdefault("rate", 0.02 if optimizer == "gd" else 0.002)
    return page.evaluate(RUN, [chosen, steps]), chosen


def differences(answer, chosen, rate=None):
    """The largest difference of losses and of bands' relative errors, relative to their size."""
    losses, errors = recorded(
        answer,
        chosen["network"],
        chosen["optimizer"],
        rate or chosen["rate"],
        len(answer["rows"]) - 1,
        chosen.get("omega"),
    )
    page_losses = np.array([row["loss"] for row in answer["rows"]])
    page_errors = np.array([row["errors"] for row in answer["rows"]], dtype=float)
    assert np.isfinite(page_errors).all()
    return max(abs(page_losses / losses - 1).max(), abs(page_errors / errors - 1).max())


@pytest.mark.parametrize("optimizer", ["gd", "adam"])
@pytest.mark.parametrize("kind", NETWORKS)
def test_training_agrees_with_the_record_of_a_probe(opened, kind, optimizer):
    answer, chosen = ran(opened(), kind, optimizer)
    tolerance = 1e-4 if optimizer == "gd" else 1e-3
    assert differences(answer, chosen) < tolerance
    # With another learning rate the two do differ.
    assert differences(answer, chosen, 1.05 * chosen["rate"]) > 2 * tolerance


@pytest.mark.parametrize("samples", [128, 256])
def test_spectrum_agrees(opened, samples):
    answer, _ = ran(opened(), "relu", "gd", 0, samples=samples)
    expected = spectra.grid(np.array(answer["noisy"]), periodic=True, bands=answer["edges"])
    assert answer["edges"][-1] > samples / 2
    np.testing.assert_allclose(answer["power"], expected.power[:, 0].numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", NETWORKS)
def test_prediction_agrees_with_theory(opened, kind):
    answer, chosen = ran(opened(), kind, "gd", 0, noise=0.0, rate=0.01)
    network = Encoded(kind, answer, chosen.get("omega"))
    x = torch.tensor(answer["x"])[:, None]
    y = torch.tensor(answer["noisy"]).double()
    kernel = torch.as_tensor(np.asarray(ntk.empirical_ntk(network, x))).double()
    page_kernel = torch.tensor(answer["kernel"]).view_as(kernel)
    assert float((page_kernel - kernel).abs().max() / kernel.abs().max()) < 1e-5
    values, vectors = torch.linalg.eigh(page_kernel.double())
    residual = vectors.T @ (network(x)[:, 0].detach().double() - y)
    rule = GradientDescent(rate=2 * chosen["rate"] / len(x))
    power = spectra.grid(y, periodic=True, bands=answer["edges"]).power[:, 0].numpy()
    present = power > 1e-6 * power.sum()
    for step, errors in zip(answer["steps"], answer["predicted"], strict=True):
        left = vectors @ (rule.remaining(values.clamp(min=0), step) * residual)
        expected = spectra.grid(left, periodic=True, bands=answer["edges"]).power[:, 0].numpy()
        expected = np.sqrt(expected[present] / power[present])
        # The residual at the beginning is rounded to float32, 6e-8 of values of size 1.
        np.testing.assert_allclose(np.array(errors, float)[present], expected, rtol=1e-4, atol=1e-5)


def uniform(seed):
    """The page's random numbers, written again in Python."""
    mask, state = 0xFFFFFFFF, seed
    while True:
        state = (state + 0x6D2B79F5) & mask
        mixed = ((state ^ (state >> 15)) * (state | 1)) & mask
        mixed ^= (mixed + (mixed ^ (mixed >> 7)) * (mixed | 61)) & mask
        yield ((mixed ^ (mixed >> 14)) & mask) / 2**32


def test_random_numbers_are_those_of_their_twin(opened):
    page = opened()
    numbers = page.evaluate("() => Array.from({length: 50}, overtoneLab.uniformGenerator(123))")
    assert numbers == list(itertools.islice(uniform(123), 50))
    answer, chosen = ran(page, "tanh", "gd", 0)
    first = np.array(list(itertools.islice(uniform(1), 32)))
    np.testing.assert_array_equal(np.float32(answer["initial"][:32]), np.float32(2 * first - 1))
    assert chosen["width"] == 32


IN_PIECES = """(steps) => {
  const settings = {...overtoneLab.DEFAULTS, width: 16, samples: 128};
  const whole = new overtoneLab.Lab(settings), pieces = new overtoneLab.Lab(settings);
  whole.train(steps);
  const { network } = pieces, forward = network.forward.bind(network), groups = [];
  let count = 0;
  network.forward = (...rows) => { count += 1; forward(...rows); };
  while (pieces.step < steps || pieces.measurement) { count = 0; pieces.train(steps, 0); groups.push(count); }
  return [whole.history, pieces.history, groups];
}"""


def test_a_frame_is_never_longer_than_a_group_of_rows_and_gives_the_same_numbers(opened):
    whole, pieces, groups = opened().evaluate(IN_PIECES, 12)
    # A call without any time left handles one group of 32 rows, of a training step or of a measurement.
    assert set(groups) == {1}
    assert len(groups) == 12 * 128 // 32 + (len(whole) - 1) * 2 * 128 // 32
    assert pieces == whole
