"""Early stopping and control of a fit, from the rows that its probe records anyway."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from overtone._training import Checkpoint, WeightAverage
from overtone.controller import ControlStep, Decision
from overtone.controller._policy import make_policy
from overtone.early_stopping import BestWeights, HeldOut, HeldOutAndNoise
from overtone.early_stopping._monitor import Row, record_rows
from overtone.fitting._prepare import PreparedFit
from overtone.fitting._run_directory import AVERAGED_WEIGHTS, BEST_WEIGHTS
from overtone.nn import Field
from overtone.planning import ReasonCode
from overtone.planning._reasons import Reason, sentences
from overtone.probes import LogSchedule, View
from overtone.probes._evaluator import Evaluator
from overtone.probes.views import GridView
from overtone.signals import require_grid

if TYPE_CHECKING:
    import xarray


@final
class FitController:
    """Controller of a run, from row to row; its decisions follow from the rows, so that a resumed run repeats them.

    Args:
        prepared: The fit; the bandwidth of its encoding is set to the first one.
        view: The view whose rows it judges.
        folder: The run directory, for candidates of the best network.

    Attributes:
        ended: Whether the last recalled row ended the run.
        average: None, since a controller judges the network in training.
        restores_average: False, for the same reason.

    Raises:
        InputError: If the signal is scattered, or the encoding can be neither rescaled nor windowed.
    """

    def __init__(self, prepared: PreparedFit[Any], view: View, folder: Path) -> None:
        require_grid(prepared.signal, "the controller", "leave the controller out", "controller")
        # A signal on a grid always has a noise floor and this view.
        assert prepared.noise is not None
        assert isinstance(view, GridView)
        self._policy = make_policy(
            view,
            prepared.noise,
            prepared.field,
            prepared.optimizer,
            planned=prepared.field.bandwidth,
            stop=prepared.config.stopping.stop,
            folder=folder / BEST_WEIGHTS,
        )
        self._unit = view.signal.geometry.frequency_unit
        self._initial = self._policy.bandwidth
        self._decisions: list[tuple[int, ControlStep]] = []
        self._announced = 0
        self.ended = False
        self.average: WeightAverage | None = None
        self.restores_average = False

    def recall(self, record: xarray.Dataset, _: Checkpoint) -> None:
        """Repeat the decisions of a run that is resumed.

        Args:
            record: Its rows up to where it goes on.
        """
        for step, row in record_rows(record):
            if not LogSchedule().due(step):
                self._policy.replay_observed(step, row)
                continue
            decision = self._policy.replay(step, row)
            self._append(step, decision)
            self.ended = decision.stop
        self._announced = len(self._decisions)

    def update(self, step: int, row: Row) -> bool:
        """Act on a row and return whether to end the run.

        A row off the schedule, which ends a session, is scored but not acted on: a run that was never interrupted does
        not have it.
        """
        if not LogSchedule().due(step):
            self._policy.observe(step, row)
            return False
        decision = self._policy.update(step, row)
        self._append(step, decision)
        return decision.stop

    def restore(self) -> int | None:
        """Restore the best network and return its step; None, and nothing restored, if no row could be scored."""
        best = self._policy.finish()
        return None if best is None else self._policy.to_global_step(best)

    def news(self) -> list[str]:
        """Return sentences on the decisions since the last call."""
        news = [str(decision.reason) for _, decision in self._decisions[self._announced :]]
        self._announced = len(self._decisions)
        return news

    def attributes(self, reasons: Sequence[Reason]) -> dict[str, Any]:
        """Return the record's attributes: the final bandwidth, all decisions, and their reasons after `reasons`."""
        increase = Decision.INCREASE_BANDWIDTH
        increases = sum(step.decision is increase for _, step in self._decisions)
        values = {"bandwidth": self._initial, "increases": increases}
        summary = Reason(ReasonCode.CONTROLLER_SUMMARY, values, self._unit)
        others = [d.reason for _, d in self._decisions if d.reason and d.decision is not increase]
        actions = [
            {
                "step": step,
                "move": d.decision.value,
                "bandwidth": list(d.bandwidth),
                "reason": str(d.reason),
            }
            for step, d in self._decisions
        ]
        return {
            "bandwidth": list(self._policy.bandwidth),
            "reasons": [*sentences(reasons), *map(str, (summary, *others))],
            "actions": actions,
        }

    def _append(self, step: int, decision: ControlStep) -> None:
        if decision.decision is not Decision.NOTHING:
            self._decisions.append((step, decision))


RAW_GAIN = 0.05
"""Relative distance by which the smallest error of the weights must lie below that of their average: with less the
average is restored, whose errors scatter less than a few held-out samples show."""


@final
class RuleMonitor:
    """Follows a run with a rule and stores the weights that it may go back to: a dozen at most.

    Args:
        folder: The run directory.
        network: The network in training; it is only read, until `restore`.
        rule: When to end the run, and which step was best.
        view: The view of the record, by which the average of the weights is measured as well; None to judge the weights
            alone, whose rows are measured anyway.

    Attributes:
        ended: Whether the last recalled row ended the run.
        average: The average of the weights, if it is judged as well. The run then ends by its errors.
    """

    def __init__(
        self, folder: Path, network: Field, rule: HeldOut | HeldOutAndNoise, view: View | None
    ) -> None:
        self._network, self._monitor = network, rule.monitor()
        self._weights = BestWeights(self._monitor, network, folder / BEST_WEIGHTS)
        self._averaged = (
            None if view is None else _AveragedWeights(folder, WeightAverage(network), rule, view)
        )
        self.average = None if self._averaged is None else self._averaged.average
        self.ended = False

    def recall(self, record: xarray.Dataset, checkpoint: Checkpoint) -> None:
        """Judge the rows of a run that is resumed.

        Args:
            record: Its rows up to where it goes on.
            checkpoint: Where it goes on; holds the errors of the averaged weights.
        """
        for step, row in record_rows(record):
            self.ended = self._weights.replay(step, row)
        if self._averaged is not None and checkpoint.average is not None:
            for step, train, held_out in checkpoint.average[1]:
                row = {"train_error": train, "held_out_error": held_out}
                self.ended = self._averaged.weights.replay(step, row)

    def update(self, step: int, row: Row) -> bool:
        """Judge a row and store the network, if it may turn out to be the best; whether to end the run."""
        ended = self._weights.update(step, row)
        return ended if self._averaged is None else self._averaged.update(step)

    def news(self) -> list[str]:
        """Nothing to report before the end."""
        return []

    def attributes(self, _: Sequence[Reason]) -> dict[str, Any]:
        """Return whether the network that is handed back has averaged weights."""
        return {"averaged": self.restores_average}

    def restore(self) -> int | None:
        """Put the best weights back; their step, None if no row could be judged."""
        if self._averaged is None or not self.restores_average:
            return self._weights.restore()
        best = self._averaged.weights.restore()
        self._network.load_state_dict(self._averaged.average.network.state_dict())
        return best

    @property
    def restores_average(self) -> bool:
        """Whether `restore` puts averaged weights back."""
        if self._averaged is None or self._averaged.monitor.best_step is None:
            return False
        return not self._monitor.lowest < (1 - RAW_GAIN) * self._averaged.monitor.lowest


@final
class _AveragedWeights:
    """The average of a run's weights, its monitor and the averages that the run may go back to."""

    def __init__(
        self, folder: Path, average: WeightAverage, rule: HeldOut | HeldOutAndNoise, view: View
    ) -> None:
        self.average, self.monitor, self._view = average, rule.monitor(), view
        self.weights = BestWeights(self.monitor, average.network, folder / AVERAGED_WEIGHTS)
        self._evaluate = Evaluator(average.network)

    def update(self, step: int) -> bool:
        """Measure the average and judge it; whether to end the run."""
        row = self._view.row(self._evaluate)
        self.average.errors.append((step, float(row["train_error"]), float(row["held_out_error"])))
        return self.weights.update(step, row)


def make_stopping(
    prepared: PreparedFit[Any],
    view: View,
    folder: Path,
    noise: float,
    begun: tuple[xarray.Dataset, Checkpoint] | None = None,
) -> FitController | RuleMonitor | None:
    """Return what ends a run and restores its best network: a controller, a stopping rule, or None.

    Args:
        prepared: The fit.
        view: The view whose rows decide.
        folder: The run directory.
        noise: Variance of the noise that the rule uses beside the held-out error, in squared value units; 0 for none.
        begun: The rows of a run that is resumed, up to where it goes on, and its checkpoint.

    Raises:
        InputError: If a controller is asked for and cannot control this encoding or signal.
    """
    stopping: FitController | RuleMonitor
    if prepared.config.stopping.controller:
        stopping = FitController(prepared, view, folder)
    elif prepared.stops_by_rule:
        rule: HeldOut | HeldOutAndNoise = HeldOutAndNoise(noise) if noise else HeldOut()
        stopping = RuleMonitor(folder, prepared.field, rule, view if prepared.averages_weights else None)
    else:
        return None
    if begun is not None:
        stopping.recall(*begun)
    return stopping
