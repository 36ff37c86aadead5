"""The view of targets along sequences: power per band of temporal frequency, averaged over the sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from torch import Tensor

from overtone.errors import InputError
from overtone.observe.samples import Batch
from overtone.observe.target import target_of
from overtone.observe.views.sampled import SampledView
from overtone.spectra import Bands, GridTransform


@final
class TimeTransform:
    """The grid transform along the second axis of values (N, T, C), its powers averaged over the N sequences.

    Args:
        steps: T, samples per sequence.
        channels: C, values per sample.
        spacing: Time between them; 1 for frequencies in cycles per step.
        periodic: Whether sequences wrap around; else they are mirrored at their ends.
        bands: Bands in cycles per unit of time.

    Attributes:
        bands: The bands used.
    """

    def __init__(
        self,
        steps: int,
        channels: int,
        spacing: float = 1.0,
        periodic: bool = False,
        bands: Bands | Sequence[float] | None = None,
    ) -> None:
        self._channels = channels
        self._grid = GridTransform((steps,), spacing, periodic, bands)
        self.bands = self._grid.bands

    def coefficients(self, values: Tensor) -> Tensor:
        """(stored, N * C) orthonormal coefficients of (N, T, C) values, linear in them."""
        return self._grid.coefficients(values.movedim(1, 0).reshape(values.shape[1], -1))

    def power(self, coefficients: Tensor) -> Tensor:
        """(band, C) float64; summed over the bands, the mean square over sequences and time."""
        return self._mean(self._grid.power(coefficients))

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """(band, C) float64 mean of the product of two fields' parts in each band."""
        return self._mean(self._grid.cross(coefficients, other))

    def _mean(self, power: Tensor) -> Tensor:
        return power.reshape(len(power), -1, self._channels).mean(1)


def sequence(
    inputs: Any,
    targets: Any,
    *,
    spacing: float = 1.0,
    unit: str = "step",
    periodic: bool = False,
    bands: Bands | Sequence[float] | None = None,
    classes: int | None = None,
    held_out: Tensor | None = None,
    name: str = "sequence",
) -> SampledView:
    """Watch targets (N, T, C) along time: of which temporal frequencies are the outputs right.

    Args:
        inputs: What the network is called with, sequences along the first axis.
        targets: (N, T, C) values, or (N, T) labels with `classes`; the network returns (N, T, C).
        spacing: Time between samples.
        unit: Unit of time; "s" gives Hz.
        periodic: Whether sequences wrap around.
        bands: Bands in cycles per unit of time.
        classes: Number of classes, where labels are meant.
        held_out: (N,) bool, the sequences that the network is not trained on.
        name: Names the record.

    Raises:
        InputError: If the targets are no sequences.
    """
    target = target_of(targets, classes)
    if target.values.ndim != 3 or target.values.shape[1] < 2:
        raise InputError(
            "targets of shape (sequences, time, channels) with at least 2 moments",
            f"shape {tuple(target.values.shape)}",
            "reshape them, or watch single outputs with views.graph",
            "targets",
        )
    _, steps, channels = target.values.shape
    transform = TimeTransform(steps, channels, spacing, periodic, bands)
    return SampledView(
        Batch(inputs),
        target,
        transform,
        name=name,
        held_out=held_out,
        attrs={
            "estimator": f"sequence: {'periodic' if periodic else 'even'}",
            "frequency_unit": "Hz" if unit == "s" else f"cycles per {unit}",
            "nyquist": [0.5 / spacing],
            "kind": "sequences",
            "geometry": {
                "samples": len(target.values),
                "moments": target.values.shape[1],
                "spacing": spacing,
            },
        },
    )
