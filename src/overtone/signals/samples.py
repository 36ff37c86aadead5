"""What is to be learned, in physical units, with its held-out samples and its clean self."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from overtone._utils.missing_values import entire
from overtone.errors import InputError
from overtone.signals.normalisation import Normalisation
from overtone.signals.readers.numbers import tensor


@runtime_checkable
class Places(Protocol):
    """Where samples lie, whatever their order."""

    @property
    def samples(self) -> int:
        """Number of samples."""

    @property
    def origin(self) -> tuple[float, ...]:
        """Lower corner of their box, in `units`."""

    @property
    def extent(self) -> tuple[float, ...]:
        """Lengths of their box, positive, in `units`."""

    @property
    def units(self) -> tuple[str, ...]:
        """Name of each coordinate's unit."""

    @property
    def frequency_unit(self) -> str:
        """The unit of every frequency."""

    def coords(self, index: Tensor | None = None) -> Tensor:
        """(M, d) float64 coordinates of the samples with flat `index`, or of all of them."""


@dataclass(frozen=True)
class Samples(ABC):
    """What is to be learned, wherever its samples lie.

    Attributes:
        values: (N, C) samples in physical units (pictures: 0 black to 1 white; audio: full scale is -1 to 1;
            all else: as they are in the file).
        geometry: Where the samples lie.
        kind: "picture", "audio", "volume", "series", "array", "synthetic", "points" or "table".
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
    geometry: Places
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

    def with_held_out(self, mask: Any | None) -> Self:
        """The same signal with another held-out mask, an (N,) bool tensor; all other samples are trained on.

        Args:
            mask: True for the samples to hold out, or None to train on all.

        Raises:
            InputError: If the mask does not fit the samples or leaves none to train on.
        """
        if mask is not None:
            mask = self._mask(mask, "held_out")
            if bool(mask.all()):
                raise InputError(
                    "samples left to train on", "a mask that holds out all", "hold out fewer", "held_out"
                )
        return replace(self, held_out=mask, unused=None)

    def with_split(self, train: Any, held_out: Any) -> Self:
        """The same signal with samples to train on, samples held out, and the rest unused.

        Args:
            train: (N,) bool, True for the samples to train on.
            held_out: (N,) bool, True for the samples to hold out.

        Raises:
            InputError: If a mask does not fit the samples, there are none to train on, or the two overlap.
        """
        train, held_out = self._mask(train, "train"), self._mask(held_out, "held_out")
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

    def _mask(self, given: Any, where: str) -> Tensor:
        given = entire(given, where)
        mask = given if isinstance(given, Tensor) else torch.from_numpy(np.array(given))
        if mask.dtype != torch.bool or mask.shape != self.values.shape[:1]:
            raise InputError(
                f"a bool mask of shape {tuple(self.values.shape[:1])}",
                f"{mask.dtype} of shape {tuple(mask.shape)}",
                "build it with overtone.signals.masks",
                where,
            )
        return mask

    def with_clean(self, clean: Any) -> Self:
        """The same signal with a noise-free reference of the same shape as `values`.

        Args:
            clean: (N, C) tensor or array.

        Raises:
            InputError: If its shape is another, or values are masked or no numbers.
        """
        clean = tensor(clean, "clean").to(self.values.device)
        if clean.shape != self.values.shape:
            raise InputError(
                f"a clean reference of shape {tuple(self.values.shape)}",
                f"{tuple(clean.shape)}",
                "pass the noise-free version of the same samples",
                "clean",
            )
        return replace(self, clean=clean.to(self.values.dtype))
