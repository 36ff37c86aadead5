"""What to know about a prediction, in plain sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from overtone.records import metrics as derived
from overtone.theory.dynamics.beyond import Beyond
from overtone.theory.dynamics.cost import Cost
from overtone.theory.dynamics.stability import Stability

if TYPE_CHECKING:
    import xarray

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
    beyond: Beyond
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
        together = derived.combine_channels(record)
        content = derived.has_content(together).values
        learned = np.isfinite(derived.learning_step(together).values)
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
