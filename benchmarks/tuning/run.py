"""One training run of the battery, and its measurements."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.tuning.battery import nyquist
from overtone import early_stopping, nn, planning
from overtone.probes import LogSchedule
from overtone.probes._evaluator import Evaluator
from overtone.probes._grid_measurement import squared_errors
from overtone.probes._inputs import CoordinateInputs
from overtone.probes.views import GridView
from overtone.signals import Geometry, Grid, Signal
from overtone.spectra import NoiseVerdict

STEPS, RATE, ROWS = 400, 3e-3, 1.2
WINDOW, PATIENCE = 20, 100
"""Steps of a window of the windowed variance and those it waits: a fifth and a tenth of what it has in runs of
thousands of steps."""


def no_policy(_: int) -> bool:
    """Change nothing, and never end the run."""
    return False


@dataclass
class Run:
    """A network, a signal, and how it is trained.

    Attributes:
        signal: With a clean reference and test samples.
        network: The network.
        optimizer: Of its parameters.
        policy: Called after every step; true ends the run.
        finish: Called when the run ends.
    """

    signal: Signal[Geometry]
    network: nn.Field
    optimizer: torch.optim.Optimizer
    policy: Callable[[int], bool] = no_policy
    finish: Callable[[], object] = field(default=lambda: None)

    def train(self) -> dict[str, Any]:
        """Train and note the errors at steps evenly spaced in their logarithm, and the time spent."""
        signal, network = self.signal, self.network
        meter = _Meter(signal, network)
        variance = early_stopping.WindowedVariance(WINDOW, PATIENCE).monitor()
        best_step = None
        index = signal.train_index
        coords, values = signal.geometry.coords(index), signal.normalisation.apply(signal.values[index])
        due, spent, controlling, stopped = LogSchedule(ROWS).due, 0.0, 0.0, None
        for step in range(1, STEPS + 1):
            start = time.perf_counter()
            outputs = network.normalised(coords)
            loss = torch.nn.functional.mse_loss(outputs, values)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            trained = time.perf_counter()
            done = self.policy(step)
            spent, controlling = spent + trained - start, controlling + time.perf_counter() - trained
            if best_step is None and variance.update(step, {"prediction": outputs.detach().numpy()}):
                best_step = variance.best_step
            if done:
                stopped = step
                break
            if due(step) or step == STEPS:
                meter.row(step)
        self.finish()
        return meter.rows | {
            "windowed_variance_step": best_step or variance.best_step,
            "final": meter.test_error(),
            "stopped": stopped,
            "bandwidth": list(network.bandwidth or ()),
            "nyquist": list(nyquist(signal)),
            "seconds": spent,
            "controlling": controlling,
            "peak": signal.peak,
        }


class _Meter:
    """Error on the test samples against the clean signal, and the errors that a run without a clean signal has."""

    def __init__(self, signal: Signal[Geometry], network: nn.Field) -> None:
        self._signal, self._evaluate = signal, Evaluator(network)
        self._bands = _Bands(signal) if isinstance(signal.geometry, Grid) else None
        self.rows: dict[str, Any] = {"steps": [], "clean": [], "held_out": [], "train": [], "bands": []}
        self.rows["noise"] = 0.0 if self._bands is None else self._bands.noise

    def test_error(self, outputs: Tensor | None = None) -> float:
        """Mean square error against the clean signal on the samples neither trained on nor held out."""
        if outputs is None:
            outputs = self._evaluate(CoordinateInputs(self._signal.geometry, None))
        clean, mask = self._signal.clean, self._signal.ignored
        assert clean is not None
        assert mask is not None
        return float((outputs - clean)[mask].double().square().mean())

    def row(self, step: int) -> None:
        """Measure the network at this step."""
        outputs = self._evaluate(CoordinateInputs(self._signal.geometry, None))
        square = squared_errors(self._signal.values, outputs)
        self.rows["steps"].append(step)
        self.rows["clean"].append(self.test_error(outputs))
        self.rows["held_out"].append(float(square[self._signal.held_out_index].mean()))
        self.rows["train"].append(float(square[self._signal.train_index].mean()))
        self.rows["bands"].append(None if self._bands is None else self._bands.estimate(outputs))


class _Bands:
    """Band errors of a network on a grid, where noise is certain."""

    def __init__(self, signal: Signal) -> None:
        floor = planning.measure_noise(signal)
        self._view = GridView(replace(signal, clean=None), noise=floor)
        power = self._view.measurement.target_power.numpy()
        noise = self._view.measurement.noise_power(floor)
        noisy = floor.verdict is NoiseVerdict.NOISE
        self._rule = early_stopping.BandErrors(power, noise) if noisy else None
        self.noise = float(noise.sum(0).mean()) if noisy else 0.0
        self._level = self.noise * len(signal.channels)

    def estimate(self, outputs: Tensor) -> float | None:
        """Error against the clean signal, up to a constant; None where it is unknown."""
        if self._rule is None:
            return None
        estimate = self._rule.estimate(self._view.compare(outputs)) + self._level
        return estimate if math.isfinite(estimate) else None
