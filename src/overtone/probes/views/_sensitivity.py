"""Views of a classifier's sensitivity: error rates under Fourier perturbations, spectra of input gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.probes._inputs import Inputs, TensorInputs
from overtone.probes._view import Metric, MetricView, Row
from overtone.spectra import Bands
from overtone.spectra._grid_modes import GridModes
from overtone.spectra._outputs import class_numbers
from overtone.spectra.sensitivity import InputNormalisation, ScoreGradient
from overtone.spectra.sensitivity._classifier import pictures_of
from overtone.spectra.sensitivity._gradient import RadialPower
from overtone.spectra.sensitivity._heat_map import HeatMap, PerturbedPictures, sampled_modes


def sensitivity(
    pictures: Any,
    labels: Any,
    norm: float,
    *,
    normalise: InputNormalisation,
    modes: int = 2,
    bands: Bands | Sequence[float] | None = None,
    seed: int = 0,
    name: str = "sensitivity",
) -> MetricView:
    """Measure errors under perturbations by single Fourier modes, as `spectra.sensitivity.heat_map`, for some modes.

    The mean square of an error, 0 or 1, is the error rate: `residual_power` is the rate in a band, the target power
    1, and `clean_error` the rate on unchanged pictures. A row takes pictures x (1 + modes x bands) evaluations.

    Args:
        pictures: (N, C, H, W) pixels before normalisation; 32 pictures are sufficient.
        labels: (N,) true classes from 0.
        norm: L2 norm of the perturbation per channel, in units of the pixels.
        normalise: Normalisation of the pixels before the network: `InputNormalisation.standardise(mean, std)` or
            `InputNormalisation.none()`.
        modes: Maximum number of modes per band, drawn at random at construction.
        bands: Bands in cycles per pixel; None for about eight of equal width.
        seed: Seed of the modes and of the signs.
        name: Name of the record.

    Raises:
        InputError: If pictures, labels or the norm are not as described.

    Example:
        >>> import torch
        >>> from overtone.probes import views
        >>> from overtone.spectra.sensitivity import InputNormalisation
        >>> pictures, labels = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 0, 1])
        >>> view = views.sensitivity(pictures, labels, norm=1.0, normalise=InputNormalisation.none())
        >>> view.header({}).band_high.round(2).tolist()  # cycles per pixel; the last band is the corner
        [0.06, 0.19, 0.31, 0.44, 0.5, 0.71]
    """
    pixels = pictures_of(pictures)
    numbers = class_numbers(labels, torch.iinfo(torch.int64).max, len(pixels)).cpu()
    if modes < 1:
        raise InputError("at least one mode per band", f"{modes}", "pass a larger number", "modes")
    size = (pixels.shape[2], pixels.shape[3])
    lattice = GridModes.of(size, 1.0, True)
    if bands is None:
        bands = Bands.linear(size, 1.0, periodic=True, count=9)
    requested = bands if isinstance(bands, Bands) else Bands(tuple(bands))
    chosen = requested.extended_to(lattice.nyquist, lattice.top)
    # The modes are drawn once, so that the rows of a record are comparable.
    mode_numbers = sampled_modes(chosen, size, modes, seed)
    return MetricView(
        PerturbedInputs(pixels, PerturbedPictures(pixels, mode_numbers, norm, seed), normalise),
        ErrorRateMetric(mode_numbers, numbers, size, norm, chosen),
        name=name,
        attrs={
            "estimator": f"error rate under {len(mode_numbers)} Fourier modes of norm {norm:g}",
            "frequency_unit": "cycles per pixel",
            "kind": "sensitivity",
            "nyquist": [0.5, 0.5],
            "peak": 1.0,
            "geometry": {"samples": len(pixels), "shape": list(size)},
        },
    )


@final
class PerturbedInputs(Inputs):
    """Unchanged pictures, followed by a copy of all pictures for each mode with the mode added; computed on demand.

    Args:
        pixels: (N, C, H, W) pictures.
        waves: Perturbations of the pictures.
        normalise: Normalisation after the perturbation.
    """

    def __init__(self, pixels: Tensor, waves: PerturbedPictures, normalise: InputNormalisation) -> None:
        self._pixels, self._waves, self._normalise = pixels, waves, normalise

    @property
    def count(self) -> int:
        """Number of pictures, unchanged and perturbed."""
        return len(self._pixels) + len(self._waves)

    def slice(self, begin: int, end: int, device: torch.device, dtype: torch.dtype | None) -> Tensor:
        """Return (end - begin, C, H, W) inputs of the network."""
        clean = len(self._pixels)
        parts = [self._pixels[begin:end]]
        if end > clean:
            parts.append(self._waves.perturbed(slice(max(begin - clean, 0), end - clean))[0])
        inputs = self._normalise.apply(torch.cat(parts)).to(device)
        return inputs if dtype is None else inputs.to(dtype)

    def arrays(self) -> NDArray[np.floating]:
        """Return all inputs."""
        every = self.slice(0, self.count, self._pixels.device, self._pixels.dtype)
        return every.cpu().numpy()


@final
class ErrorRateMetric(Metric):
    """Error rate per band of the added mode.

    Args:
        turns: (mode, 2) modes in the order of the samples.
        labels: (N,) true classes.
        size: Height and width in pixels.
        norm: Norm of the perturbation.
        bands: In cycles per pixel.
    """

    def __init__(
        self, mode_numbers: Tensor, labels: Tensor, size: tuple[int, int], norm: float, bands: Bands
    ) -> None:
        self._mode_numbers, self._labels, self._size, self._norm = mode_numbers, labels, size, norm
        self.bands, self.channels = bands, ("wrong",)
        self.target_power = np.ones((bands.count, 1))

    def check(self, outputs: Tensor) -> None:
        """Refuse outputs that are not one score for each class of the labels."""
        needed = max(2, int(self._labels.max()) + 1)
        if outputs.ndim != 2 or outputs.shape[1] < needed:
            raise InputError(
                f"scores of shape (samples, classes), with {needed} classes or more",
                f"shape {tuple(outputs.shape)}",
                "pass outputs= to select the logits; convert a single logit z to 0 and z",
                "network",
            )

    def row(self, outputs: Tensor) -> Row:
        """Return error rates, means over pictures and modes."""
        count = len(self._labels)
        wrong = outputs.argmax(1).reshape(-1, count) != self._labels
        # The first block of outputs belongs to the unchanged pictures, each later one to a mode.
        errors = HeatMap(self._mode_numbers, wrong[1:], wrong[0], self._size, self._norm)
        rate = errors.radial(self.bands).rate.mean
        return {"residual_power": rate[:, None].numpy(), "clean_error": errors.clean_error}


Score = Callable[[Callable[[Tensor], Any], InputNormalisation], Callable[[Tensor, Tensor], Tensor]]
"""`ScoreGradient.of_loss` or `ScoreGradient.of_logit`: from a network and a normalisation to a gradient."""


def gradients(
    pictures: Any,
    labels: Any,
    *,
    normalise: InputNormalisation,
    score: Score = ScoreGradient.of_loss,
    bands: Bands | Sequence[float] | None = None,
    name: str = "gradients",
) -> MetricView:
    """Measure the spectrum of the input gradient, by `spectra.sensitivity.gradient_spectrum`.

    There is no target: `residual_power` is the mean power of the gradient, in squared units of the score over squared
    units of the pixels, and the record's target power is 0.

    Args:
        pictures: (N, C, H, W) pixels before normalisation.
        labels: (N,) true classes from 0.
        normalise: Normalisation of the pixels before the network: `InputNormalisation.standardise(mean, std)` or
            `InputNormalisation.none()`.
        score: The function to differentiate: `ScoreGradient.of_loss` or `ScoreGradient.of_logit`.
        bands: Bands in cycles per pixel.
        name: Name of the record.

    Raises:
        InputError: If pictures or labels are not as described.

    Example:
        >>> import torch
        >>> from overtone.probes import views
        >>> from overtone.spectra.sensitivity import InputNormalisation
        >>> pictures, labels = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 0, 1])
        >>> views.gradients(pictures, labels, normalise=InputNormalisation.none()).header({}).attrs["frequency_unit"]
        'cycles per pixel'
    """
    pixels = pictures_of(pictures)
    numbers = class_numbers(labels, torch.iinfo(torch.int64).max, len(pixels)).to(pixels.device)
    size = (pixels.shape[2], pixels.shape[3])
    radial = RadialPower(size, bands)
    return MetricView(
        GradientInputs(pixels, numbers, normalise, score),
        GradientPowerMetric(radial, pixels.shape[1:]),
        name=name,
        attrs={
            "estimator": f"input gradient, {radial.estimator}",
            "frequency_unit": "cycles per pixel",
            "kind": "sensitivity",
            "nyquist": [0.5, 0.5],
            "geometry": {"samples": len(pixels), "shape": list(size)},
        },
    )


@final
class GradientInputs(Inputs):
    """Pictures and labels at which the gradient with respect to the pixels is evaluated instead of the outputs.

    Args:
        pixels: (N, C, H, W) pictures.
        labels: (N,) true classes.
        normalise: Normalisation before the network, included in the derivative.
        score: The function to differentiate.
    """

    def __init__(self, pixels: Tensor, labels: Tensor, normalise: InputNormalisation, score: Score) -> None:
        self._batch = TensorInputs((pixels, labels))
        self._normalise, self._score = normalise, score

    @property
    def count(self) -> int:
        """Number of pictures."""
        return self._batch.count

    def slice(self, begin: int, end: int, device: torch.device, dtype: torch.dtype | None) -> Any:
        """Return pixels and labels."""
        return self._batch.slice(begin, end, device, dtype)

    def arrays(self) -> Any:
        """Return pixels and labels; predictions at them are gradients of the pixels' shape."""
        return self._batch.arrays()

    def evaluate(self, network: nn.Module, call: Callable[[Any], Any], arguments: Any) -> Tensor:
        """Return (B, C, H, W) gradients; the parameters' gradients are not computed."""
        del network
        return self._score(call, self._normalise)(*arguments)


@final
class GradientPowerMetric(Metric):
    """Mean power of gradients per band of radial frequency.

    Args:
        radial: Radial power of pictures of this size.
        shape: Channels, height and width.
    """

    def __init__(self, radial: RadialPower, shape: Sequence[int]) -> None:
        self._radial, self._shape = radial, tuple(shape)
        self.bands, self.channels = radial.bands, tuple(str(c) for c in range(shape[0]))
        self.target_power = np.zeros((radial.bands.count, shape[0]))

    def check(self, outputs: Tensor) -> None:
        """Refuse outputs that are not one number per pixel."""
        if tuple(outputs.shape[1:]) != self._shape:
            raise InputError(
                f"gradients of shape (pictures, {', '.join(map(str, self._shape))})",
                f"{tuple(outputs.shape)}",
                "return one number per pixel",
                "score",
            )

    def row(self, outputs: Tensor) -> Row:
        """Return the mean power of the gradients; the cross power is 0 without a target."""
        power = self._radial.per_picture(outputs).mean(0).numpy()
        return {"residual_power": power, "cross_power": np.zeros_like(power)}
