"""Seconds that `planning.plan` takes for pictures of growing size: its cost must not grow faster than N log N."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import skimage.data
import skimage.transform

import overtone as ot
from overtone.fitting._prepare import hold_out
from overtone.planning import Budget, plan

SIDES = {256: math.nan, 512: 30.0, 1024: math.nan, 2048: 120.0}
"""Sides of a square RGB picture, and seconds on two cores that are allowed."""


def picture(side: int) -> ot.Signal:
    """The astronaut at `side` x `side` pixels, a tenth held out."""
    values = skimage.transform.resize(skimage.data.astronaut(), (side, side), order=3, anti_aliasing=True)
    return hold_out(replace(ot.signals.image(values), name=f"astronaut, {side} x {side}"), 0.1, seed=0)


def main() -> list[dict[str, object]]:
    """A row per size, then the exponent of growth from the smallest to the largest."""
    table: list[dict[str, object]] = []
    seconds = {}
    for side, target in SIDES.items():
        signal = picture(side)
        start = time.perf_counter()
        recommended = plan(signal, Budget(seconds=60))
        seconds[side] = time.perf_counter() - start
        bandwidth = " x ".join(f"{b:.3g}" for b in recommended.bandwidth)
        table.append(row(f"plan, {side} x {side} RGB", seconds[side], target, "s", f"bandwidth {bandwidth}"))
    small, large = min(SIDES), max(SIDES)
    exponent = math.log(seconds[large] / seconds[small]) / math.log((large / small) ** 2)
    limit = 1 + math.log(math.log(large) / math.log(small)) / math.log((large / small) ** 2)
    table.append(
        row("plan, exponent of growth", exponent, limit, "", "seconds ~ pixels^exponent; target: N log N")
    )
    return table


def row(name: str, value: float, target: float, unit: str, note: str) -> dict[str, object]:
    return {"name": name, "ours": value, "target": target, "unit": unit, "note": note}
