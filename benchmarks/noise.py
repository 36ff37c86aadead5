"""Accuracy of the noise floor: white noise added to pictures, drawings, series and volumes.

The constants of the estimators were chosen on the rows marked "seen", with other noise. Rows marked "held out" were
evaluated after the constants were fixed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch
from skimage import color, data, util
from sklearn.datasets import load_sample_image

from overtone._utils.seeding import numpy_generator
from overtone.spectra import NoiseVerdict, noise_floor

LEVELS = (0.0, 0.02, 0.05, 0.1, 0.2)
TEXTURES = ("brick", "grass", "gravel")
NATURAL = (
    *("astronaut", "camera", "cell", "chelsea", "clock", "coffee", "coins", "hubble_deep_field"),
    *("immunohistochemistry", "microaneurysms", "moon", "page", "retina", "rocket", "text"),
)
DRAWN = ("binary_blobs", "checkerboard", "colorwheel", "horse", "logo", "shepp_logan_phantom")
HELD_OUT = ("china.jpg", "flower.jpg")

Case = tuple[str, str, str, np.ndarray, bool]


def picture(name: str) -> np.ndarray:
    values = util.img_as_float(getattr(data, name)())
    return values[..., :3] if values.ndim == 3 else values


def power_law(shape: tuple[int, ...], exponent: float) -> np.ndarray:
    radius = np.sqrt(sum(np.meshgrid(*(np.fft.fftfreq(n) ** 2 for n in shape), indexing="ij")))
    radius.flat[0] = np.inf
    white = numpy_generator(0, "benchmark", "field").standard_normal(shape)
    field = np.fft.ifftn(np.fft.fftn(white) * radius**-exponent).real
    return (field - field.min()) / np.ptp(field)


def series(n: int = 16384) -> Iterator[tuple[str, np.ndarray]]:
    t = np.arange(n) / n
    band = np.sinc(np.linspace(-8, 8, 129)) * np.hanning(129)
    white = numpy_generator(0, "benchmark", "series").standard_normal(n + 128)
    yield (
        "three tones",
        np.sin(2 * np.pi * 811.3 * t) + 0.5 * np.sin(2 * np.pi * 3217.9 * t) + 0.3 * np.cos(377 * t),
    )
    yield "band-limited", np.convolve(white, band, "valid")
    yield "square wave", np.sign(np.sin(2 * np.pi * 7.3 * t))
    yield "chirp to 0.9 Nyquist", np.sin(0.9 * np.pi * n / 2 * t**2)
    yield "power law 1", power_law((n,), 1.0)
    yield "power law 0.5", power_law((n,), 0.5)


def cases() -> Iterator[Case]:
    """Set, kind, name, values scaled to [0, 1], whether channels come last."""
    for kind, names in (("natural", NATURAL), ("texture", TEXTURES), ("drawn", DRAWN)):
        for name in names:
            values = picture(name)
            yield "seen", kind, name, values if values.ndim == 2 else color.rgb2gray(values), False
    for name in NATURAL:
        values = picture(name)
        if values.ndim == 3 and values.size < 3e6:
            yield "seen", "natural", f"{name}, colour", values, True
    for name in HELD_OUT:
        yield "held out", "natural", f"{name}, colour", load_sample_image(name) / 255.0, True
    for name, values in series():
        yield "seen", "series", name, (values - values.min()) / np.ptp(values), False
    ball = 1.0 * (sum(a**2 for a in np.meshgrid(*[np.linspace(-1, 1, 48)] * 3)) < 0.6)
    yield "seen", "volume", "ball", ball, False
    yield "seen", "volume", "power law 2", power_law((48, 48, 48), 2.0), False


def measure(
    group: str, kind: str, name: str, values: np.ndarray, channels: bool, std: float
) -> dict[str, object]:
    noise = numpy_generator(2026, group, name, str(std)).standard_normal(values.shape)
    start = time.perf_counter()
    floor = noise_floor(values + std * noise, channel_axis=-1 if channels else None)
    seconds = time.perf_counter() - start
    worst = int((floor.std - std).abs().argmax())
    estimate, low, high = (float(bound[worst]) for bound in (floor.std, floor.low, floor.high))
    error = 100 * (estimate / std - 1) if std else None
    return {
        "name": f"{kind}: {name}",
        "set": group,
        "noise": std,
        "estimate": estimate,
        "low": low,
        "high": high,
        "error %": error,
        "verdict": floor.verdict.value,
        "right": right(kind, std, estimate, floor.verdict),
        "seconds": seconds,
    }


def right(kind: str, std: float, estimate: float, verdict: NoiseVerdict) -> bool:
    """Accept estimates within 10 % of the noise or 1 % without noise, and no answer only where that is allowed."""
    if std == 0:
        return verdict is not NoiseVerdict.NOISE or estimate <= 0.01
    if verdict is NoiseVerdict.CANNOT_TELL:
        return kind in ("texture", "series", "volume")
    return verdict is NoiseVerdict.NOISE and abs(estimate / std - 1) <= 0.1


def large() -> dict[str, object]:
    values = torch.randn(4096, 4096, generator=torch.Generator().manual_seed(0)).mul_(0.05)
    values += torch.linspace(0, 1, 4096)
    start = time.perf_counter()
    floor = noise_floor(values)
    return {
        "name": "drawn: ramp of 16 megapixels",
        "set": "seen",
        "noise": 0.05,
        "estimate": float(floor.std[0]),
        "low": float(floor.low[0]),
        "high": float(floor.high[0]),
        "error %": 100 * (float(floor.std[0]) / 0.05 - 1),
        "verdict": floor.verdict.value,
        "right": right("drawn", 0.05, float(floor.std[0]), floor.verdict),
        "seconds": time.perf_counter() - start,
    }


def main() -> list[dict[str, object]]:
    """One row per signal and noise level (of several channels the worst), printed as a table."""
    rows = [measure(*case, std) for case in cases() for std in LEVELS] + [large()]
    for row in rows:
        error = "" if row["error %"] is None else f"{row['error %']:+.1f}"
        bounds = f"[{row['low']:.4f}, {row['high']:.4f}]"
        print(
            f"{row['set']:9s}{row['name']:38s}{row['noise']:6.2f}{row['estimate']:9.4f} {bounds}{error:>8s} "
            f"{row['verdict']:12s}{'' if row['right'] else 'MISSED ':7s}{row['seconds']:6.2f} s"
        )
    for group in ("seen", "held out"):
        group_rows = [row for row in rows if row["set"] == group]
        print(f"{group}: {sum(bool(row['right']) for row in group_rows)} of {len(group_rows)} correct")
    return rows


if __name__ == "__main__":
    main()
