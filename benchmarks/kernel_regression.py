"""NTK regression: time against its targets and its floor, growth with the picture, and a real picture's decibels."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import skimage.data
import skimage.transform
import torch

from overtone.nn.encodings import Gaussian
from overtone.signals import Signal, array, masks
from overtone.theory import kernel_regression, ntk
from overtone.theory.ntk._operators.stationary import ToeplitzOperator, stationary_kernel_lags

SIGMAS = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
"""Candidates on 64 x 64, in cycles per picture; eight times as high on 512 x 512."""

TRAINED = {0.0: 28.2, 0.1: 24.0, 0.2: 21.2}
"""Clean PSNR that trained networks reached on the unknown half of camera at their best bandwidth and step, by noise."""


def seconds(call: Callable[[], object], repeats: int = 1) -> float:
    """Return the least processor time of several calls."""
    used = []
    for _ in range(repeats):
        busy = time.process_time()
        call()
        used.append(time.process_time() - busy)
    return min(used)


def half_known(values: torch.Tensor) -> tuple[Signal, torch.Tensor]:
    """The signal with half its samples known, a tenth of those held out; and the (N,) mask of the unknown."""
    signal = array(values)
    known = masks.random(signal.geometry, 0.5, seed=1)
    held = known & masks.random(signal.geometry, 0.1, seed=2)
    return signal.with_split(known & ~held, held), ~known


def astronaut(size: int) -> Signal:
    """The astronaut at up to 512 x 512 pixels; 1024 x 1024 has mirror images, with as much detail in a pixel."""
    side = min(size, 512)
    picture = skimage.transform.resize(skimage.data.astronaut(), (side, side), anti_aliasing=side < 512)
    margin = size - side
    return half_known(torch.as_tensor(np.pad(picture, ((0, margin), (0, margin), (0, 0)), "symmetric")))[0]


def model(signal: Signal, sigma: float, features: int = 256) -> kernel_regression.NTKModel:
    return kernel_regression.NTKModel.from_encoding(Gaussian(2, features, sigma, seed=0), signal.geometry)


def spectrum() -> list[dict[str, object]]:
    inputs = ntk.FeatureMap.fourier(Gaussian(2, 256, 20.0, seed=0).frequencies)
    wide = ntk.InfiniteNetwork.fully_connected([ntk.DenseLayer.ntk()] * 4, ntk.DualActivation.relu(), inputs)
    shape = (1024, 1024)
    used = seconds(lambda: ToeplitzOperator(stationary_kernel_lags(wide, shape, (1 / 1024,) * 2), shape), 3)
    note = "256 frequencies, 3 hidden layers, all 2047 x 2047 lags and their FFT"
    return [row("spectrum of a 1024 x 1024 grid", used, "s", "< 1", note)]


def fits() -> list[dict[str, object]]:
    rows, before = [], None
    for size in (128, 256, 512, 1024):
        signal, sigma = astronaut(size), 10.0 * max(1, size // 512)
        results: list[Any] = []
        used = seconds(lambda s=signal, g=sigma, f=results: f.append(kernel_regression.fit(s, model(s, g))))  # type: ignore[misc]
        vectors, n = results[0].vectors, size * size
        operator = model(signal, sigma).operator(signal.geometry.shape)
        weights = torch.ones(1, operator.size, dtype=torch.float64)
        floor = seconds(lambda o=operator, w=weights: o.apply_everywhere(w), 3)  # type: ignore[misc]
        note = f"{vectors} vectors, held out {results[0].psnr(1.0):.2f} dB; "
        note += f"floor (its products alone) {vectors * floor:.1f} s"
        if before is not None:
            size_before, used_before, vectors_before = before
            m = size_before**2
            growth = n * math.log(n) / (m * math.log(m))
            each = (used / vectors) / (used_before / vectors_before)
            note += f"; x{used / used_before:.1f} in all, x{each:.1f} per vector, N log N is x{growth:.1f}"
        before = (size, used, vectors)
        target = "< 60" if size == 512 else ""
        rows.append(row(f"astronaut {size} x {size} RGB, half missing", used, "s", target, note))
    return rows


def comparisons() -> list[dict[str, object]]:
    camera = torch.as_tensor(skimage.transform.resize(skimage.data.camera(), (64, 64), anti_aliasing=True))
    rows = []
    for name, signal, scale, target in (
        ("camera 64 x 64", half_known(camera)[0], 1.0, "< 1"),
        ("astronaut 512 x 512 RGB", astronaut(512), 8.0, "< 15"),
    ):
        results: list[Any] = []

        def call(
            signal: Signal = signal,
            scale: float = scale,
            results: list[Any] = results,
        ) -> None:
            results.append(kernel_regression.compare(signal, [model(signal, scale * s, 128) for s in SIGMAS]))

        used = seconds(call)
        losses = ", ".join(f"{loss:.2f}" for loss in results[0].loss_db.tolist())
        note = f"dB lost by sigma {', '.join(f'{scale * s:g}' for s in SIGMAS)}: {losses}"
        rows.append(row(f"comparison of 8 bandwidths, {name}", used, "s", target, note))
    return rows


def quality() -> list[dict[str, object]]:
    clean = torch.as_tensor(skimage.transform.resize(skimage.data.camera(), (64, 64), anti_aliasing=True))
    source = torch.Generator().manual_seed(0)
    rows = []
    for noise, trained in TRAINED.items():
        noisy = clean + noise * torch.randn(clean.shape, generator=source, dtype=torch.float64)
        signal, unknown = half_known(noisy)
        models = [model(signal, s, 128) for s in SIGMAS]
        chosen = kernel_regression.compare(signal, models).middle
        fitted = kernel_regression.fit(signal, models[chosen]).prediction[..., 0]
        error = (fitted - clean).reshape(-1)[unknown].square().mean()
        rows.append(
            row(
                f"camera 64 x 64, noise {noise:.0%}, clean PSNR on the unknown half",
                -10 * math.log10(float(error)),
                "dB",
                "",
                f"sigma {SIGMAS[chosen]:g} chosen by the comparison; a trained network "
                f"at its best sigma and step: {trained}",
            )
        )
    return rows


def row(name: str, ours: float, unit: str, target: str, note: str) -> dict[str, object]:
    return {"name": name, "ours": ours, "unit": unit, "target": target, "note": note}


def main() -> list[dict[str, object]]:
    """Processor times on one thread, which other work on the machine disturbs least, and decibels."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [*spectrum(), *fits(), *comparisons(), *quality()]
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":
    for each in main():
        print(f"{each['name']:60s} {each['ours']:8.2f} {each['unit']:3s} {each['target']:5s} {each['note']}")
