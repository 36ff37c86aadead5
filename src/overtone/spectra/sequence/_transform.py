"""Error and power of sequences per band of temporal frequency, averaged over the sequences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._band_transform import BandTransform
from overtone.spectra._bands import Bands
from overtone.spectra._grid import covering
from overtone.spectra._inputs import channels_last
from overtone.spectra._spectrum import Spectrum
from overtone.spectra.sequence._estimators import EvenExtension, TemporalEstimator


def checked_sequences(values: Tensor | ArrayLike, argument: str, steps: int | None = None) -> Tensor:
    """Convert sequences (N, T, C) to a float32 or float64 tensor on the same device.

    Args:
        values: Tensor, array or nested numbers.
        argument: Name of the argument in error messages.
        steps: Required number of steps, or None for any number.

    Raises:
        InputError: If the shape is wrong, or an entry is complex, not numeric, NaN or infinite.
    """
    fields = channels_last(values, -1, argument)
    if fields.ndim != 3:
        raise InputError(
            "an array of shape (sequences, steps, channels)",
            f"shape {tuple(fields.shape)}",
            "add the missing axes, of length 1 for one sequence or channel",
            argument,
        )
    if steps is not None and fields.shape[1] != steps:
        raise InputError(
            f"sequences of {steps} steps",
            f"{fields.shape[1]}",
            "cut the sequences to one length, or build the transform for this length",
            argument,
        )
    finite = fields.detach().isfinite()
    if not bool(finite.all()):
        broken = (~finite).any(2)
        number, step = divmod(int(broken.flatten().byte().argmax()), fields.shape[1])
        raise InputError(
            "finite numbers at every step",
            f"NaN or infinity in {int(broken.any(1).sum())} of {len(fields)} sequences, first in sequence "
            f"{number} at step {step}",
            "drop these sequences, or fill the gaps",
            argument,
        )
    return fields


def positive_rate(rate: float) -> float:
    """Validate the sampling rate and convert it to a float.

    Raises:
        InputError: If it is not positive and finite.
    """
    if not (math.isfinite(rate) and rate > 0):
        raise InputError(
            "a positive sampling rate", f"{rate}", "pass samples per second, or 1 for steps", "rate"
        )
    return float(rate)


_EVEN = EvenExtension()


@final
class SequenceTransform(BandTransform):
    """Transform from sequences to power per band of temporal frequency, reusable for many batches.

    Each centred sequence and channel is transformed separately; power and cross power are averaged over the
    sequences. Coefficients are linear in the values: those of an error f - g are c(f) - c(g). For
    `TemporalEstimator.even_extension()` and `.periodic()` the bands sum to the mean square exactly.
    `.multitaper()` and `.welch()` weight the steps unequally, so the bands sum to a weighted mean square,
    which on average equals the unweighted one for a stationary process; `spectrum` reports the difference, of
    either sign, as `missing`.

    Args:
        steps: Steps per sequence.
        rate: Samples per unit of time: with a rate in samples per second frequencies are in Hz, with 1 in cycles
            per step.
        bands: Bands, or ascending edges from 0, in cycles per unit of time, extended to the highest mode;
            None for `Bands.log`.
        estimator: Estimator of the spectrum.
        device: Device of the values.

    Attributes:
        steps: Steps per sequence.
        rate: Samples per unit of time.
        bands: The bands used.
        estimator: Estimator of the spectrum.

    Raises:
        InputError: If the sequences are too short for the estimator, or the bands or the rate are invalid.

    Example:
        >>> import torch
        >>> from overtone.spectra.sequence import SequenceTransform
        >>> transform = SequenceTransform(50, rate=100.0, bands=[0, 5, 20, 50])
        >>> transform.power(transform.coefficients(torch.ones(3, 50, 2))).round(decimals=6).tolist()
        [[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]
    """

    def __init__(
        self,
        steps: int,
        rate: float = 1.0,
        bands: Bands | Sequence[float] | None = None,
        estimator: TemporalEstimator = _EVEN,
        device: torch.device | str | None = None,
    ) -> None:
        estimator.check(steps)
        self.steps, self.rate, self.estimator = steps, positive_rate(rate), estimator
        self.bands = covering(bands, estimator.lattice(steps, self.rate))
        frequency = (
            torch.cat([torch.zeros(1, dtype=torch.float64, device="cpu"), estimator.frequencies(steps)])
            * self.rate
        )
        self._band = self.bands.index(frequency).to(device)

    @property
    def closes(self) -> bool:
        """Whether the estimator weights all steps equally."""
        return self.estimator.closes

    def field(self, rows: Tensor) -> Tensor:
        """Reshape rows, sequence after sequence, to (sequences, steps, channels).

        Raises:
            InputError: If the number of rows is not a multiple of the steps.
        """
        if len(rows) % self.steps:
            raise InputError(
                f"whole sequences of {self.steps} rows",
                f"{len(rows)} rows",
                "pass the rows of all steps, sequence after sequence",
                "targets",
            )
        return rows.reshape(-1, self.steps, rows.shape[1])

    @property
    def resolution(self) -> float:
        """Width of one harmonic in cycles per unit of time; narrower bands share its power."""
        return self.estimator.resolution(self.steps) * self.rate

    @property
    def modes(self) -> Tensor:
        """(band,) int64 number of coefficients per sequence in each band, including the mean."""
        return torch.bincount(self._band, minlength=self.bands.count)

    def coefficients(self, values: Tensor | ArrayLike) -> Tensor:
        """Return the coefficients of each sequence and channel, starting with the mean.

        Args:
            values: (N, T, C) real values.

        Returns:
            (N, M, C) coefficients in the precision of the values, complex for all estimators but
            `EvenExtension`. Their squared moduli sum over M to the (weighted) mean square of the sequence.

        Raises:
            InputError: If the shape is wrong, or a value is complex, not numeric or not finite.
        """
        field = checked_sequences(values, "values", self.steps)
        mean = field.mean(1, keepdim=True)
        modes = self.estimator.coefficients(field - mean)
        return torch.cat([mean.to(modes.dtype), modes], dim=1)

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """Return the (band, channel) float64 Re<f, g> of two batches, averaged over the sequences.

        Args:
            coefficients: (N, M, C) result of `coefficients`.
            other: Coefficients of the other batch.

        Raises:
            InputError: If the coefficients do not match this transform, or differ in shape.
        """
        for modes in (coefficients, other):
            if modes.ndim != 3 or modes.shape[1] != len(self._band) or modes.shape != coefficients.shape:
                raise InputError(
                    f"coefficients of shape (sequences, {len(self._band)}, channels), equal for both",
                    f"{tuple(modes.shape)}",
                    "pass the result of coefficients()",
                    "coefficients",
                )
        product = (_parts(coefficients) * _parts(other)).sum(-1).mean(0)
        total = product.new_zeros(self.bands.count, product.shape[1])
        return total.index_add(0, self._band.to(product.device), product)

    def spectrum(self, values: Tensor | ArrayLike, reference: Tensor | ArrayLike | None = None) -> Spectrum:
        """Return the power per band, averaged over the sequences.

        Args:
            values: (N, T, C) real values.
            reference: (N, T, C) values of the reference for the cross power, for instance the targets of
                outputs.

        Returns:
            The spectrum; with `missing`, which is 0 up to rounding if `closes` is true, it sums to the mean
            square.

        Raises:
            InputError: If a shape is wrong, or a value is complex, not numeric or not finite.
        """
        field = checked_sequences(values, "values", self.steps)
        coefficients = self.coefficients(field)
        power = self.power(coefficients)
        missing = field.double().square().mean((0, 1)) - power.sum(0)
        name = f"sequence: {self.estimator.name}"
        if reference is None:
            return Spectrum(self.bands, power, missing, name)
        target = checked_sequences(reference, "reference", self.steps).to(field.device)
        if target.shape != field.shape:
            raise InputError(
                f"a reference of the values' shape {tuple(field.shape)}",
                f"{tuple(target.shape)}",
                "pass the same sequences of both",
                "reference",
            )
        reference_coefficients = self.coefficients(target)
        return Spectrum(
            self.bands,
            power,
            missing,
            name,
            self.cross(coefficients, reference_coefficients),
            self.power(reference_coefficients),
        )


def _parts(modes: Tensor) -> Tensor:
    """Return the float64 real and imaginary parts along a new last axis."""
    return torch.view_as_real(modes).double() if modes.is_complex() else modes.double().unsqueeze(-1)
