"""Decisions of a controller from measured rows and the target's spectrum: increase the bandwidth, go back, stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from overtone.controller._encoding_bandwidth import EncodingBandwidth
from overtone.early_stopping import BandErrors, BestWeights, HeldOutAndNoise, StoppingRule
from overtone.early_stopping._monitor import Row
from overtone.errors import RunError
from overtone.nn import Field
from overtone.planning._bandwidth import SAMPLING, recommend_bandwidth
from overtone.planning._reasons import Reason, ReasonCode
from overtone.probes._grid_measurement import GridMeasurement
from overtone.probes._spread_measurement import SpreadMeasurement
from overtone.probes.views import GridView
from overtone.signals import Grid
from overtone.spectra import NoiseFloor, NoiseVerdict

GROWTH = 1.1
"""Largest factor of one increase of the bandwidth."""

EARLIEST = 10
"""Steps before which the bandwidth is not increased."""

PHASE_SHIFT = 0.25
"""Cycles by which an increase may move the waves at the far end of the extent: more, and learned content is lost."""

GAP, ABOVE = 1.0, 2.0
"""Increase the bandwidth only while held-out error <= GAP x training error and training error > ABOVE x noise variance;
otherwise more bandwidth would fit single samples or noise."""

LR_FACTOR, MAX_REDUCTIONS = 0.3, 1
"""Factor on the learning rate when noise begins to be learned, and how often before the run ends."""

NOISY_SHARE = 0.5
"""Initial bandwidth of signals that may be noisy, as a part of the recommended one."""

LEARNED = 0.1
"""Part of the power within the bandwidth that may be unlearned when the bandwidth is increased."""


class Decision(Enum):
    """Decision of a controller at a step; the value is its name in records.

    Example:
        >>> Decision.STOP.value
        'stop'
    """

    NOTHING = "nothing"
    INCREASE_BANDWIDTH = "reach further"
    REDUCE_LR = "lower the learning rate"
    STOP = "stop"


@final
@dataclass(frozen=True)
class ControlStep:
    """Decision of a controller at a step, which it has carried out already.

    Attributes:
        decision: The decision.
        bandwidth: The bandwidth per axis from here on, in cycles per physical unit.
        reason: The reason, with its numbers; None for NOTHING. `str` of it is a sentence.

    Example:
        >>> ControlStep(Decision.NOTHING, (4.0,)).stop
        False
    """

    decision: Decision
    bandwidth: tuple[float, ...]
    reason: Reason | None = None

    @property
    def stop(self) -> bool:
        """Whether to leave the loop; the network then has its best weights."""
        return self.decision is Decision.STOP


@final
class TargetSpectrum:
    """Power of the target and of its noise per band.

    Args:
        measurement: Measurement of the target.
        noise: Its noise floor.

    Attributes:
        target: (band, channel) power, in squared value units.
        noise: (band, channel) power of the noise, 0 where none was found.
        variance: Variance of the noise, an upper bound where it cannot be told from detail; mean over channels.
        clean: Whether there is certainly no noise.
    """

    def __init__(self, measurement: GridMeasurement | SpreadMeasurement, noise: NoiseFloor) -> None:
        self.target = measurement.target_power.cpu().numpy()
        self.clean = noise.verdict is NoiseVerdict.CLEAN
        # Estimated as for a signal without a noise-free reference: a controller must not see one where there is one.
        power = np.nan_to_num(measurement.white_noise_power(noise))
        self.noise = power if noise.verdict is NoiseVerdict.NOISE else np.zeros_like(power)
        self.variance = float(noise.std.square().mean())
        self._low, self._high = np.asarray(measurement.bands.low), np.asarray(measurement.bands.high)

    def initial_bandwidth(
        self, recommended: tuple[float, ...], planned: tuple[float, ...] | None
    ) -> tuple[float, ...]:
        """Choose the initial bandwidth per axis.

        The planned one; by default half of what the spectrum recommends. Where there is certainly no noise, no less
        than recommended: more bandwidth learns faster, and there is no noise to be learned.

        Args:
            recommended: Bandwidth that the spectrum recommends, per axis.
            planned: Bandwidth of a plan, if there is one.
        """
        start = planned or tuple(NOISY_SHARE * b for b in recommended)
        return tuple(map(max, start, recommended)) if self.clean else start

    def max_bandwidth(self, recommended: tuple[float, ...], grid: Grid) -> tuple[float, ...]:
        """Return the largest bandwidth of the recommended shape within an eighth of Nyquist and the bands above noise.

        Args:
            recommended: Bandwidth that the spectrum recommends, per axis.
            grid: Positions of the samples.
        """
        # A band counts where its signal power exceeds its noise power: total power above twice the noise.
        above = (self.target > 2 * self.noise).any(axis=1)
        limit = float(self._high[above].max()) if above.any() else 0.0
        ratios = [SAMPLING * n / b for n, b in zip(grid.nyquist, recommended, strict=True)]
        factor = max(1.0, min(min(ratios), limit / max(recommended)))
        return tuple(b * factor for b in recommended)

    def learned(self, residual: NDArray[np.float64], bandwidth: float) -> bool:
        """Whether less than a tenth of the power within the bandwidth and above the noise is unlearned.

        Args:
            residual: (band, channel) residual power, in squared value units.
            bandwidth: In cycles per physical unit.
        """
        inside = self._within(bandwidth)
        signal = np.clip(self.target - self.noise, 0, None)[inside].sum()
        unlearned = np.clip(residual - self.noise, 0, None)[inside].sum()
        return bool(unlearned <= LEARNED * signal)

    def _within(self, bandwidth: float) -> NDArray[np.bool_]:
        """The bands without the mean that begin below a frequency; at least the first of them."""
        inside = (self._low > 0) & (self._low < bandwidth)
        # Below the first band's edge there is no band to judge by; the first one stands in.
        inside[1:2] = True
        return inside


@final
class ControllerPolicy:
    """Acts on a network and its optimizer, in place, by rows as a probe measures them.

    Args:
        spectrum: Power of the target and of its noise.
        encoding: Bandwidth of the network, at its initial value now.
        max_bandwidth: The largest bandwidth per axis, in cycles per physical unit.
        extent: Extent of the signal per axis, in physical units.
        optimizer: Its learning rates are lowered, and `pace`, their factor in training.
        new_weights: Builds an empty store of best weights with a new monitor; None if no rule applies, so that the run
            never goes back and never stops.
    """

    def __init__(
        self,
        spectrum: TargetSpectrum,
        encoding: EncodingBandwidth,
        max_bandwidth: tuple[float, ...],
        extent: tuple[float, ...],
        optimizer: torch.optim.Optimizer,
        new_weights: Callable[[], BestWeights] | None,
    ) -> None:
        self._spectrum, self._encoding, self._max_bandwidth = spectrum, encoding, max_bandwidth
        self._extent, self._optimizer, self._new_weights = extent, optimizer, new_weights
        self._weights = None if new_weights is None else new_weights()
        self._rows: dict[int, Row] = {}
        # After a rollback the monitor counts steps from the restored one on, as if the discarded steps had not been.
        self._reductions, self._rollback_offset, self._rollback_step = 0, 0, 0

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """The current bandwidth per axis, in cycles per physical unit."""
        return self._encoding.value

    def update(self, step: int, row: Row) -> ControlStep:
        """Judge a row and act.

        Args:
            step: Optimizer steps so far, ascending.
            row: With `residual_power` (band, channel) and the columns that the stopping rule needs.

        Returns:
            The decision.
        """
        local_step = self._note(step, row)
        if self._weights is not None and self._weights.update(local_step, row):
            return self._roll_back(step)
        return self._increase(step, row)

    def observe(self, step: int, row: Row) -> None:
        """Judge a row without acting on it: the last of a session."""
        if self._weights is not None:
            self._weights.update(self._note(step, row), row)

    def replay_observed(self, step: int, row: Row) -> None:
        """Judge a row that an earlier session observed without acting on it."""
        if self._weights is not None:
            self._weights.replay(self._note(step, row), row)

    def replay(self, step: int, row: Row) -> ControlStep:
        """Repeat the decision on a row of a resumed run, whose network and optimizer are restored elsewhere.

        Returns:
            The decision made then.
        """
        local_step = self._note(step, row)
        if self._weights is None or not self._weights.replay(local_step, row):
            return self._increase(step, row)
        best = self._weights.best_step
        if best is None or self._reductions >= MAX_REDUCTIONS:
            return ControlStep(Decision.STOP, self.bandwidth, _rises_again(step))
        self._restart(step, best)
        self._weights.replay(best, self._rows[best])
        return ControlStep(Decision.REDUCE_LR, self.bandwidth, _rises(step, best))

    def to_global_step(self, local_step: int) -> int:
        """Convert a step counted without the discarded ones to a step of the whole run."""
        return local_step if local_step <= self._rollback_step else local_step + self._rollback_offset

    def finish(self) -> int | None:
        """Restore the best weights.

        Returns:
            The restored step, not counting steps discarded by a rollback; None (weights unchanged) if no row could be
            scored.
        """
        try:
            best = None if self._weights is None else self._weights.restore()
        except RunError:
            # Weights in memory are lost with their process: a replayed run has none to go back to.
            return None
        if best is not None:
            self._encoding.sync()
        return best

    def end(self, reason: Reason) -> ControlStep:
        """Restore the best weights and ask to stop."""
        self.finish()
        return ControlStep(Decision.STOP, self.bandwidth, reason)

    def _note(self, step: int, row: Row) -> int:
        """Remember a row by its step without the discarded ones, and return that step."""
        local_step = step - self._rollback_offset
        self._rows[local_step] = row
        return local_step

    def _increase(self, step: int, row: Row) -> ControlStep:
        # Once noise has begun to be learned, more bandwidth would only let more of it in.
        if (
            step < EARLIEST
            or self._reductions
            or not self._lacks_bandwidth(row)
            or not self._spectrum.learned(np.asarray(row["residual_power"]), max(self.bandwidth))
        ):
            return ControlStep(Decision.NOTHING, self.bandwidth)
        # Scaling a frequency by a factor shifts its wave by (factor - 1) cycles per cycle within the extent: the
        # highest wave shifts most, and must keep its phase well enough for the layers above to use it.
        limit = min(m / b for m, b in zip(self._max_bandwidth, self.bandwidth, strict=True))
        waves = max(b * e for b, e in zip(self.bandwidth, self._extent, strict=True))
        factor = min(GROWTH, 1 + PHASE_SHIFT / waves, limit)
        if factor <= 1 + 1e-6:
            return ControlStep(Decision.NOTHING, self.bandwidth)
        self._encoding.scale(factor)
        reason = Reason(ReasonCode.BANDS_LEARNED, {"step": step})
        return ControlStep(Decision.INCREASE_BANDWIDTH, self.bandwidth, reason)

    def _lacks_bandwidth(self, row: Row) -> bool:
        """Whether the network fits neither single samples nor their noise yet."""
        error, held_out = float(row["train_error"]), row.get("held_out_error")
        return error > ABOVE * self._spectrum.variance and (held_out is None or held_out <= GAP * error)

    def _roll_back(self, step: int) -> ControlStep:
        """Restore the best weights at a lower learning rate; the second time, stop."""
        best = None if self._reductions >= MAX_REDUCTIONS else self.finish()
        if best is None:
            return self.end(_rises_again(step))
        for group in self._optimizer.param_groups:
            group["lr"] *= LR_FACTOR
            group["pace"] = LR_FACTOR * group.get("pace", 1.0)
        self._restart(step, best)
        assert self._weights is not None
        self._weights.update(best, self._rows[best])
        return ControlStep(Decision.REDUCE_LR, self.bandwidth, _rises(step, best))

    def _restart(self, step: int, best: int) -> None:
        """Go on from the best weights with a new monitor: the old one would end the run at once."""
        assert self._new_weights is not None
        self._reductions += 1
        self._rollback_offset, self._rollback_step = step - best, best
        self._rows = {best: self._rows[best]}
        self._weights = self._new_weights()


def _rises(step: int, best: int) -> Reason:
    return Reason(ReasonCode.ERROR_RISES, {"step": step, "best_step": best, "lr_factor": LR_FACTOR})


def _rises_again(step: int) -> Reason:
    return Reason(ReasonCode.ERROR_RISES_AGAIN, {"step": step})


def make_policy(
    view: GridView,
    noise: NoiseFloor,
    field: Field,
    optimizer: torch.optim.Optimizer,
    *,
    planned: tuple[float, ...] | None,
    stop: bool = True,
    rule: StoppingRule | None = None,
    folder: Path | None = None,
) -> ControllerPolicy:
    """Return the policy of a run whose rows a view measures; the encoding is set to its initial bandwidth.

    Args:
        view: The view of the signal.
        noise: Its noise floor.
        field: The network in training.
        optimizer: Its optimizer.
        planned: Bandwidth of a plan per axis, in cycles per physical unit, if there is one.
        stop: Whether the run may go back and end.
        rule: When to go back and end; if None, the best rule that the signal has evidence for: band errors where there
            certainly is noise, else the held-out error with the noise there may be, else none.
        folder: Folder of the candidates of the best network; None for memory.

    Raises:
        InputError: If the encoding can be neither rescaled nor windowed.
    """
    spectrum, grid = TargetSpectrum(view.measurement, noise), view.signal.geometry
    applied = rule
    if stop and rule is None:
        if spectrum.noise.sum() > 0:
            applied = BandErrors(spectrum.target, spectrum.noise)
        elif len(view.signal.held_out_index):
            applied = HeldOutAndNoise(spectrum.variance)
    # After a rollback a new monitor begins, so the store of best weights is made by a function, each time anew.
    new_weights = None if applied is None else (lambda: BestWeights(applied.monitor(), field, folder))
    recommended = recommend_bandwidth(view.signal, noise).bandwidth
    encoding = EncodingBandwidth.of(field, spectrum.initial_bandwidth(recommended, planned))
    limit = spectrum.max_bandwidth(recommended, grid)
    return ControllerPolicy(spectrum, encoding, limit, grid.extent, optimizer, new_weights)
