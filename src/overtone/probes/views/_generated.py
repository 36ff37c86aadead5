"""View of a generator's samples: their radial spectrum compared with that of data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.probes._inputs import TensorInputs
from overtone.probes._view import Metric, MetricView, Row
from overtone.spectra import Bands
from overtone.spectra.generated import Resize, profiles
from overtone.spectra.generated._profiles import Profiles
from overtone.spectra.sensitivity._classifier import pictures_of

_KEEP = Resize.none()


def generated(
    latents: Any,
    pictures: Tensor | ArrayLike,
    *,
    resize: Resize = _KEEP,
    periodic: bool = False,
    bands: Bands | Sequence[float] | None = None,
    name: str = "generated",
) -> MetricView:
    """Measure the radial power of generated samples relative to data, by `spectra.generated.profiles`.

    Samples have no targets, only the data's mean power D per band. With the samples' power S, a row holds
    (sqrt(D) - sqrt(S))^2 as residual power, the minimum over differences of two fields with these powers, and
    sqrt(D S), the maximum of their product, as cross power. The learned fraction is then sqrt(S / D): too little
    power below 1, too much above 1.

    Args:
        latents: Arguments of the generator: fixed random numbers, or a dict or tuple of tensors.
        pictures: (N, C, H, W) data.
        resize: Rule that resizes data and samples to one size.
        periodic: Whether pictures are periodic.
        bands: Bands in cycles per picture height.
        name: Name of the record.

    Raises:
        InputError: If the pictures are not finite or are constant, or the latents contain no samples.

    Example:
        >>> import torch
        >>> from overtone.probes import views
        >>> pictures = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> view = views.generated(pictures, pictures)
        >>> row = view.compare(0.5 * pictures)  # a generator of half the amplitude
        >>> round(float(row["cross_power"].sum()) / float(view.header({}).static["target_power"].sum()), 6)
        0.5
    """
    data = pictures_of(pictures)
    samples = TensorInputs(latents)
    # The same resizing and bands for data and samples, so that their powers are comparable band by band.
    target_profiles = profiles(data.movedim(1, -1), resize=resize, periodic=periodic, bands=bands)
    shape = tuple(resize.apply(data[:1]).shape[1:])
    return MetricView(
        samples,
        ProfileGapMetric(target_profiles, shape, resize, periodic),
        name=name,
        attrs={
            "estimator": f"radial profile of samples against {len(data)} of data; {target_profiles.rule}",
            "frequency_unit": "cycles per picture height",
            "kind": "samples",
            "nyquist": [0.5 * shape[1]],
            "peak": float(data.max() - data.min()),
            "geometry": {"samples": samples.count, "shape": list(shape[1:])},
        },
    )


@final
class ProfileGapMetric(Metric):
    """Power of pictures relative to data.

    Args:
        target_profiles: Profiles of the data.
        shape: Channels, height and width of the data.
        resize: Resizing rule of data and samples.
        periodic: Whether pictures are periodic.
    """

    def __init__(
        self, target_profiles: Profiles, shape: tuple[int, ...], resize: Resize, periodic: bool
    ) -> None:
        self._shape, self._resize, self._periodic = shape, resize, periodic
        self._power = target_profiles.mean.cpu().double()
        self.bands, self.channels = target_profiles.bands, tuple(str(c) for c in range(shape[0]))
        self.target_power = self._power.numpy()

    def check(self, outputs: Tensor) -> None:
        """Refuse outputs that are not pictures of the data's size."""
        shape = tuple(self._resize.apply(outputs[:1]).shape[1:]) if outputs.ndim == 4 else None
        if shape != self._shape:
            raise InputError(
                f"pictures of shape (samples, {', '.join(map(str, self._shape))}), like the data",
                f"shape {tuple(outputs.shape)}",
                "pass outputs=, a function that returns such pictures, or resize=",
                "network",
            )

    def row(self, outputs: Tensor) -> Row:
        """Return residual and cross power from the mean powers of data and samples."""
        pictures = outputs.movedim(1, -1)
        samples = profiles(pictures, resize=self._resize, periodic=self._periodic, bands=self.bands)
        generated_root, data = samples.mean.cpu().double().sqrt(), self._power.sqrt()
        return {
            "residual_power": (data - generated_root).square().numpy(),
            "cross_power": (data * generated_root).numpy(),
        }
