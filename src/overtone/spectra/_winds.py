"""Winds, and other fields of vectors, split into a rotational and a divergent part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._band_transform import BandTransform
from overtone.spectra._bands import Bands
from overtone.spectra._grid import GridTransform
from overtone.spectra._legendre import DegreeTransform, degree_bands
from overtone.spectra._windowed import WindowedTransform

_AT_ONCE = 8
"""Fields of vectors on the sphere that are transformed together, which bounds the memory."""


@final
class WindTransform(BandTransform):
    """Transform from two components of a vector field to the kinetic energy of its rotational and divergent part.

    V = k x grad psi + grad chi, with a streamfunction psi and a velocity potential chi. The power of a band is the
    kinetic energy per mass, half of the mean square of the part's speed, and both parts add up to that of V.

    On the sphere the components along x, y and z, which are smooth at the poles, are transformed as scalars; with c_i
    their coefficients, the parts have the coefficients sum_i (L_i c_i)_lm / sqrt(l (l + 1)), L = -i r x grad, and
    sum_i (grad_i c_i)_lm / sqrt(l (l + 1)). This is exact to rounding for winds without degrees above `degree`. In a
    box the part along a wavevector is divergent, and that across it rotational; the mean wind is neither.

    Args:
        transform: Transform of scalars: on the sphere, or in a box of two axes, periodic or windowed.
        channels: Number of channels of the values.
        components: Channel of the component along the last axis (eastward), and of that along the first (northward).
            They are replaced by the rotational and the divergent part; other channels are transformed as scalars.
        directions: Sign of the coordinate along the first axis and the last one; by default latitudes from
            north to south and longitudes from west to east on the sphere, and ascending coordinates in a box. Pixels of
            HEALPix have no axes.

    Attributes:
        bands: Bands of degrees up to one less than that of the transform; in a box those of the transform.

    Raises:
        InputError: If the transform does not suit vectors, or there are no such channels.

    Example:
        >>> import numpy as np
        >>> import torch
        >>> from overtone.spectra import SphereGrid, SphereTransform, WindTransform
        >>> latitude, longitude = np.linspace(90, -90, 19), np.arange(0, 360, 10)
        >>> winds = WindTransform(SphereTransform(SphereGrid.of(latitude, longitude)))
        >>> u = torch.from_numpy(np.cos(np.radians(latitude)))[:, None].expand(19, 36)
        >>> power = winds.power(winds.coefficients(torch.stack([u, torch.zeros_like(u)], -1)))
        >>> power[1].round(decimals=6).tolist()     # solid rotation: degree 1, half of the mean of cos^2
        [0.333333, 0.0]
    """

    def __init__(
        self,
        transform: DegreeTransform | GridTransform | WindowedTransform,
        channels: int = 2,
        components: tuple[int, int] = (0, 1),
        directions: Sequence[int] = (),
    ) -> None:
        sphere = isinstance(transform, DegreeTransform)
        if not sphere and len(transform.shape) != 2:
            raise InputError(
                "winds on two axes of space", f"{len(transform.shape)}", "select one level", "transform"
            )
        if isinstance(transform, GridTransform) and not all(transform.lattice.periodic):
            raise InputError(
                "a periodic box for winds, or a window",
                "open borders",
                "pass a WindowedTransform",
                "transform",
            )
        if len(set(components)) != 2 or not all(0 <= c < channels for c in components):
            raise InputError(
                f"two of {channels} channels as components", f"{components}", "choose others", "components"
            )
        self.transform, self.components, self._channels = transform, components, channels
        self._directions = tuple(directions) or ((-1, 1) if sphere else (1, 1))
        self.bands = _bands(transform) if isinstance(transform, DegreeTransform) else transform.bands

    @property
    def closes(self) -> bool:
        """False: on the sphere as scalars; in a box the mean wind is in neither part."""
        return False

    @property
    def degree(self) -> int:
        """Highest degree on the sphere, one less than that of scalars; 0 in a box."""
        return self.transform.degree - 1 if isinstance(self.transform, DegreeTransform) else 0

    def field(self, rows: Tensor) -> Tensor:
        """Reshape rows (samples, channels) to the shape of the transform, channels last.

        Raises:
            InputError: If the number of rows is not that of the samples.
        """
        return self.transform.field(rows)

    def coefficients(self, values: Tensor) -> Tensor:
        """Return the coefficients, with those of the rotational and divergent part in place of the components.

        Args:
            values: (*shape, C) real values; C is a multiple of the number of channels.

        Raises:
            InputError: If the number of channels is wrong, or the transform refuses the values.
        """
        if tuple(values.shape[:-1]) != self.transform.shape or values.shape[-1] % self._channels:
            raise InputError(
                f"values of shape {self.transform.shape} and a multiple of {self._channels} channels last",
                f"{tuple(values.shape)}",
                "reshape the values",
                "values",
            )
        fields = values.unflatten(-1, (-1, self._channels))
        u, v = (fields[..., channel].double() for channel in self.components)
        split = self._on_sphere if isinstance(self.transform, DegreeTransform) else self._in_box
        parts = [split(a, b) for a, b in zip(u.split(_AT_ONCE, -1), v.split(_AT_ONCE, -1), strict=True)]
        rotational, divergent = (torch.cat(part, -1) for part in zip(*parts, strict=True))
        result = rotational.new_zeros(*rotational.shape, self._channels)
        result[..., self.components[0]] = rotational
        result[..., self.components[1]] = divergent
        for channel in set(range(self._channels)) - set(self.components):
            scalars = self.transform.coefficients(fields[..., channel].double())
            result[..., channel] = scalars[: rotational.shape[0], : rotational.shape[1]]
        return result.flatten(-2)

    def cross(self, coefficients: Tensor, other: Tensor) -> Tensor:
        """Return the (band, channel) float64 cross power; of the two parts half of it, as kinetic energy.

        Args:
            coefficients: Result of `coefficients`.
            other: Coefficients of the other field.
        """
        if not isinstance(self.transform, DegreeTransform):
            return self.transform.cross(coefficients, other)
        products = coefficients.real * other.real + coefficients.imag * other.imag
        powers = 2 * products.sum(0) - products[0]
        index = self.bands.index(torch.arange(len(powers), device=powers.device))
        return powers.new_zeros(self.bands.count, powers.shape[1]).index_add(0, index, powers)

    def white(self, squares: Tensor) -> Tensor:
        """Return the power that white noise of each channel has in the coefficients of each channel.

        Args:
            squares: (..., channel) mean squares of the noise.
        """
        result = squares.clone()
        # Half of the sum is kinetic energy, of which each part has one half.
        result[..., list(self.components)] = squares[..., list(self.components)].sum(-1, keepdim=True) / 4
        return result

    def _on_sphere(self, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (order, degree, C) coefficients of both parts of (*shape, C) components."""
        assert isinstance(self.transform, DegreeTransform)
        theta, phi = (angle.unsqueeze(-1) for angle in self.transform.angles)
        down, along = self._directions[0] * v, self._directions[1] * u
        outward = down * theta.cos()
        vector = torch.cat(
            [
                outward * phi.cos() - along * phi.sin(),
                outward * phi.sin() + along * phi.cos(),
                -down * theta.sin(),
            ],
            -1,
        )
        x, y, z = self.transform.coefficients(vector).chunk(3, -1)
        return _parts_on_sphere(x, y, z)

    def _in_box(self, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return the coefficients of both parts of (row, column, C) components."""
        transform = self.transform
        assert isinstance(transform, GridTransform | WindowedTransform)
        along, across = (
            transform.coefficients(sign * x) for sign, x in zip(self._directions[::-1], (u, v), strict=True)
        )
        rows, columns = transform.shape
        f_y = torch.fft.fftfreq(rows, transform.spacing[0], dtype=torch.float64, device=u.device)[
            :, None, None
        ]
        f_x = torch.fft.rfftfreq(columns, transform.spacing[1], dtype=torch.float64, device=u.device)[:, None]
        radius = torch.hypot(f_x, f_y) * math.sqrt(2)
        radius[0, 0] = torch.inf
        return (f_x * across - f_y * along) / radius, (f_x * along + f_y * across) / radius


def _bands(transform: DegreeTransform) -> Bands:
    """Return bands up to the highest degree of vectors: those of the transform, if they are not its default."""
    degree = transform.degree - 1
    if transform.bands.edges == degree_bands(transform.degree).edges:
        return degree_bands(degree)
    edges = [edge for edge in transform.bands.edges if edge < degree + 0.5]
    return Bands((*edges, degree + 0.5))


def _parts_on_sphere(x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """Return the coefficients of the rotational and the divergent part from those of the Cartesian components.

    The operators act on harmonics with the phase (-1)^m of Condon and Shortley. L_z multiplies by m, and L_x +- i L_y
    change m by one. With [D, r_i] = 2 grad_i - 2 r_i, D the Laplacian of the unit sphere, grad_i is r_i with the factor
    -(l - 1) from degree l - 1 and l + 2 from degree l + 1 to degree l.

    Args:
        x: (order, degree, C) coefficients of the component along x, of orders m >= 0.
        y: Those along y.
        z: Those along z.

    Returns:
        Those of both parts, up to the last degree but one, divided by sqrt(2).
    """
    last = x.shape[1] - 1
    m = torch.arange(last, dtype=torch.float64, device=x.device)[:, None, None]
    degree = torch.arange(last, dtype=torch.float64, device=x.device)[:, None]
    sign = 1 - 2 * (torch.arange(last + 1, device=x.device) % 2).double()[:, None, None]
    # Orders m - 1 of f_x - i f_y, beginning with -1, and m + 1 of f_x + i f_y.
    minus, plus = (a + factor * b for a, b, factor in ((x, y, -1j), (x, y, 1j)))
    before = torch.cat([plus[1:2].conj(), (sign * minus)[: last - 1]])
    after = (sign * plus)[1:]
    level = (sign * z)[:last]

    def root(value: Tensor) -> Tensor:
        return value.clamp(min=0).sqrt()

    def below(values: Tensor) -> Tensor:
        """Return the values at degree l - 1."""
        return torch.cat([torch.zeros_like(values[:, :1]), values[:, : last - 1]], 1)

    def above(values: Tensor) -> Tensor:
        return values[:, 1:]

    turning = m * level[:, :last]
    turning = turning + root((degree - m + 1) * (degree + m)) / 2 * before[:, :last]
    turning = turning + root((degree + m + 1) * (degree - m)) / 2 * after[:, :last]
    lower = root((degree**2 - m**2) / (4 * degree**2 - 1).abs()) * below(level)
    divisor = ((2 * degree - 1) * (2 * degree + 1)).abs()
    lower = lower - root((degree + m - 1) * (degree + m) / divisor) / 2 * below(before)
    lower = lower + root((degree - m - 1) * (degree - m) / divisor) / 2 * below(after)
    divisor = (2 * degree + 1) * (2 * degree + 3)
    upper = root(((degree + 1) ** 2 - m**2) / divisor) * above(level)
    upper = upper + root((degree - m + 2) * (degree - m + 1) / divisor) / 2 * above(before)
    upper = upper - root((degree + m + 2) * (degree + m + 1) / divisor) / 2 * above(after)
    opening = (degree + 2) * upper - (degree - 1) * lower
    inside = (m <= degree) & (degree > 0)
    norm = torch.where(inside, (2 * degree * (degree + 1)).clamp(min=1).rsqrt(), 0.0)
    return 1j * norm * turning, norm * opening
