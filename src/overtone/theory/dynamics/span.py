"""How far apart a kernel that stays and one that goes on growing lead, and what can be told in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from overtone.records import metrics as derived
from overtone.theory.agreement import Limit, departure

if TYPE_CHECKING:
    import xarray

TRUST = 4.0
"""Largest ratio of the latest to the earliest learning step at which a band is still told."""


@final
@dataclass(frozen=True, eq=False)
class Span:
    """Three predictions of the same run, beyond the last step asked for.

    Attributes:
        growing: With the kernel growing on as it did before.
        between: With a part of that growth; the prediction.
        frozen: With the kernel as it is where it was linearised last.
        since: The step from which the three differ.
    """

    growing: xarray.Dataset
    between: xarray.Dataset
    frozen: xarray.Dataset
    since: int

    @property
    def earliest(self) -> NDArray[np.float64]:
        """(band,) learning steps of `growing`; NaN where not learned."""
        return _learning(self.growing)

    @property
    def latest(self) -> NDArray[np.float64]:
        """(band,) learning steps of `frozen`; NaN where not learned."""
        return _learning(self.frozen)

    @property
    def content(self) -> NDArray[np.bool_]:
        """(band,) bands that hold something to learn."""
        found: NDArray[np.bool_] = derived.has_content(derived.combine_channels(self.between)).values
        return found

    @property
    def parted(self) -> NDArray[np.float64]:
        """(band,) first step at which the two extremes differ; NaN where they do not."""
        return np.where(self.content, departure(self.frozen, self.growing, self.since)[0], np.nan)

    @property
    def untold(self) -> NDArray[np.bool_]:
        """(band,) bands whose learning step the extremes disagree on by more than `TRUST`."""
        late = np.where(np.isfinite(self.latest), self.latest, np.inf)
        with np.errstate(invalid="ignore"):
            close = late / self.earliest <= TRUST
        return self.content & ~close & (np.isfinite(self.parted) | np.isfinite(self.earliest))

    @property
    def limit(self) -> Limit | None:
        """Where the extremes begin to differ; None if they do not."""
        parted = self.parted
        if not np.isfinite(parted).any():
            return None
        band = int(np.nanargmin(parted))
        steps = self.between.step.values
        low, high = self.between.band_low.values, self.between.band_high.values
        return Limit(int(steps[steps < parted[band]][-1]), float(low[band]), float(high[band]))

    def told(self, last: int) -> xarray.Dataset:
        """The prediction up to step `last`, NaN where it cannot be told."""
        record = self.between.sel(step=slice(None, last))
        since = np.where(self.untold, np.fmin(self.parted, self.earliest), np.inf)
        gone = record.step.values[:, None, None] >= since[None, :, None]
        hidden = {
            name: record[name].where(~np.broadcast_to(gone, record[name].shape))
            for name in ("residual_power", "cross_power")
        }
        return record.assign(hidden)


def _learning(record: xarray.Dataset) -> NDArray[np.float64]:
    steps: NDArray[np.float64] = derived.learning_step(derived.combine_channels(record)).values
    return steps
