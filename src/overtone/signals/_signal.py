"""`Signal`: target data with masks and an optional noise-free reference, and the validation of signal arguments."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Self

import numpy as np
import torch
from torch import Tensor

from overtone._utils.display import Displayed
from overtone._utils.missing_values import entire
from overtone._utils.text import plural
from overtone.errors import InputError
from overtone.signals._geometry import Geometry, Grid
from overtone.signals._measured import Measured
from overtone.signals._normalisation import Normalisation
from overtone.signals._readers._numbers import tensor

if TYPE_CHECKING:
    # The default makes a bare `Signal` in an annotation one on a grid; typing.TypeVar has it from Python 3.13 on.
    from typing_extensions import TypeVar

    G = TypeVar("G", bound=Geometry, covariant=True, default=Grid)
else:
    from typing import TypeVar

    G = TypeVar("G", covariant=True)


@dataclass(frozen=True, repr=False)
class Signal(Displayed, Generic[G]):
    """Sampled data to be learned, at a `Grid` or at `Points`, with masks and an optional noise-free reference.

    Attributes:
        values: (N, C) samples in physical units, row-major on a grid. Pictures: 0 black to 1 white; audio: full
            scale is -1 to 1; other kinds: the stored values.
        geometry: Geometry of the samples: a `Grid`, or `Points` in any order.
        kind: "picture", "audio", "volume", "series", "array", "synthetic", "points" or "table".
        name: File name or a description, for titles.
        channels: One name per channel.
        value_unit: Unit of the values, "" if they have none.
        peak: The range a PSNR refers to: 1 for pictures, else the largest minus the smallest value.
        normalisation: Reversible map to the training values of a network.
        held_out: (N,) bool, True for held-out samples, or None.
        ignored: (N,) bool, True for samples used neither for training nor as held-out samples, or None.
        clean: (N, C) noise-free reference, or None.
        notes: Sentences on how the file was read (alpha dropped, orientation applied), for reports.
        quantities: Whether scattered values that look like labels are numbers to learn by squared error.

    Example:
        >>> import numpy as np
        >>> from overtone import signals
        >>> signal = signals.array(np.arange(12.0).reshape(3, 4))
        >>> split = signal.with_held_out(np.arange(12) % 3 == 0)
        >>> split.values.shape, split.grid_values.shape, len(split.train_index)
        (torch.Size([12, 1]), torch.Size([3, 4, 1]), 8)
    """

    values: Tensor
    geometry: G
    kind: str
    name: str
    channels: tuple[str, ...]
    value_unit: str
    peak: float
    normalisation: Normalisation
    held_out: Tensor | None = None
    ignored: Tensor | None = None
    clean: Tensor | None = None
    notes: tuple[str, ...] = field(default=())
    quantities: bool = False

    _display = "signal_display"

    def __repr__(self) -> str:
        lattice = self.geometry.shape
        size = " x ".join(str(n) for n in lattice)
        return f"<Signal {self.name!r}: {self.kind}, {size} samples, {plural(len(self.channels), 'channel')}>"

    @property
    def coords(self) -> Tensor:
        """(N, d) float64 coordinates of all samples, in the geometry's units."""
        return self.geometry.coords()

    @property
    def grid_values(self) -> Tensor:
        """The values as (*geometry.shape, C), a view."""
        return self.values.reshape(*self.geometry.shape, -1)

    @property
    def held_out_index(self) -> Tensor:
        """Flat int64 indices of the held-out samples, ascending; empty if there are none."""
        if self.held_out is None:
            return torch.empty(0, dtype=torch.int64, device=self.values.device)
        return self.held_out.nonzero().squeeze(1)

    @property
    def train_index(self) -> Tensor:
        """Flat int64 indices of the samples to train on, ascending: neither held out nor ignored."""
        out = [mask for mask in (self.held_out, self.ignored) if mask is not None]
        if not out:
            return torch.arange(self.values.shape[0], device=self.values.device)
        return (~torch.stack(out).any(dim=0)).nonzero().squeeze(1)

    def with_held_out(self, mask: Any | None) -> Self:
        """Return the signal with another held-out mask, an (N,) bool tensor; all other samples are trained on.

        Args:
            mask: True for the samples to hold out, or None to train on all.

        Raises:
            InputError: If the mask does not match the samples, or leaves no sample for training.
        """
        if mask is not None:
            mask = self._mask(mask, "held_out")
            if bool(mask.all()):
                raise InputError(
                    "samples to train on", "a mask that holds out all samples", "hold out fewer", "held_out"
                )
        return replace(self, held_out=mask, ignored=None)

    def with_split(self, train: Any, held_out: Any) -> Self:
        """Return the signal with training samples and held-out samples; all others are ignored.

        Args:
            train: (N,) bool, True for the samples to train on.
            held_out: (N,) bool, True for the samples to hold out.

        Raises:
            InputError: If a mask does not match the samples, there are no training samples, or the masks
                overlap.
        """
        train, held_out = self._mask(train, "train"), self._mask(held_out, "held_out")
        if not bool(train.any()):
            raise InputError("samples to train on", "a mask that selects none", "select some", "train")
        shared = int((train & held_out).sum())
        if shared:
            raise InputError(
                "disjoint training and held-out samples",
                f"{shared} in both masks",
                "remove the shared samples from one mask",
                "held_out",
            )
        return replace(self, held_out=held_out, ignored=~(train | held_out))

    def _mask(self, mask: Any, location: str) -> Tensor:
        mask = entire(mask, location)
        mask = mask if isinstance(mask, Tensor) else torch.from_numpy(np.array(mask))
        if mask.dtype != torch.bool or mask.shape != self.values.shape[:1]:
            raise InputError(
                f"a bool mask of shape {tuple(self.values.shape[:1])}",
                f"{mask.dtype} of shape {tuple(mask.shape)}",
                "build it with overtone.signals.masks",
                location,
            )
        return mask

    def with_clean(self, clean: Any) -> Self:
        """Return the signal with a noise-free reference of the same shape as `values`.

        Args:
            clean: (N, C) tensor or array.

        Raises:
            InputError: If the shape differs, or values are masked or not numeric.
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


def validate(signal: Any) -> Signal[Geometry]:
    """Return `signal` if it is a `Signal`, on a grid or at scattered points.

    Raises:
        InputError: If it is not a signal, such as a path or an array; the message explains how to create a
            signal.

    Example:
        >>> from overtone import signals
        >>> signal = signals.synthetic.harmonics([1], samples=8)
        >>> signals.validate(signal) is signal
        True
    """
    if isinstance(signal, Signal):
        return signal
    if isinstance(signal, Measured):
        raise InputError(
            "samples of a field",
            f"a field known through functionals ({signal.name})",
            "pass it to operators.choose_bandwidth",
            "signal",
        )
    raise InputError(
        "a signal",
        f"{type(signal).__name__} {signal!r}" if isinstance(signal, str) else type(signal).__name__,
        "make one with signals.read(path), signals.array(values) or signals.points(coords, values)",
        "signal",
    )


def require_grid(
    signal: Any,
    purpose: str,
    do: str = "pass it to fit or planning.plan, or interpolate it to a grid",
    location: str = "signal",
) -> Signal[Grid]:
    """Return `signal` if it is a `Signal` on a grid.

    Args:
        signal: Argument to validate.
        purpose: Purpose of the grid in the error message.
        do: Advice for callers with scattered points.
        location: Name of the argument in the error message.

    Raises:
        InputError: If its samples are scattered points, or it is not a signal.

    Example:
        >>> from overtone import errors, signals
        >>> wells = signals.points([0.0, 0.3, 1.0], [1.0, 2.0, 4.0], name="wells")
        >>> try:
        ...     signals.require_grid(wells, "a spectrum")
        ... except errors.InputError as error:
        ...     print(error.got)
        scattered points (wells)
    """
    signal = validate(signal)
    if not isinstance(signal.geometry, Grid):
        raise InputError(
            f"a signal on a grid for {purpose}", f"scattered points ({signal.name})", do, location
        )
    return signal
