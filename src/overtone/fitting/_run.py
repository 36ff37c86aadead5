"""A run that has ended or was interrupted: its record, network, report and verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from overtone import records, reports
from overtone._config import TrainingConfig
from overtone._state import evaluation_mode
from overtone._training import Checkpoint, Ending, Outcome
from overtone._utils.display import Displayed
from overtone.errors import InputError, RunError
from overtone.fitting._prepare import PreparedFit
from overtone.fitting._run_directory import RunDirectory
from overtone.fitting._stopping import FitController, RuleMonitor
from overtone.nn import Field
from overtone.probes._evaluator import chunk_size, predict_at
from overtone.reports._verdict import run_answers
from overtone.signals import Domain, Geometry, Measured, Points, Signal

if TYPE_CHECKING:
    import xarray

    from overtone.fitting._measured import PreparedMeasured
    from overtone.operators import KernelSolution


@dataclass(frozen=True, repr=False)
class Run(Displayed):
    """The result of `fit`.

    Attributes:
        directory: The run's files.
        signal: The signal, with its held-out samples, or the measurements.
        network: The trained field, from physical coordinates to physical values; the best one if the run may stop.
        outcome: Steps, seconds and the reason why training ended.
        unchanged: Whether it was resumed with nothing left to do, so that its files are as they were.
        kernel: Of an equation, the kernel solution; None of other fits.

    Example:
        >>> import overtone as ot
        >>> signal = ot.signals.synthetic.harmonics([3.0], samples=64)
        >>> run = ot.fit(signal, width=16, features=8, steps=20)
        >>> sorted(run.psnr), run.interrupted
        (['held_out', 'held_out_clean', 'train'], False)
    """

    directory: RunDirectory
    signal: Signal[Geometry] | Measured
    network: Field
    outcome: Outcome
    unchanged: bool = False
    kernel: KernelSolution | None = None

    _display = "run_display"

    def __repr__(self) -> str:
        return f"<Run on {self.signal.name!r}: {self.outcome.step} steps, in {str(self.directory.path)!r}>"

    @property
    def record(self) -> xarray.Dataset:
        """The record, an `xarray.Dataset`."""
        return records.load(self.directory.record)

    @property
    def verdict(self) -> list[str]:
        """Sentences: what was learned, what was not, when noise began, what to do next."""
        return [answer for _, answer in run_answers(self.directory.path, self.record)]

    @property
    def network_step(self) -> int:
        """The step of the network that is returned."""
        return int(self.record.attrs["kept"])

    @property
    def interrupted(self) -> bool:
        """Whether it was stopped before its budget was used."""
        return self.outcome.ending is Ending.INTERRUPTED

    @property
    def psnr(self) -> dict[str, float | None]:
        """PSNR of the network in dB over all samples: "train", "held_out", "held_out_clean"; None where there are none.

        10 log10(peak^2 / mean square error), with the signal's `peak`.
        """
        known = {level.name: level.psnr for level in records.metrics.levels(self.record)}
        return {name: known.get(name) for name in ("train", "held_out", "held_out_clean")}

    def predict(self, points: Tensor | None = None) -> Tensor:
        """Return the network's values (N, C) in the signal's units; complex where the field is.

        Args:
            points: (N, d) in the units of the coordinates; every sample of the signal if None.

        Raises:
            InputError: If the field is that of an equation, which has no samples, and no points are passed.
        """
        geometry: Geometry | Domain = self.signal.geometry
        if points is not None:
            places = points.detach().double().reshape(len(points), -1).cpu()
            geometry = Points(places, geometry.units)
        if isinstance(geometry, Domain):
            raise InputError(
                "points of the domain of the equation", "none", "pass points (N, d) to predict", "points"
            )
        with evaluation_mode(self.network):
            values = predict_at(self.network, geometry, None, chunk=chunk_size(self.network, 1.0))
        if isinstance(self.signal, Measured) and self.signal.complex_values:
            return torch.view_as_complex(values.reshape(len(values), -1, 2).contiguous())
        return values

    def report(self, path: str | Path | None = None) -> Path:
        """Write the report, one self-contained HTML page.

        Args:
            path: Where to; the run directory's `report.html` if None.

        Returns:
            The page's path.
        """
        return reports.report([self.directory.path], Path(path) if path else self.directory.report)


def reason_to_end(
    begun: TrainingConfig,
    longer: TrainingConfig,
    checkpoint: Checkpoint,
    record: xarray.Dataset,
    run_path: str,
) -> str | None:
    """Return why a run has nothing left to do, in words; None if it has something left.

    Args:
        begun: The training that the run has had.
        longer: The training with the budget that it is to have now.
        checkpoint: Where it is.
        record: Its record.
        run_path: The run directory, for the error.

    Raises:
        InputError: If it was stopped early and is to go on for less than it has had.
    """
    step = checkpoint.step
    if record.attrs.get("complete") is True:
        if record.attrs.get("ending") == Ending.OBSERVER.value:
            return f"it ended at step {step}, since there was nothing more to gain"
        if longer.used_up(step, checkpoint.seconds):
            return f"its {longer.budget} are used, at step {step}; give it more by --steps or --time"
    elif longer.used_up(step, checkpoint.seconds) and not begun.used_up(step, checkpoint.seconds):
        raise InputError(
            f"a budget beyond step {step} and {checkpoint.seconds:.3g} s, where the run was stopped",
            longer.budget,
            f"leave it out to go on to {begun.budget}",
            run_path,
        )
    return None


def finished_run(
    directory: RunDirectory,
    prepared: PreparedFit[Any] | PreparedMeasured,
    stopping: FitController | RuleMonitor | None,
    checkpoint: Checkpoint,
    record: xarray.Dataset,
) -> Run:
    """Return a run as it ended, without touching its files.

    Args:
        directory: Where it is.
        prepared: The fit, built anew; its network gets the state that was returned before.
        stopping: What chose that state; it has seen all rows.
        checkpoint: The state at the end.
        record: The record.

    Raises:
        InputError: If the best network is missing or damaged.
    """
    checkpoint.restore(prepared.field, prepared.optimizer)
    if stopping is not None:
        stopping.restore()
    seconds = float(record.attrs.get("seconds") or checkpoint.seconds)
    outcome = Outcome(checkpoint.step, seconds, Ending(record.attrs["ending"]))
    return Run(directory, prepared.signal, prepared.field, outcome, unchanged=True)


def check_predictions(errors: Iterable[float | None], outcome: Outcome, training: TrainingConfig) -> None:
    """Refuse a network whose predictions are not finite.

    Args:
        errors: Its errors.
        outcome: How its training ended.
        training: The settings of the training.

    Raises:
        RunError: If an error is not finite, or not known.
    """
    if not all(error is not None and math.isfinite(error) for error in errors):
        raise RunError(
            "finite predictions",
            f"NaN or infinity after step {outcome.step}",
            f"lower the learning rate of {training.learning_rate:g}; the record up to there is kept",
            "training",
        )
