"""The Signal: what is to be learned, in physical units, with its held-out samples and, where known, its clean self."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.signals.geometry import Grid


@dataclass(frozen=True)
class Normalisation:
    """A reversible affine map between physical values and the values a network is trained on.

    Attributes:
        offset: (C,) float64, subtracted first.
        scale: (C,) float64, divided by afterwards; positive.
    """

    offset: Tensor
    scale: Tensor

    @staticmethod
    def of(values: Tensor, per_channel: bool = False) -> Normalisation:
        """Centre on the mean and bring the largest deviation to 1.

        Args:
            values: (N, C) physical values.
            per_channel: One map per channel (columns of different units) instead of one scale for all, which keeps
                the channels' relative weight in a loss (red, green, blue).
        """
        exact = values.double() if values.shape[0] <= 1 << 20 else values
        offset = torch.stack([exact[:, c].double().mean() for c in range(values.shape[1])])
        low = torch.stack([values[:, c].min() for c in range(values.shape[1])]).double()
        high = torch.stack([values[:, c].max() for c in range(values.shape[1])]).double()
        scale = torch.maximum(high - offset, offset - low)
        if not per_channel:
            scale = scale.max().expand_as(scale).clone()
        return Normalisation(offset, torch.where(scale > 0, scale, torch.ones_like(scale)))

    def apply(self, values: Tensor) -> Tensor:
        """Physical values (..., C) to normalised values, in the input's precision."""
        return ((values - self.offset.to(values)) / self.scale.to(values)).to(values.dtype)

    def restore(self, normalised: Tensor) -> Tensor:
        """Normalised values (..., C) back to physical values, in the input's precision."""
        return (normalised * self.scale.to(normalised) + self.offset.to(normalised)).to(normalised.dtype)


@dataclass(frozen=True)
class Signal:
    """What is to be learned.

    Attributes:
        values: (N, C) samples in physical units (pictures: 0 black to 1 white; audio: full scale is -1 to 1; arrays,
            volumes and series: as they are in the file), row-major over the grid.
        geometry: Where the samples lie.
        kind: "picture", "audio", "volume", "series", "array" or "synthetic".
        name: File name or a description, for titles.
        channels: One name per channel.
        value_unit: Unit of the values, "" if they have none.
        peak: The range a PSNR refers to: 1 for pictures, else the largest minus the smallest value.
        normalisation: The reversible map to the values a network is trained on.
        held_out: (N,) bool, True for the samples kept out of training, or None.
        clean: (N, C) noise-free reference, or None.
        notes: Sentences on how the file was read (alpha dropped, orientation applied), for reports.
    """

    values: Tensor
    geometry: Grid
    kind: str
    name: str
    channels: tuple[str, ...]
    value_unit: str
    peak: float
    normalisation: Normalisation
    held_out: Tensor | None = None
    clean: Tensor | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def coords(self) -> Tensor:
        """(N, d) float64 coordinates of all samples, in the geometry's units."""
        return self.geometry.coords()

    @property
    def grid_values(self) -> Tensor:
        """The values as (*shape, C), a view."""
        return self.values.reshape(*self.geometry.shape, -1)

    def with_held_out(self, mask: Tensor | None) -> Signal:
        """The same signal with another held-out mask, an (N,) bool tensor, or None for no held-out samples."""
        if mask is not None:
            if mask.dtype != torch.bool or mask.shape != self.values.shape[:1]:
                raise InputError(
                    f"a bool mask of shape {tuple(self.values.shape[:1])}",
                    f"{mask.dtype} of shape {tuple(mask.shape)}",
                    "build it with overtone.signals.masks",
                    "held_out",
                )
            if bool(mask.all()):
                raise InputError("samples left to train on", "a mask that holds out all", "hold out fewer", "held_out")
        return replace(self, held_out=mask)

    def with_clean(self, clean: Tensor) -> Signal:
        """The same signal with a noise-free reference of the same shape as `values`."""
        if clean.shape != self.values.shape:
            raise InputError(
                f"a clean reference of shape {tuple(self.values.shape)}",
                f"{tuple(clean.shape)}",
                "pass the noise-free version of the same samples",
                "clean",
            )
        return replace(self, clean=clean.to(self.values.dtype))
