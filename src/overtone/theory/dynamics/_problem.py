"""Prediction problem: samples, targets and the record of predicted outputs."""

from __future__ import annotations

import copy
import datetime
import importlib.metadata
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from overtone.records import Header
from overtone.records._schema import PER_STEP, complete
from overtone.signals import Signal
from overtone.spectra import Bands, GridTransform, NoiseFloor, NoiseVerdict
from overtone.theory._mode_dynamics import GradientDescent
from overtone.theory.dynamics._cost import WorkBudget
from overtone.theory.dynamics._linearised import EDGE_FRACTION, KernelHistory, Linearised, Rate, Snapshot
from overtone.theory.dynamics._minibatch import MinibatchScatter, minibatch_scatter
from overtone.theory.dynamics._pilot_run import parameter_dtype
from overtone.theory.dynamics._relinearisation import Relinearisation

if TYPE_CHECKING:
    import xarray


Row = dict[str, Any]


@final
class RecordBuilder:
    """Builder of the record of a prediction, with rows in physical units, in the form of a probe's rows.

    Args:
        signal: Signal of the record; every sample is predicted.
        bands: Frequency bands; those of `spectra.Bands.log` if None.
        noise: Noise floor of the signal, if it is known.
    """

    def __init__(self, signal: Signal, bands: Bands | None = None, noise: NoiseFloor | None = None) -> None:
        grid = signal.geometry
        self.signal = signal
        self._transform = GridTransform(grid.shape, grid.spacing, grid.periodic, bands)
        self._target = signal.values.double()
        self._coefficients = self._transform.coefficients(self._on_grid(self._target))
        self._power = self._transform.power(self._coefficients)
        self._noise = noise
        self._rows: dict[int, Row] = {}

    def add(self, step: int, outputs: Tensor, loss: float, rate: float) -> None:
        """Add the row of a step; a later row of the same step replaces it.

        Args:
            step: Optimizer steps taken.
            outputs: (N, C) outputs in the units of the loss (normalised values).
            loss: Training loss.
            rate: Learning rate.
        """
        residual = self._target - self.signal.normalisation.restore(outputs.double())
        coefficients = self._transform.coefficients(self._on_grid(residual))
        square = residual.square().mean(1)
        row: Row = {
            "residual_power": self._transform.power(coefficients).numpy(),
            # The cross power of target and prediction, where the prediction is the target minus the residual.
            "cross_power": (self._power - self._transform.cross(coefficients, self._coefficients)).numpy(),
            "loss": loss,
            "learning_rate": rate,
            "train_error": float(square[self.signal.train_index].mean()),
        }
        if self.signal.held_out_index.numel():
            row["held_out_error"] = float(square[self.signal.held_out_index].mean())
        if self.signal.clean is not None:
            clean_residual = residual - self._target + self.signal.clean.double()
            row["clean_error"] = float(clean_residual.square().mean())
        self._rows[step] = row

    def power(self, scatter: MinibatchScatter) -> NDArray[np.float64]:
        """Return the (band, channel) power of a scatter of the outputs, in squared physical units."""
        power = scatter.bands(self._transform, self.signal.geometry.shape).cpu()
        scaled: NDArray[np.float64] = (power * self.signal.normalisation.scale.square()).numpy()
        return scaled

    def record(self, attrs: dict[str, Any]) -> xarray.Dataset:
        """Return the record of all rows, with `origin` "predicted".

        Args:
            attrs: Further attributes.
        """
        bands = self._transform.bands
        header = Header(
            band_low=bands.low,
            band_high=bands.high,
            channels=self.signal.channels,
            static={"target_power": self._power.numpy(), "noise_power": self._noise_power()},
            attrs=self._attrs() | attrs,
        )
        steps = sorted(self._rows)
        rows = [complete(self._rows[step], PER_STEP, header.sizes, f"step {step}") for step in steps]
        stacked = {name: np.stack([row[name] for row in rows]) for name in PER_STEP}
        return header.record(np.array(steps, dtype=np.int64), stacked)

    def _on_grid(self, values: Tensor) -> Tensor:
        return values.reshape(*self.signal.geometry.shape, -1)

    def _noise_power(self) -> np.ndarray:
        share = (self._transform.modes.double() / self._transform.modes.sum()).numpy()[:, None]
        if self.signal.clean is not None:
            noise = self._on_grid(self._target - self.signal.clean.double())
            return self._transform.power(self._transform.coefficients(noise)).numpy()
        if self._noise is None or self._noise.verdict is NoiseVerdict.CANNOT_TELL:
            return np.full(tuple(self._power.shape), math.nan)
        std = np.asarray(self._noise.std, dtype=np.float64)
        noisy = self._noise.verdict is NoiseVerdict.NOISE
        # White noise spreads over bands in proportion to the number of modes in each.
        return np.asarray(share * (np.square(std) if noisy else np.zeros_like(std)))

    def _attrs(self) -> dict[str, Any]:
        grid = self.signal.geometry
        names = ("overtone", "torch", "numpy", "scipy", "xarray")
        return {
            "origin": "predicted",
            "frequency_unit": grid.frequency_unit,
            "value_unit": self.signal.value_unit,
            "estimator": "grid: " + " x ".join("periodic" if wraps else "even" for wraps in grid.periodic),
            "geometry": {
                "shape": list(grid.shape),
                "spacing": list(grid.spacing),
                "origin": list(grid.origin),
                "units": list(grid.units),
                "periodic": list(grid.periodic),
            },
            "nyquist": list(grid.nyquist),
            "kind": self.signal.kind,
            "signal": self.signal.name,
            "peak": self.signal.peak,
            "versions": {name: importlib.metadata.version(name) for name in names},
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }


MIN_EXTENSION = 2
"""Multiple of the pilot's steps that relinearisation must cover to be used."""


@final
@dataclass(frozen=True)
class PredictionProblem:
    """Samples to predict, with the builder of their record.

    Attributes:
        builder: Builder of the record.
        x: (N, d) coordinates.
        y: (N, C) targets in the units of the loss.
        train: (n,) rows used for training.
        rate: Learning rate per step.
    """

    builder: RecordBuilder
    x: Tensor
    y: Tensor
    train: Tensor
    rate: Callable[[int], float]

    @staticmethod
    def of(
        signal: Signal,
        part: Signal,
        network: nn.Module,
        rate: Callable[[int], float],
        bands: Bands | None,
        noise: NoiseFloor | None,
    ) -> PredictionProblem:
        """Return the problem of a part of a signal, in the normalisation of the whole.

        Args:
            signal: Signal of the training.
            part: The part that is predicted.
            network: The network; it determines device and precision.
            rate: Learning rate per step.
            bands: Bands of the record, or None for the default ones.
            noise: The noise floor, if it is known.
        """
        device = next(network.parameters()).device
        return PredictionProblem(
            RecordBuilder(replace(part, normalisation=signal.normalisation), bands, noise),
            part.coords.to(device),
            signal.normalisation.apply(part.values).to(device, parameter_dtype(network)),
            part.train_index.to(device),
            rate,
        )

    def relinearise(
        self,
        relinearisation: Relinearisation,
        rows: Sequence[int],
        last: int,
        history: KernelHistory,
        budget: WorkBudget,
        report: Callable[[float, float, int, int], None],
    ) -> tuple[Linearised, KernelHistory]:
        """Relinearise until step `last`, and add rows and kernels.

        If it ends before `MIN_EXTENSION` times the pilot it is undone: a network whose linear expansions are valid
        for so few steps is better extrapolated from the end of its training.

        Args:
            relinearisation: Relinearisation at the end of the pilot.
            rows: Recorded steps.
            last: Target step.
            history: Kernels of earlier steps; not changed.
            budget: Work that may be done.
            report: Function called after each expansion with the seconds of a training step and of the expansion, and
                the first and last step of the expansion.

        Returns:
            The network at the end of relinearisation, or at its start if undone, and the kernels up to there.
        """
        pilot = relinearisation.pilot
        start, saved = pilot.step, copy.deepcopy((pilot.network, pilot.optimizer))
        extended, snapshots = history.branch(), []
        pace, clock = pilot.seconds / start, time.perf_counter()
        for step, passed, linear in relinearisation.run(rows, last, budget):
            extended.add(step, linear.kernel)
            snapshots += passed
            clock, before = time.perf_counter(), clock
            report(pace, clock - before, step, pilot.step)
        if pilot.step < min(last, MIN_EXTENSION * start):
            pilot.step, (pilot.network, pilot.optimizer) = start, saved
            return relinearisation.expand_verified().linear, history
        self._add(snapshots)
        return relinearisation.expand_verified().linear, extended

    def scatter(
        self, linear: Linearised, rate: Rate, batch: int, last: int, since: int
    ) -> NDArray[np.float64]:
        """Return the (band, channel) power that batches add to the residual at step `last` on average.

        Args:
            linear: The network at step `since`; its kernel is assumed constant.
            rate: Learning rate per step, of gradient descent.
            batch: Samples per step.
            last: The step.
            since: Step of `linear`.

        Returns:
            Power in squared physical units.
        """
        # After a pilot that did not diverge, unstable modes are clamped to the edge, where their variance is finite.
        ceiling = EDGE_FRACTION if since else math.inf
        (scatter,) = minibatch_scatter(linear, GradientDescent(), rate, batch, [last], since, ceiling)
        return self.builder.power(scatter)

    def record(self, snapshots: Sequence[Snapshot], attrs: dict[str, Any]) -> xarray.Dataset:
        """Return the record of all earlier rows and of these snapshots.

        Args:
            snapshots: Snapshots at the same steps at every call, or at the first of them.
            attrs: Attributes of the record.
        """
        self._add(snapshots)
        return self.builder.record(attrs).sel(step=slice(None, snapshots[-1].step))

    def _add(self, snapshots: Sequence[Snapshot]) -> None:
        for snapshot in snapshots:
            rate = self.rate(snapshot.step)
            self.builder.add(snapshot.step, snapshot.outputs.cpu(), snapshot.loss, rate)
