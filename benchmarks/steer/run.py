"""One training run of the battery, and what is noted of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.steer.battery import nyquist
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


def leave_alone(_: int) -> bool:
    """Steering that does nothing."""
    return False


@dataclass
class Run:
    """A network, a signal, and how it is trained.

    Attributes:
        signal: With a clean reference and samples to be judged on.
        network: The network.
        optimizer: Of its parameters.
        steer: Called after every step; true ends the run.
        finish: Called when the run ends.
    """

    signal: Signal[Geometry]
    network: nn.Field
    optimizer: torch.optim.Optimizer
    steer: Callable[[int], bool] = leave_alone
    finish: Callable[[], object] = field(default=lambda: None)

    def train(self) -> dict[str, Any]:
        """Train and note the errors at steps evenly spaced in their logarithm, and the time spent."""
        signal, network = self.signal, self.network
        meter = _Meter(signal, network)
        variance = early_stopping.WindowedVariance(WINDOW, PATIENCE).monitor()
        still = None
        index = signal.train_index
        coords, values = signal.geometry.coords(index), signal.normalisation.apply(signal.values[index])
        due, spent, looking, stopped = LogSchedule(ROWS).due, 0.0, 0.0, None
        for step in range(1, STEPS + 1):
            began = time.perf_counter()
            outputs = network.normalised(coords)
            loss = torch.nn.functional.mse_loss(outputs, values)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            trained = time.perf_counter()
            done = self.steer(step)
            spent, looking = spent + trained - began, looking + time.perf_counter() - trained
            if still is None and variance.update(step, {"prediction": outputs.detach().numpy()}):
                still = variance.best_step
            if done:
                stopped = step
                break
            if due(step) or step == STEPS:
                meter.row(step)
        self.finish()
        return meter.rows | {
            "still": still or variance.best_step,
            "final": meter.apart(),
            "stopped": stopped,
            "bandwidth": list(network.bandwidth or ()),
            "nyquist": list(nyquist(signal)),
            "seconds": spent,
            "looking": looking,
            "peak": signal.peak,
        }


class _Meter:
    """Error on the clean samples apart, and what a run without an oracle can see."""

    def __init__(self, signal: Signal[Geometry], network: nn.Field) -> None:
        self._signal, self._evaluate = signal, Evaluator(network)
        self._bands = _Bands(signal) if isinstance(signal.geometry, Grid) else None
        self.rows: dict[str, Any] = {"steps": [], "clean": [], "held_out": [], "train": [], "bands": []}
        self.rows["noise"] = 0.0 if self._bands is None else self._bands.noise

    def apart(self, outputs: Tensor | None = None) -> float:
        """Mean square error against the clean signal on the samples neither trained on nor held out."""
        if outputs is None:
            outputs = self._evaluate(CoordinateInputs(self._signal.geometry, None))
        clean, mask = self._signal.clean, self._signal.ignored
        assert clean is not None
        assert mask is not None
        return float((outputs - clean)[mask].double().square().mean())

    def row(self, step: int) -> None:
        """Look at the network at this step."""
        outputs = self._evaluate(CoordinateInputs(self._signal.geometry, None))
        square = squared_errors(self._signal.values, outputs)
        self.rows["steps"].append(step)
        self.rows["clean"].append(self.apart(outputs))
        self.rows["held_out"].append(float(square[self._signal.held_out_index].mean()))
        self.rows["train"].append(float(square[self._signal.train_index].mean()))
        self.rows["bands"].append(None if self._bands is None else self._bands.estimate(outputs))


class _Bands:
    """What band errors say of a network on a grid, where noise is certain."""

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
        """Error against the clean signal, up to a constant; None where it cannot be told."""
        if self._rule is None:
            return None
        estimate = self._rule.estimate(self._view.compare(outputs)) + self._level
        return estimate if math.isfinite(estimate) else None
