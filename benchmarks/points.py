"""Coefficients of 1e5 scattered samples, against the bare non-uniform transform and the direct sum."""

from __future__ import annotations

import time
from collections.abc import Callable

import finufft
import numpy as np

from overtone.spectra import Density, PointsMethod, PointsTransform

SAMPLES = 100_000
MODES = 4096
DIRECT = 500
REPEATS = 7
ACCURACY = 1e-13


def best(calls: list[Callable[[], object]], repeats: int = REPEATS) -> list[float]:
    """Least processor seconds of each call, in turns, so that a busy machine hits all alike."""
    times = [float("inf")] * len(calls)
    for _ in range(repeats):
        for i, call in enumerate(calls):
            start = time.process_time()
            call()
            times[i] = min(times[i], time.process_time() - start)
    return times


def direct(x: np.ndarray, values: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """sum_j values_j exp(-2 pi i f x_j), each product taken once."""
    return values @ np.exp(-2j * np.pi * np.outer(x, frequencies))


def case(axes: int) -> list[dict[str, object]]:
    """Rows for one number of axes: quadrature and least squares, each with about 4096 modes."""
    generator = np.random.default_rng(0)
    x = generator.random((SAMPLES, axes))
    y = generator.normal(size=SAMPLES)
    side = round(MODES ** (1 / axes))
    top = side // 2
    angles = [np.ascontiguousarray(2 * np.pi * column) for column in x.T]
    strengths = y.astype(np.complex128) / SAMPLES
    call = getattr(finufft, f"nufft{axes}d1")
    settings = {"domain": (0, 1), "density": Density.voronoi(2)}
    quick = PointsTransform(x, [0, top], method=PointsMethod.quadrature(), **settings)  # type: ignore[arg-type]
    shape = tuple(2 * m + 1 for m in quick._sampling.modes.sides)
    ours, theirs = best(
        [
            lambda: quick.coefficients(y),
            lambda: call(*angles, strengths, shape, eps=ACCURACY, isign=-1, nthreads=1),
        ]
    )
    what = f"{SAMPLES:.0e} points, {' x '.join(map(str, shape))} modes, {axes}-D"
    rows: list[dict[str, object]] = [
        row(f"quadrature, {what}", ours, theirs, 1.5, "finufft type 1, same accuracy, one thread")
    ]
    if axes == 1:
        frequencies = np.arange(-top, top + 1.0)
        slow = best([lambda: direct(x[:DIRECT, 0], y[:DIRECT], frequencies)], 2)[0] * SAMPLES / DIRECT
        note = f"direct sum, timed on {DIRECT} points and scaled"
        rows.append(row(f"quadrature, {what}", ours, slow, 0.01, note))
        exact = direct(x[:DIRECT, 0], y[:DIRECT], frequencies)
        near = call(angles[0][:DIRECT], y[:DIRECT].astype(np.complex128), shape, eps=ACCURACY, isign=-1)
        print(f"relative error of the transform: {np.linalg.norm(near - exact) / np.linalg.norm(exact):.1e}")
    full = PointsTransform(x, [0, top], method=PointsMethod.least_squares(), **settings)  # type: ignore[arg-type]
    fit = best([lambda: full.coefficients(y)], 2)[0]
    unknowns = full._sampling.modes.unknowns
    note = f"against one finufft type 1 of the requested modes; fits all {unknowns} that the samples support"
    rows.append(row(f"least squares, {what}", fit, theirs, float("nan"), note))
    return rows


def row(name: str, ours: float, theirs: float, target: float, note: str) -> dict[str, object]:
    return {
        "name": name,
        "ours": ours,
        "theirs": theirs,
        "ratio": ours / theirs,
        "target": target,
        "unit": "s",
        "note": note,
    }


def main() -> list[dict[str, object]]:
    """Rows for samples on a line, in a plane and in space."""
    return [line for axes in (1, 2, 3) for line in case(axes)]


if __name__ == "__main__":
    for line in main():
        print(f"{line['name']:55s} {line['ours']:9.4f} {line['theirs']:9.4f} s x{line['ratio']:.3g}")
