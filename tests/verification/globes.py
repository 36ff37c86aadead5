"""Fields on the sphere as xarray data."""

from __future__ import annotations

import numpy as np
import torch
import xarray as xr

from overtone.spectra import SphereGrid, SphereTransform

LATITUDE, LONGITUDE = np.linspace(90, -90, 25), np.arange(0, 360, 7.5)


def harmonics(samples: int, seed: int = 0, keep: float = np.inf) -> np.ndarray:
    """(samples, lat, lon) isotropic fields with power ~ l^-2 per degree, times exp(-(l / keep)^2)."""
    from scipy.special import sph_harm_y

    generator = np.random.default_rng(seed)
    theta, phi = np.meshgrid(np.radians(90 - LATITUDE), np.radians(LONGITUDE), indexing="ij")
    fields = np.zeros((samples, *theta.shape))
    for degree in range(1, 24):
        scale = np.sqrt(degree**-2.0 / (2 * degree + 1)) * np.exp(-((degree / keep) ** 2))
        for m in range(degree + 1):
            wave = (
                sph_harm_y(degree, m, theta, phi) * np.sqrt(4 * np.pi) * scale * (1 if m == 0 else np.sqrt(2))
            )
            real, imaginary = generator.standard_normal((2, samples, 1, 1))
            fields += real * wave.real + (imaginary * wave.imag if m else 0)
    return fields


def globe(fields: np.ndarray, name: str = "t2m", unit: str = "K", start: str = "2020-01-01") -> xr.DataArray:
    """A variable along time, latitude and longitude."""
    time = np.datetime64(start, "ns") + np.arange(len(fields)) * np.timedelta64(6, "h")
    return xr.DataArray(
        fields,
        {"time": time, "latitude": LATITUDE, "longitude": LONGITUDE},
        ("time", "latitude", "longitude"),
        name,
        {"units": unit},
    )


def power_by_degree(fields: np.ndarray) -> np.ndarray:
    transform = SphereTransform(SphereGrid.of(LATITUDE, LONGITUDE))
    coefficients = transform.coefficients(torch.from_numpy(fields).movedim(0, -1))
    return transform.by_degree(coefficients).mean(1).numpy()
