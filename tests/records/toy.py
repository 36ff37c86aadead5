"""Records made from the closed-form dynamics of a linear model, for tests of everything that reads records."""

from __future__ import annotations

import numpy as np
import xarray

from overtone.records._schema import PER_STEP, Header


def toy_header(
    bands: int = 8, channels: int = 1, noise: float = 0.1, seed: int = 0, **attrs: object
) -> Header:
    """A picture-like target: power falls as 1 / frequency^2 and sums to 1 per channel; white noise of std `noise`.

    The first band holds the mean, the last one is the corner beyond the Nyquist frequency, 64 cycles.
    """
    edges = np.concatenate([[0.0], np.geomspace(0.5, 64.0, bands - 1), [64.0 * np.sqrt(2)]])
    low, high = edges[:-1], edges[1:]
    modes = high**2 - low**2
    noise_power = np.repeat((noise**2 * modes / modes.sum())[:, None], channels, axis=1)
    clean = 1 / (1 + low * high)
    clean = np.repeat((clean / clean.sum())[:, None], channels, axis=1)
    return Header(
        band_low=low,
        band_high=high,
        channels=tuple(f"c{i}" for i in range(channels)) if channels != 3 else ("red", "green", "blue"),
        static={"target_power": clean + noise_power, "noise_power": noise_power},
        attrs={
            "origin": "measured",
            "frequency_unit": "cycles per picture height",
            "value_unit": "",
            "estimator": "grid, even extension",
            "geometry": {"shape": [128, 128], "spacing": [1 / 128, 1 / 128], "periodic": [False, False]},
            "nyquist": [64.0, 64.0],
            "kind": "picture",
            "signal": "toy",
            "peak": 1.0,
            "seed": seed,
            "network": "MLP 2-64-64-1, relu",
            "parameters": 4417,
            "device": "cpu",
            "dtype": "float32",
            "versions": {"overtone": "0.1.0"},
            "created": "2026-01-01T00:00:00+00:00",
            "noise_std": noise,
            "noise_low": 0.9 * noise,
            "noise_high": 1.1 * noise,
            "noise_verdict": "noise" if noise else "clean",
            "bandwidth": [8.0, 8.0],
            "reasons": ["the spectrum meets the noise floor at 8 cycles"],
            **attrs,
        },
    )


def toy_rows(header: Header, steps: np.ndarray, rates: np.ndarray) -> dict[str, np.ndarray]:
    """Gradient flow of a linear model: band k has learned 1 - exp(-rate_k step) of signal and noise alike."""
    t = steps[:, None, None].astype(float)
    learned = 1 - np.exp(-rates[None, :, None] * t)
    target, noise = header.static["target_power"], np.nan_to_num(header.static["noise_power"])
    residual = (1 - learned) ** 2 * target
    clean_error = ((1 - learned) ** 2 * (target - noise) + learned**2 * noise).sum(1).mean(1)
    train = residual.sum(1).mean(1)
    return {
        "residual_power": residual,
        "cross_power": learned * target,
        "loss": train / 2,
        "time": steps * 0.004,
        "learning_rate": np.full(steps.shape, 1e-3),
        "train_error": train,
        "held_out_error": clean_error + noise.sum(0).mean(),
        "clean_error": clean_error,
    }


def toy_steps(steps: int) -> np.ndarray:
    """0 and about twenty steps per decade up to `steps`."""
    spaced = np.geomspace(1, steps, max(2, int(20 * np.log10(steps)) + 1))
    return np.unique(np.concatenate([[0], spaced.round()])).astype(np.int64)


def toy_record(
    steps: int = 2000, bands: int = 8, channels: int = 1, noise: float = 0.1, seed: int = 0, **attrs: object
) -> xarray.Dataset:
    """A measured record: exponential learning per band, slower by 1 / frequency^2, down into a white noise floor.

    Args:
        steps: The last step; rows are log-spaced up to it.
        bands: Number of bands, 3 or more, the first with the mean, the last the corner.
        channels: Number of channels; three are red, green and blue.
        noise: Standard deviation of the noise; the target's mean square without it is 1.
        seed: Changes the rates by some percent, as another initialisation would.
        attrs: Replace or add attributes.
    """
    header = toy_header(bands, channels, noise, seed, **attrs)
    centre = np.sqrt(header.band_low * header.band_high)
    jitter = np.exp(0.05 * np.random.default_rng(seed).standard_normal(bands)) if seed else np.ones(bands)
    when = toy_steps(steps)
    rows = toy_rows(header, when, jitter * 0.5 / (1 + centre**2))
    return header.record(when, {name: rows[name] for name in PER_STEP})
