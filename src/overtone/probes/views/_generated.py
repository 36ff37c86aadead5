"""The view of a generator's samples: their radial spectrum against that of data."""

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
    """Watch the radial power of what a generator draws against that of data, by `spectra.samples.profiles`.

    Samples have no targets, only the data's mean power D per band. With S theirs, a row holds what a difference of two
    fields of these powers has at least, (sqrt(D) - sqrt(S))^2, as residual, and sqrt(D S), what they share at most, as
    cross power. The learned fraction is then sqrt(S / D): below 1 too little power, above 1 too much.

    Args:
        latents: What the generator is called with: noise drawn once, or a dict or tuple of tensors.
        pictures: (N, C, H, W) data.
        resize: How data and samples are brought to one size.
        periodic: Whether pictures wrap around.
        bands: Bands in cycles per picture height.
        name: Names the record.

    Raises:
        InputError: If the pictures are not finite numbers that vary, or latents are no samples.
    """
    data = pictures_of(pictures)
    samples = TensorInputs(latents)
    wanted = profiles(data.movedim(1, -1), resize=resize, periodic=periodic, bands=bands)
    shape = tuple(resize.apply(data[:1]).shape[1:])
    return MetricView(
        samples,
        ProfileGapMetric(wanted, shape, resize, periodic),
        name=name,
        attrs={
            "estimator": f"radial profile of samples against {len(data)} of data; {wanted.rule}",
            "frequency_unit": "cycles per picture height",
            "kind": "samples",
            "nyquist": [0.5 * shape[1]],
            "peak": float(data.max() - data.min()),
            "geometry": {"samples": samples.count, "shape": list(shape[1:])},
        },
    )


@final
class ProfileGapMetric(Metric):
    """Powers of pictures against those of data.

    Args:
        wanted: Profiles of the data.
        shape: Their channels, height and width.
        resize: The rule of both.
        periodic: Whether pictures wrap around.
    """

    def __init__(self, wanted: Profiles, shape: tuple[int, ...], resize: Resize, periodic: bool) -> None:
        self._shape, self._resize, self._periodic = shape, resize, periodic
        self._power = wanted.mean.cpu().double()
        self.bands, self.channels = wanted.bands, tuple(str(c) for c in range(shape[0]))
        self.target_power = self._power.numpy()

    def check(self, outputs: Tensor) -> None:
        """Refuse what is not pictures of the data's size."""
        found = tuple(self._resize.apply(outputs[:1]).shape[1:]) if outputs.ndim == 4 else None
        if found != self._shape:
            raise InputError(
                f"pictures of shape (samples, {', '.join(map(str, self._shape))}), as the data are",
                f"shape {tuple(outputs.shape)}",
                "pass outputs=, a function to such pictures, or resize=",
                "network",
            )

    def row(self, outputs: Tensor) -> Row:
        """From the mean powers of both."""
        pictures = outputs.movedim(1, -1)
        own = profiles(pictures, resize=self._resize, periodic=self._periodic, bands=self.bands)
        drawn, data = own.mean.cpu().double().sqrt(), self._power.sqrt()
        return {
            "residual_power": (data - drawn).square().numpy(),
            "cross_power": (data * drawn).numpy(),
        }
