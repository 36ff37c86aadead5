"""How a prediction goes on where its pilot ends, and why not otherwise."""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from overtone.records import metrics
from overtone.theory.dynamics._stability import Stability

if TYPE_CHECKING:
    import xarray


class Continuation(enum.Enum):
    """What follows the pilot; the value goes into the record's `continued`.

    Attributes:
        KERNEL: The initial network's kernel, without a pilot.
        LEAPS: Leaps, and growth where they end.
        WINDOW: Growth alone. What lies outside a window moves the features too, so that leaps on the window's own
            gradient would go elsewhere.
    """

    KERNEL = "kernel"
    LEAPS = "leaps"
    WINDOW = "growth, for a window"

    @staticmethod
    def of(pilot: int, window: bool) -> Continuation:
        """What follows.

        Args:
            pilot: Its steps.
            window: Whether a part of the signal is predicted.
        """
        if not pilot:
            return Continuation.KERNEL
        return Continuation.WINDOW if window else Continuation.LEAPS

    @property
    def reason(self) -> str | None:
        """Why there are no leaps, in a sentence."""
        if self is not Continuation.WINDOW:
            return None
        return (
            "Without leaps, since what lies outside the window moves the network too: from the pilot's end the growth "
            "of its kernel is extrapolated."
        )


AGAIN = 2.0
"""Growth of an estimate from which it is told again."""


@final
@dataclass(frozen=True)
class Cost:
    """Wall-clock times.

    Attributes:
        predicting: Seconds that the prediction took, or will take.
        training: Seconds that all steps would take, by the pilot's; None without a pilot.
    """

    predicting: float
    training: float | None

    @property
    def warning(self) -> str | None:
        """A sentence if training was the cheaper answer."""
        if self.training is None or self.predicting <= self.training:
            return None
        return (
            f"Predicting took {_rounded(self.predicting)} s; training itself would take about "
            f"{_rounded(self.training)} s, and is the surer answer."
        )

    @property
    def outlook(self) -> str:
        """The same in advance, whichever is cheaper."""
        sentence = f"Predicting will take about {_rounded(self.predicting)} s"
        if self.training is None:
            return f"{sentence}."
        surer = ", and is the surer answer" if self.predicting > self.training else ""
        return f"{sentence}; training itself would take about {_rounded(self.training)} s{surer}."


@final
class CostMeter:
    """Tells what a prediction will cost as soon as that can be estimated, and again if it turns out to be twice that.

    Args:
        tell: Takes a sentence.
        pilot: Steps of the pilot.
        steps: Steps that are predicted.
    """

    def __init__(self, tell: Callable[[str], None], pilot: int, steps: int) -> None:
        self._tell, self._pilot, self._steps = tell, pilot, steps
        self._began, self._told = time.perf_counter(), 0.0

    def at_look(self, step: float, view: float, share: float) -> None:
        """Half way of the pilot, after the first kernel.

        Args:
            step: Seconds of a step.
            view: Seconds of the kernel and its eigenvectors.
            share: Length of the leaps to come, as a share of the steps taken; infinite if one kernel follows alone.
        """
        kernels = 1 + _leaps(self._pilot, self._steps, share)
        self._say(step * self._pilot / 2 + view * kernels, step)

    def at_leap(self, step: float, seconds: float, start: int, stop: int) -> None:
        """After a leap.

        Args:
            step: Seconds of a step of training.
            seconds: Those of the leap.
            start: Where it began, at least 1.
            stop: Where it ended.
        """
        self._say(seconds * _leaps(stop, self._steps, stop / start - 1), step)

    def _say(self, ahead: float, step: float) -> None:
        cost = Cost(time.perf_counter() - self._began + ahead, step * self._steps)
        if cost.predicting > AGAIN * self._told:
            self._told = cost.predicting
            self._tell(cost.outlook)


def _leaps(start: int, stop: int, share: float) -> int:
    """How many leaps lead from one step to another if each is a share of the steps taken."""
    return 0 if math.isinf(share) else math.ceil(math.log(max(stop / start, 1.0)) / math.log1p(share))


def _rounded(seconds: float) -> str:
    return f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}"


SHARE = 0.05
"""Largest pilot, as a share of the steps predicted, for which accuracy is stated."""

VISIBLE = 1e-9
"""Relative size of negative eigenvalues from which they are mentioned."""


@final
@dataclass(frozen=True)
class Findings:
    """What was found while predicting.

    Attributes:
        steps: Last step asked for.
        pilot: Steps of the pilot.
        since: Step up to which the network was linearised again and again.
        stability: Whether training bears its learning rate.
        clipped: Largest negative eigenvalue that was set to 0, relative to the largest.
        beyond: What follows the pilot.
        scatter: Largest root of a band's scatter by minibatches, relative to its target; None if it is not known.
        cost: What it took.
        part: First sample and shape of the part predicted, or None for the whole.
        whole: Shape of the signal.
    """

    steps: int
    pilot: int
    since: int
    stability: Stability
    clipped: float
    beyond: Continuation
    scatter: float | None
    cost: Cost
    part: tuple[tuple[int, ...], tuple[int, ...]] | None
    whole: tuple[int, ...]

    def sentences(self, record: xarray.Dataset, untold: NDArray[np.bool_]) -> list[str]:
        """The sentences, most important first.

        Args:
            record: The predicted record.
            untold: (band,) bands that the theory cannot tell.
        """
        first = self.stability.sentence
        bands = [] if self.stability.diverges_at is not None else self._bands(record, untold)
        return [*([] if first is None else [first]), *bands, *self._basis()]

    def _bands(self, record: xarray.Dataset, untold: NDArray[np.bool_]) -> list[str]:
        together = metrics.combine_channels(record)
        content = metrics.has_content(together).values
        learned = np.isfinite(metrics.learning_step(together).values)
        unit = record.attrs["frequency_unit"]
        found = []
        never = content & ~learned & ~untold
        if untold.any():
            from_here = float(record.band_low.values[untold].min())
            above = record.band_low.values >= from_here
            count = int((untold | (never & above)).sum())
            found.append(
                f"Cannot tell when {_bands(count)} from {from_here:.4g} {unit} up {_are(count)} learned: the network's "
                "features still change too fast."
            )
            never &= ~above
        if never.any():
            lowest = float(record.band_low.values[never].min())
            found.append(
                f"{_bands(int(never.sum()))} from {lowest:.4g} {unit} up {_are(int(never.sum()))} not learned within "
                f"{self.steps} steps, if nothing unforeseen speeds features up."
            )
        return found

    def _basis(self) -> list[str]:
        found = []
        if self.part is not None:
            start, shape = self.part
            size, whole = (" x ".join(map(str, s)) for s in (shape, self.whole))
            inside = ", ".join(f"{a} to {a + n - 1}" for a, n in zip(start, shape, strict=True))
            found.append(
                f"Predicted on a window of {size} of the {whole} samples, numbers {inside} per axis, at full "
                "resolution; of what lies elsewhere it says nothing."
            )
        if self.pilot == 0:
            found.append(
                "From the initial network alone, without a pilot: features that are learned on the way are not "
                "foreseen."
            )
        elif self.pilot > SHARE * self.steps:
            found.append(
                f"The pilot of {self.pilot} steps is more than 5 % of the {self.steps} predicted; accuracy is stated "
                "for shorter ones."
            )
        if self.since > self.pilot:
            found.append(
                f"Linearised again and again up to step {self.since}"
                + ("." if self.since == self.steps else ", where it began to change too fast for that.")
            )
        if self.beyond.reason is not None:
            found.append(self.beyond.reason)
        if self.scatter is not None:
            found.append(
                f"Minibatches scatter a run about this mean: at the last step by a relative error of up to "
                f"{self.scatter:.2g} in a band."
            )
        if self.clipped > VISIBLE:
            found.append(
                f"The kernel had negative eigenvalues of up to {self.clipped:.0e} of the largest; they were set to 0."
            )
        if self.cost.warning is not None:
            found.append(self.cost.warning)
        return found


def _bands(count: int) -> str:
    return "1 band" if count == 1 else f"{count} bands"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
