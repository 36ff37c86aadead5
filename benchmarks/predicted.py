"""Draw predicted against measured learning steps of four kinds of networks: `python -m benchmarks.predicted [NAME...]`.

Each picture of docs/results/predicted-and-measured.md is one training run of some hundred to thousand steps and one
prediction.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import torch
import xarray
from playwright.sync_api import sync_playwright
from tools.pictures import CHROMIUM, draw
from torch import Tensor, nn

from benchmarks.accuracy import ADAM, CASES, RATIO, RELU, SGD, Case, network, rate_of, siren, tones
from overtone._training import train
from overtone.fitting import TrainingConfig
from overtone.nn import Field, OutputScaling, encodings
from overtone.plots import PredictedSteps
from overtone.probes import LogSchedule, Probe
from overtone.signals import Grid, Normalisation, Signal
from overtone.theory.dynamics import Prediction, PredictionOptions, predict

SEED = 3


class Blob(nn.Module):
    """Pictures of a bright blob at angle 2 pi s on a circle, as (N, 1, side, side), from s as (N, 1)."""

    def __init__(self, side: int = 12) -> None:
        super().__init__()
        axis = torch.linspace(-1, 1, side)
        self.register_buffer("grid", torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1))

    def forward(self, s: Tensor) -> Tensor:
        angle = 2 * math.pi * s[:, 0, None, None]
        across = (self.grid[..., 0] - 0.6 * angle.sin()) ** 2 + (self.grid[..., 1] - 0.6 * angle.cos()) ** 2
        return torch.exp(-8 * across)[:, None]


def convolutional(signal: Signal, seed: int) -> Field:
    """Two convolutions of 16 channels and a linear layer, from pictures to a value."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        body = nn.Sequential(
            Blob(),
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * 36, 1),
        )
    restore = OutputScaling(signal.normalisation.offset, signal.normalisation.scale)
    return Field(encodings.Identity(1), body, restore=restore)


def angles(seed: int = 0) -> Signal:
    """Six cosines of the blob's angle, 1 to 8 cycles a turn, on 64 angles."""
    grid = Grid.unit_box((64,), periodic=True, unit="turn")
    angle = 2 * math.pi * grid.coords()
    parts = [torch.cos(k * angle + k + seed) for k in (1, 2, 3, 4, 6, 8)]
    values = torch.stack(parts).sum(0).float()
    peak = float(values.max() - values.min())
    return Signal(values, grid, "synthetic", "a turning blob", ("value",), "", peak, Normalisation.of(values))


KINDS: dict[str, tuple[str, Case, Callable[[int], Signal]]] = {
    "relu": ("ReLU MLP, gradient descent", Case("", network(RELU, False), SGD, 1.0, 4000, 1.5), tones),
    "fourier": ("Fourier features and tanh, Adam", CASES[4], tones),
    "siren": ("SIREN, Adam", Case("", siren, ADAM, 1e-5, 400, 2.0), tones),
    "cnn": (
        "Convolutions, picture to value, gradient descent",
        Case("", convolutional, SGD, 1.0, 2000, 1.5),
        angles,
    ),
}


def predict_and_measure(case: Case, signal: Signal) -> tuple[Prediction, xarray.Dataset]:
    """Return a prediction and the record of the run that it predicts."""
    field = case.build(signal, SEED)
    lr = rate_of(case, signal, field)
    made = {ADAM: torch.optim.Adam, SGD: torch.optim.SGD}[case.optimizer]
    optimizer = made(field.parameters(), lr)
    prediction = predict(
        signal,
        field,
        optimizer,
        case.steps,
        pilot=round(case.pilot * case.steps),
        options=PredictionOptions(ratio=RATIO),
    )
    with Probe(signal, field, schedule=LogSchedule(RATIO)) as probe:

        def observe(step: int, loss: float, rate: float, last: bool) -> None:
            probe(step, loss, rate, force=last)

        train(
            field,
            signal,
            TrainingConfig(case.steps, lr=lr, optimizer=case.optimizer),
            observe,
            wants=probe.schedule.due,
        )
        return prediction, probe.record


def main(names: list[str]) -> None:
    """Draw the named pictures, or all."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"]
        )
        for name in names or KINDS:
            title, case, make = KINDS[name]
            prediction, measured = predict_and_measure(case, make(SEED))
            figure = PredictedSteps(prediction.record, measured=measured).against()
            figure.update_layout(title={"text": title, "x": 0.5, "y": 0.98}, margin={"t": 72})
            draw(browser, figure, f"predicted-{name}", 480, 440)
            print(name, *prediction.sentences, flush=True)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
