"""Registration: whether structures in the wrong place are displaced, tile by tile."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from overtone.records.metrics._field_scores import FactCode, FieldScore
from overtone.records.metrics._intervals import Interval, coherence_interval
from overtone.spectra._field_geometry import DEGREE, FieldGeometry, GeometryKind
from overtone.verification._pairs import Pairs

SAMPLES = 64
"""Samples that are registered, evenly spread over those at hand."""

RESTORED = math.sqrt(0.5)
"""Coherence after registration above which structures count as displaced."""

_WAVES, _CELLS, _SHIFT, _TILES = 3, 4, 1 / 3, 4
"""Waves that a tile holds, cells of the finest wave, largest shift over the side of a tile, and tiles per axis."""

_TALLEST_LATITUDE = 60.0
"""Latitude in degrees up to which tiles of the sphere are planes."""


@final
@dataclass(frozen=True)
class Registration:
    """Coherence of a forecast's misplaced structures before and after tiles are shifted onto the truth.

    Attributes:
        variable: Name of the variable.
        lead: The lead time, or None.
        low: Lower edge of the range of frequencies, in cycles per unit of length.
        high: Upper edge.
        before: Coherence in the tiles as they are.
        after: Coherence after each tile is shifted to where it agrees best.
        chance: The same between samples that do not belong together; any fields agree a little after a shift.
        interval: Ends of the interval of `after`; NaN with fewer than ten effective samples.
        distance: Median length of the shifts, in the unit of the geometry.
        shift: Median shift per axis, from the truth to the forecast, along rising coordinates of the truth's grid.
    """

    variable: str
    lead: str | None
    low: float
    high: float
    before: float
    after: float
    chance: float
    interval: tuple[float, float]
    distance: float
    shift: tuple[float, ...]

    @property
    def certain(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.interval[0])

    @property
    def displaced(self) -> bool:
        """Whether registration restores the coherence, beyond its interval and beyond chance."""
        low = self.interval[0] if self.certain else self.after
        return low > RESTORED and self.after > self.chance + (1 - self.chance) / 2

    def to_json(self) -> dict[str, Any]:
        """All figures as values that JSON can hold."""
        return {
            "variable": self.variable,
            "lead": self.lead,
            "low": self.low,
            "high": self.high,
            "displaced": self.displaced,
            "coherence_before": _plain(self.before),
            "coherence_after": _plain(self.after),
            "coherence_after_low": _plain(self.interval[0]),
            "coherence_after_high": _plain(self.interval[1]),
            "coherence_by_chance": _plain(self.chance),
            "distance": _plain(self.distance),
            "shift": [_plain(value) for value in self.shift],
        }


def registered(pairs: Pairs, lead: int, channel: int, score: FieldScore, level: float) -> Registration | None:
    """Return the registration of the misplaced structures of a score, or None without any, or without space for tiles.

    Args:
        pairs: The pairs.
        lead: Index of the lead time.
        channel: Index of the variable.
        score: Its score.
        level: Coverage probability.
    """
    facts = [fact for fact in score.facts if fact.code is FactCode.MISPLACED]
    geometry = pairs.geometry
    if not facts or len(geometry.shape) > 2:
        return None
    # Ranges that the intervals leave open between misplaced ones are part of it.
    tiling = _tiling(geometry, facts[0].low, facts[-1].high)
    if tiling is None:
        return None
    count = pairs.count(lead)
    chosen = np.unique(np.linspace(0, count - 1, min(count, SAMPLES)).round().astype(int))
    rows, chance, shifts = [], [], []
    before = np.zeros(3)
    for sample in chosen:
        batch = pairs.read(lead, slice(int(sample), int(sample) + 1))
        forecast = batch.forecast.double()
        forecast = forecast.mean(1)[0, channel] if pairs.members else forecast[0, channel]
        truth = batch.target[0, channel].double()
        modes = [tiling.modes(forecast, origin) for origin in tiling.origins]
        powers, unmoved, moves = tiling.register(forecast, modes, truth)
        rows.append(powers)
        before += unmoved
        shifts += moves
        # Samples half of the period apart do not belong together; one sample alone is compared with its mirror image.
        other = (int(sample) + count // 2) % count
        distant = pairs.read(lead, slice(other, other + 1)).target[0, channel].double()
        chance.append(tiling.register(forecast, modes, distant if count > 1 else truth.flip(-1))[0])
    blocks = np.array(rows)[..., None]
    interval: Interval = coherence_interval(blocks, level)
    distances = [math.hypot(*shift) for shift in shifts]
    return Registration(
        score.variable,
        score.lead,
        tiling.low,
        tiling.high,
        _coherence(before),
        _coherence(blocks.sum(0)[:, 0]),
        _coherence(np.sum(chance, axis=0)),
        (float(interval.low[0]), float(interval.high[0])),
        float(np.median(distances)),
        tuple(float(value) for value in np.median(shifts, axis=0)),
    )


@final
@dataclass(frozen=True)
class _Tiling:
    """Tiles of fields, with the range of frequencies by which they are registered.

    Attributes:
        origins: First cell of each tile per axis.
        size: Cells of a tile per axis.
        spacings: For each tile, the distance of neighbouring cells per axis.
        limit: Largest shift in cells per axis.
        low: Lower edge of the frequencies.
        high: Upper edge.
    """

    origins: tuple[tuple[int, ...], ...]
    size: tuple[int, ...]
    spacings: tuple[tuple[float, ...], ...]
    limit: tuple[int, ...]
    low: float
    high: float

    def register(
        self, forecast: Tensor, modes: Sequence[Tensor], truth: Tensor
    ) -> tuple[np.ndarray, np.ndarray, list[tuple[float, ...]]]:
        """Return powers (truth, forecast, residual) summed over tiles, after and before the shifts, and the shifts.

        Args:
            forecast: (*space) forecast.
            modes: Modes of the forecast in each tile.
            truth: (*space) truth.
        """
        after, before, shifts = np.zeros(3), np.zeros(3), []
        for origin, spacing, forecast_modes in zip(self.origins, self.spacings, modes, strict=True):
            weights = self._weights[spacing]
            truth_modes = self.modes(truth, origin)
            unmoved = _powers(forecast_modes, truth_modes, weights)
            before += unmoved
            # sum_x f(x + d) g(x): the truth's structure at x stands at x + d in the forecast.
            match = torch.fft.irfftn(forecast_modes * truth_modes.conj() * (weights > 0), s=self.size)
            # Windows that are shifted against each other overlap less, which favours short shifts.
            cells = self._best(match / self._overlap)
            moved = unmoved
            if any(cells):
                there = self.modes(forecast, tuple(o + c for o, c in zip(origin, cells, strict=True)))
                moved = _powers(there, truth_modes, weights)
            if _coherence(moved) <= _coherence(unmoved):
                cells, moved = (0,) * len(cells), unmoved
            after += moved
            shifts.append(tuple(c * s for c, s in zip(cells, spacing, strict=True)))
        return after, before, shifts

    @cached_property
    def _weights(self) -> dict[tuple[float, ...], Tensor]:
        """For each spacing the number of modes that a stored one stands for within the range, 0 outside of it."""
        result = {}
        for spacing in set(self.spacings):
            axes = [
                torch.fft.fftfreq(n, s, dtype=torch.float64, device="cpu")
                for n, s in zip(self.size, spacing, strict=True)
            ]
            axes[-1] = axes[-1][: self.size[-1] // 2 + 1].abs()
            radius = torch.stack(torch.meshgrid(*axes, indexing="ij")).square().sum(0).sqrt()
            count = torch.full_like(axes[-1], 2.0)
            count[0] = 1
            if self.size[-1] % 2 == 0:
                count[-1] = 1
            weights = count * ((radius >= self.low) & (radius <= self.high))
            result[spacing] = weights[..., : self._columns]
        return result

    @cached_property
    def _columns(self) -> int:
        """Modes along the last axis up to the highest frequency, at most one beyond it."""
        longest = self.size[-1] * max(spacing[-1] for spacing in self.spacings)
        return min(int(self.high * longest) + 2, self.size[-1] // 2 + 1)

    def modes(self, field: Tensor, origin: Sequence[int]) -> Tensor:
        """Return the Fourier modes of a tile without its mean, under a Hann window, up to the highest frequency.

        Args:
            field: (*space) field.
            origin: First cell of the tile per axis.
        """
        tile = field
        for axis, (first, n) in enumerate(zip(origin, self.size, strict=True)):
            if 0 <= first <= field.shape[axis] - n:
                tile = tile.narrow(axis, first, n)
            else:
                places = torch.arange(first, first + n, device="cpu") % field.shape[axis]
                tile = tile.index_select(axis, places)
        return torch.fft.rfftn((tile - tile.mean()) * self._window)[..., : self._columns].contiguous()

    @cached_property
    def _window(self) -> Tensor:
        window = torch.ones((), dtype=torch.float64, device="cpu")
        for n in self.size:
            window = window.unsqueeze(-1) * torch.hann_window(n, dtype=torch.float64, device="cpu")
        return window

    @cached_property
    def _overlap(self) -> Tensor:
        """Products of the window with itself, by shift."""
        return torch.fft.ifftn(torch.fft.fftn(self._window).abs().square()).real

    def _best(self, match: Tensor) -> tuple[int, ...]:
        """Return the shift in cells, within the limit, at which a match is best."""
        rolled = torch.roll(match, self.limit, tuple(range(match.ndim)))
        window = rolled[tuple(slice(0, 2 * limit + 1) for limit in self.limit)]
        place = np.unravel_index(int(window.argmax()), tuple(window.shape))
        return tuple(int(p) - limit for p, limit in zip(place, self.limit, strict=True))


def _tiling(geometry: FieldGeometry, lowest: float, highest: float) -> _Tiling | None:
    """Return tiles that hold three of the longest waves of a range, or None if there is no place for one."""
    sphere = geometry.kind is GeometryKind.SPHERE
    spacing, shape = geometry.spacing, list(geometry.shape)
    margin_rows, periodic = 0, list(geometry.periodic)
    if sphere:
        grid = geometry.rows_and_columns
        assert grid is not None
        rows = grid.latitudes
        shape = [rows, grid.longitudes]
        spacing = tuple(step * DEGREE for step in spacing)
        margin_rows = math.ceil(rows * (90 - _TALLEST_LATITUDE) / 180)
    # Degrees l of the sphere are waves of 2 pi R / l.
    low, high = (f / (360 * DEGREE) if sphere else f for f in (lowest, highest))
    high = min(high, max(2 * low, 1 / (_CELLS * max(spacing))))
    inner = [n - 2 * (margin_rows if axis == 0 else 0) for axis, n in enumerate(shape)]
    # Tiles of open axes leave space for the largest shift on both sides.
    largest = [
        int(n / (1 + (0 if around else 2 * _SHIFT))) for n, around in zip(inner, periodic, strict=True)
    ]
    sides = [min(n, math.ceil(_WAVES / low / s)) for n, s in zip(largest, spacing, strict=True)]
    low = max(low, _WAVES / min(n * s for n, s in zip(sides, spacing, strict=True)))
    if min(sides) < 3 * _CELLS or low >= high / 1.2:
        return None
    limits = tuple(int(n * _SHIFT) for n in sides)
    places = []
    for axis, side in enumerate(sides):
        first = margin_rows if axis == 0 and sphere else 0
        if not periodic[axis]:
            first += limits[axis]
        length = inner[axis] - (0 if periodic[axis] else 2 * limits[axis])
        count = max(1, min(_TILES, length // side))
        places.append([first + round(i * length / count) for i in range(count)])
    origins = tuple(_product(places))
    return _Tiling(
        origins,
        tuple(sides),
        tuple(_spacing(geometry, spacing, origin[0] + sides[0] / 2) for origin in origins),
        limits,
        low,
        high,
    )


def _spacing(geometry: FieldGeometry, spacing: Sequence[float], row: float) -> tuple[float, ...]:
    """Return the spacing in a tile; that of longitudes is shorter away from the equator."""
    if geometry.rows_and_columns is None:
        return tuple(spacing)
    latitude = 90 - 180 * row / geometry.rows_and_columns.latitudes
    return spacing[0], spacing[1] * math.cos(math.radians(latitude))


def _product(places: Sequence[Sequence[int]]) -> Iterator[tuple[int, ...]]:
    if not places:
        yield ()
        return
    for first in places[0]:
        for others in _product(places[1:]):
            yield (first, *others)


def _powers(forecast: Tensor, truth: Tensor, weights: Tensor) -> np.ndarray:
    """Return the weighted powers of truth, forecast and residual."""
    forecast_parts, truth_parts = (torch.view_as_real(field).flatten(-2) for field in (forecast, truth))
    factors = weights.repeat_interleave(2, -1)
    weighted = (forecast_parts * factors).flatten()
    target = float(torch.dot((truth_parts * factors).flatten(), truth_parts.flatten()))
    prediction = float(torch.dot(weighted, forecast_parts.flatten()))
    cross = float(torch.dot(weighted, truth_parts.flatten()))
    return np.array([target, prediction, target + prediction - 2 * cross])


def _coherence(powers: np.ndarray) -> float:
    target, prediction, residual = (float(value) for value in powers)
    product = math.sqrt(target * prediction)
    return (target + prediction - residual) / 2 / product if product > 0 else math.nan


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
