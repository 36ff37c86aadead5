"""The Signal: what is to be learned, in physical units, with its held-out samples and its clean self."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.signals.geometry import Grid
from overtone.signals.summary import summarise


@dataclass(frozen=True)
class Normalisation:
    """A reversible affine map between physical values and the values a network is trained on.

    Attributes:
        offset: (C,) float64, subtracted first.
        scale: (C,) float64, divided by afterwards; positive.
        per_channel: Whether each channel has a scale of its own.
    """

    offset: Tensor
    scale: Tensor
    per_channel: bool = False

    @staticmethod
    def of(values: Tensor, per_channel: bool = False) -> Normalisation:
        """Centre on the mean and bring the largest deviation to 1.

        offset_c = mean of channel c, scale_c = max |values_c - offset_c| (the largest of all channels unless
        `per_channel`), both rounded to the precision of `values`, so that `apply` stays within [-1, 1] to
        rounding however small the deviations are beside the offset. A channel without deviation gets the
        scale 1.

        Args:
            values: (N, C) physical values.
            per_channel: One map per channel (columns of different units) instead of one scale for all, which
                keeps the channels' relative weight in a loss (red, green, blue).

        Raises:
            InputError: If there are no values, one is not finite, or their range exceeds that of the dtype.
        """
        if values.ndim != 2 or not values.numel() or not values.is_floating_point():
            raise InputError(
                "floating-point values of shape (samples, channels)",
                f"{values.dtype} of shape {tuple(values.shape)}",
                "pass at least one sample",
                "normalisation",
            )
        found = summarise(values)
        if found.first_bad is not None:
            raise InputError(
                "finite values",
                f"NaN or infinity at sample {found.first_bad[0]}, channel {found.first_bad[1]}",
                "fill or cut the gaps",
                "normalisation",
            )
        offset = found.mean.to(values.dtype).double()
        scale = torch.maximum(found.high - offset, offset - found.low)
        if not per_channel:
            scale = scale.max().expand_as(scale).clone()
        scale = torch.where(scale > 0, scale, torch.ones_like(scale)).to(values.dtype).double()
        if not bool((torch.isfinite(offset) & torch.isfinite(scale)).all()):
            raise InputError(
                f"values whose sum and range fit {values.dtype}",
                f"values from {float(found.low.min()):.3g} to {float(found.high.max()):.3g}",
                "express them in a larger unit",
                "normalisation",
            )
        return Normalisation(offset, scale, per_channel)

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
        values: (N, C) samples in physical units (pictures: 0 black to 1 white; audio: full scale is -1 to 1;
            arrays, volumes and series: as they are in the file), row-major over the grid.
        geometry: Where the samples lie.
        kind: "picture", "audio", "volume", "series", "array" or "synthetic".
        name: File name or a description, for titles.
        channels: One name per channel.
        value_unit: Unit of the values, "" if they have none.
        peak: The range a PSNR refers to: 1 for pictures, else the largest minus the smallest value.
        normalisation: The reversible map to the values a network is trained on.
        held_out: (N,) bool, True for the samples kept out of training, or None.
        unused: (N,) bool, True for the samples neither trained on nor held out, or None; disjoint from
            `held_out`.
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
    unused: Tensor | None = None
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

    @property
    def held_out_index(self) -> Tensor:
        """Flat int64 indices of the held-out samples, ascending; empty if there are none."""
        if self.held_out is None:
            return torch.empty(0, dtype=torch.int64, device=self.values.device)
        return self.held_out.nonzero().squeeze(1)

    @property
    def train_index(self) -> Tensor:
        """Flat int64 indices of the samples to train on, ascending: neither held out nor unused."""
        out = [mask for mask in (self.held_out, self.unused) if mask is not None]
        if not out:
            return torch.arange(self.values.shape[0], device=self.values.device)
        return (~torch.stack(out).any(dim=0)).nonzero().squeeze(1)

    def with_held_out(self, mask: Tensor | None) -> Signal:
        """The same signal with another held-out mask, an (N,) bool tensor; all other samples are trained on.

        Args:
            mask: True for the samples to hold out, or None to train on all.

        Raises:
            InputError: If the mask does not fit the samples or leaves none to train on.
        """
        if mask is not None:
            self._check_mask(mask, "held_out")
            if bool(mask.all()):
                raise InputError(
                    "samples left to train on", "a mask that holds out all", "hold out fewer", "held_out"
                )
        return replace(self, held_out=mask, unused=None)

    def with_split(self, train: Tensor, held_out: Tensor) -> Signal:
        """The same signal with samples to train on, samples held out, and the rest unused.

        Args:
            train: (N,) bool, True for the samples to train on.
            held_out: (N,) bool, True for the samples to hold out.

        Raises:
            InputError: If a mask does not fit the samples, there are none to train on, or the two overlap.
        """
        self._check_mask(train, "train")
        self._check_mask(held_out, "held_out")
        if not bool(train.any()):
            raise InputError("samples to train on", "a mask that selects none", "select some", "train")
        shared = int((train & held_out).sum())
        if shared:
            raise InputError(
                "samples to train on apart from those held out",
                f"{shared} in both masks",
                "make the masks disjoint",
                "held_out",
            )
        return replace(self, held_out=held_out, unused=~(train | held_out))

    def _check_mask(self, mask: Tensor, where: str) -> None:
        if mask.dtype != torch.bool or mask.shape != self.values.shape[:1]:
            raise InputError(
                f"a bool mask of shape {tuple(self.values.shape[:1])}",
                f"{mask.dtype} of shape {tuple(mask.shape)}",
                "build it with overtone.signals.masks",
                where,
            )

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
