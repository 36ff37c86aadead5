"""From predicted outputs to a record: the rows that a probe would have measured."""

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
from overtone.records._reader import assemble
from overtone.records._schema import PER_STEP, complete
from overtone.signals import Signal
from overtone.spectra import Bands, GridTransform, NoiseFloor, NoiseVerdict
from overtone.theory._mode_dynamics import Descent
from overtone.theory.dynamics._linearised import EDGE_FRACTION, KernelHistory, Linearised, Rate, Snapshot
from overtone.theory.dynamics._minibatch import MinibatchScatter, minibatch_scatter
from overtone.theory.dynamics._pilot_run import parameter_dtype
from overtone.theory.dynamics._relinearisation import Relinearisation

if TYPE_CHECKING:
    import xarray


Row = dict[str, Any]


@final
class RecordBuilder:
    """Turns predictions of a signal into the rows of a record, all in physical units.

    Args:
        signal: What is learned; every sample is predicted.
        bands: Frequency bands; those of `spectra.Bands.log` if None.
        noise: Its noise floor, if known.
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
        """Note the prediction at a step; a later note of the same step replaces it.

        Args:
            step: Optimizer steps taken.
            outputs: (N, C) outputs as the loss sees them (normalised values).
            loss: Training loss.
            rate: Learning rate.
        """
        residual = self._target - self.signal.normalisation.restore(outputs.double())
        found = self._transform.coefficients(self._on_grid(residual))
        square = residual.square().mean(1)
        row: Row = {
            "residual_power": self._transform.power(found).numpy(),
            "cross_power": (self._power - self._transform.cross(found, self._coefficients)).numpy(),
            "loss": loss,
            "learning_rate": rate,
            "train_error": float(square[self.signal.train_index].mean()),
        }
        if self.signal.held_out_index.numel():
            row["held_out_error"] = float(square[self.signal.held_out_index].mean())
        if self.signal.clean is not None:
            error = residual - self._target + self.signal.clean.double()
            row["clean_error"] = float(error.square().mean())
        self._rows[step] = row

    def power(self, spread: MinibatchScatter) -> NDArray[np.float64]:
        """(band, channel) power of a scatter of the outputs, in squared physical units."""
        found = spread.bands(self._transform, self.signal.geometry.shape).cpu()
        scaled: NDArray[np.float64] = (found * self.signal.normalisation.scale.square()).numpy()
        return scaled

    def record(self, attrs: dict[str, Any]) -> xarray.Dataset:
        """The record of everything noted, with `origin` "predicted".

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
        return assemble(header, np.array(steps, dtype=np.int64), stacked)

    def _on_grid(self, values: Tensor) -> Tensor:
        return values.reshape(*self.signal.geometry.shape, -1)

    def _noise_power(self) -> np.ndarray:
        share = (self._transform.modes.double() / self._transform.modes.sum()).numpy()[:, None]
        if self.signal.clean is not None:
            apart = self._on_grid(self._target - self.signal.clean.double())
            return self._transform.power(self._transform.coefficients(apart)).numpy()
        if self._noise is None or self._noise.verdict is NoiseVerdict.CANNOT_TELL:
            return np.full(tuple(self._power.shape), math.nan)
        std = np.asarray(self._noise.std, dtype=np.float64)
        known = self._noise.verdict is NoiseVerdict.NOISE
        return np.asarray(share * (np.square(std) if known else np.zeros_like(std)))

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
"""Multiple of the pilot's steps that leaps have to reach to be believed."""


@final
@dataclass(frozen=True)
class PredictionProblem:
    """Samples to predict.

    Attributes:
        ledger: Turns outputs into rows.
        x: (N, d) coordinates.
        y: (N, C) targets as the loss sees them.
        train: (n,) rows that are trained on.
        rate: Learning rate per step.
    """

    ledger: RecordBuilder
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
        """The scene of a part of a signal, in the normalisation of the whole.

        Args:
            signal: What is trained on.
            part: What is predicted.
            network: The network; its device and precision are used.
            rate: Learning rate per step.
            bands: Bands of the record, or None for the default ones.
            noise: The noise floor, if known.
        """
        device = next(network.parameters()).device
        return PredictionProblem(
            RecordBuilder(replace(part, normalisation=signal.normalisation), bands, noise),
            part.coords.to(device),
            signal.normalisation.apply(part.values).to(device, parameter_dtype(network)),
            part.train_index.to(device),
            rate,
        )

    def leap(
        self,
        leaps: Relinearisation,
        rows: Sequence[int],
        last: int,
        kernels: KernelHistory,
        passed: Callable[[float, float, int, int], None],
    ) -> tuple[Linearised, KernelHistory]:
        """Leap towards step `last` and note rows and kernels on the way.

        Leaps that end before `WORTH` times the pilot are undone: a network that so resists being linearised is
        better continued from where it was trained.

        Args:
            leaps: At the end of the pilot.
            rows: Steps that are recorded.
            last: Where to.
            kernels: Noted before; left as they are.
            passed: Called after each leap with the seconds of a step of training, those of the leap, and the steps
                where it began and ended.

        Returns:
            The network where the leaps ended, or where they began, and the kernels up to there.
        """
        pilot = leaps.pilot
        began, kept = pilot.step, copy.deepcopy((pilot.network, pilot.optimizer))
        noted, found = kernels.branch(), []
        pace, clock = pilot.seconds / began, time.perf_counter()
        for step, moments, linear in leaps.run(rows, last):
            noted.note(step, linear.kernel)
            found += moments
            clock, before = time.perf_counter(), clock
            passed(pace, clock - before, step, pilot.step)
        if pilot.step < min(last, MIN_EXTENSION * began):
            pilot.step, (pilot.network, pilot.optimizer) = began, kept
            return leaps.view().linear, kernels
        for moment in found:
            self.ledger.add(moment.step, moment.outputs.cpu(), moment.loss, self.rate(moment.step))
        return leaps.view().linear, noted

    def scatter(
        self, linear: Linearised, rate: Rate, batch: int, last: int, since: int
    ) -> NDArray[np.float64]:
        """(band, channel) power that batches add to the residual at step `last` on average, physical units squared.

        Args:
            linear: The network at step `since`; its kernel is taken to stay.
            rate: Learning rate per step, of gradient descent.
            batch: Samples per step.
            last: The step.
            since: Where `linear` was taken.
        """
        (found,) = minibatch_scatter(
            linear, Descent(), rate, batch, [last], since, EDGE_FRACTION if since else math.inf
        )
        return self.ledger.power(found)

    def record(self, moments: Sequence[Snapshot], attrs: dict[str, Any]) -> xarray.Dataset:
        """The record of what was noted on the way and of these moments.

        Args:
            moments: Of the same steps at every call, or of the first of them.
            attrs: Attributes of the record.
        """
        for moment in moments:
            self.ledger.add(moment.step, moment.outputs.cpu(), moment.loss, self.rate(moment.step))
        return self.ledger.record(attrs).sel(step=slice(None, moments[-1].step))
