"""Errors by band as a metric that is updated batch by batch and adds up over processes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import final

import torch
import torch.distributed as dist
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra import Bands, BandTransform, PairSums
from overtone.spectra._pair_power import PairPower, usable_bands

_NAMES = ("target_power", "prediction_power", "residual_power")


@final
class SpectralError:
    """Errors of predicted fields by band, in the manner of torchmetrics, which is not needed for it.

    The states are sums over samples in float64: `compute` adds those of all processes where `torch.distributed` is
    initialized, so that every process calls it. With T, F and R the mean powers of target, prediction and residual per
    band, it returns R / T, F / T and the coherence (T + F - R) / 2 sqrt(T F).

    Args:
        transform: Transform of one field, such as `spectra.GridTransform` or `spectra.SphereTransform`.
        channels: Number of channels.

    Attributes:
        transform: The transform, whose `bands` are those of the values.

    Raises:
        InputError: If there is no channel.

    Example:
        >>> import torch
        >>> from overtone import spectra
        >>> from overtone.metrics import SpectralError
        >>> metric = SpectralError(spectra.GridTransform((8, 8), periodic=True))
        >>> target = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> metric.update(0.5 * target, target)
        >>> {name: round(float(value), 3) for name, value in metric.scalars().items()}
        {'error_ratio': 0.25, 'power_ratio': 0.25, 'coherence': 1.0, 'resolved_frequency': 4.0}
    """

    def __init__(self, transform: BandTransform, channels: int = 1) -> None:
        if channels < 1:
            raise InputError("at least one channel", f"{channels}", "pass the number of channels", "channels")
        self.transform, self._channels = transform, channels
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self._sums = torch.zeros(
            3, self.transform.bands.count, self._channels, dtype=torch.float64, device="cpu"
        )
        self._samples = torch.zeros((), dtype=torch.float64, device="cpu")

    @property
    def state(self) -> dict[str, Tensor]:
        """Copies of `sums` (target, prediction and residual; band, channel) and `samples` (), which add up."""
        return {"sums": self._sums.clone(), "samples": self._samples.clone()}

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch.

        Args:
            prediction: (sample, channel, *space) real values.
            target: Values of the same shape.

        Raises:
            InputError: If the shapes differ from each other or from the transform.
        """
        batch = PairSums(self.transform, self._channels)
        with torch.no_grad():
            batch.update(prediction.detach(), target.detach())
        if batch.samples:
            power = batch.compute()
            means = torch.stack([power.target, power.prediction, power.residual])
            self._sums += batch.samples * means.to(self._sums.device)
            self._samples += batch.samples

    def merge(self, state: Mapping[str, Tensor]) -> None:
        """Add the `state` of another metric with the same transform and channels.

        Args:
            state: The other one's state.

        Raises:
            InputError: If its shape differs.
        """
        if state["sums"].shape != self._sums.shape:
            raise InputError(
                f"sums of shape {tuple(self._sums.shape)}",
                f"{tuple(state['sums'].shape)}",
                "merge metrics of the same transform and channels",
                "state",
            )
        self._sums += state["sums"].to(self._sums.device)
        self._samples += state["samples"].to(self._samples.device)

    def compute(self) -> dict[str, Tensor]:
        """Return the values of all samples so far, over all processes.

        Returns:
            (band, channel) float64 tensors `target_power`, `prediction_power`, `residual_power`, `error_ratio`,
            `power_ratio` and `coherence`; NaN where a power that is divided by is zero.

        Raises:
            InputError: If there are no samples.
        """
        sums, samples = self._sums.clone(), self._samples.clone()
        if dist.is_available() and dist.is_initialized():
            sums, samples = (_added(state) for state in (sums, samples))
        if not samples:
            raise InputError("at least one sample", "none", "call update first", "samples")
        powers = dict(zip(_NAMES, sums / samples, strict=True))
        return powers | _ratios(self.transform.bands, tuple(powers.values()))

    def scalars(self) -> dict[str, Tensor]:
        """Return single numbers for loggers, as `self.log_dict(metric.scalars())` in Lightning takes them.

        Returns:
            Scalar tensors `error_ratio`, `power_ratio` and `coherence` of all bands beyond the mean together, averaged
            over the channels, and `resolved_frequency`, up to which the error ratio of every channel is below one half.

        Raises:
            InputError: If there are no samples.
        """
        values, bands = self.compute(), self.transform.bands
        usable = torch.tensor(list(usable_bands(bands, 0.0, math.inf)), device="cpu")
        totals = [values[name][usable].sum(0) for name in _NAMES]
        result = {name: ratio.mean() for name, ratio in _ratios(bands, totals).items()}
        wrong = (values["error_ratio"] >= 0.5).any(1) & usable
        places = usable.nonzero()[:, 0]
        frequency = bands.low[int(wrong.nonzero()[0])] if bool(wrong.any()) else bands.high[int(places[-1])]
        return result | {
            "resolved_frequency": torch.tensor(float(frequency), dtype=torch.float64, device="cpu")
        }


def _ratios(bands: Bands, powers: Sequence[Tensor]) -> dict[str, Tensor]:
    """Return the ratios of target, prediction and residual power; NaN where a power that is divided by is zero."""
    none = torch.empty(0, dtype=torch.float64, device="cpu")
    target, prediction, residual = powers
    pair = PairPower(bands, target, prediction, residual, 1, none, 1, "")
    names = ("error_ratio", "power_ratio", "coherence")
    return {name: getattr(pair, name).nan_to_num(math.nan, math.nan, math.nan) for name in names}


def _added(state: Tensor) -> Tensor:
    """Return the sum of a state over all processes."""
    # NCCL adds tensors on GPUs alone.
    total = state.cuda() if dist.get_backend() == "nccl" else state
    dist.all_reduce(total)
    return total.to(state.device)
