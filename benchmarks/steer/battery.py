"""Batteries of signals and networks: rules may be designed on A and, since it was opened, on B; C came afterwards.

C judges the rules for sines and hash grids that were designed when A and B were known. No signal of one battery is in
another. Each case is one signal with its noise, one kind of network and one length of
the run; 1-D, 2-D, 3-D and scattered samples, made and real ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from skimage import data
from skimage.transform import resize

from overtone import signals
from overtone._config import Activation, EncodingKind, ModelConfig
from overtone.signals import Geometry, Grid, Signal

WIDTH, DEPTH, FEATURES = 64, 3, 64
"""The networks: small, so that 90 cases can be searched through."""

HELD_OUT, TEST = 0.1, 0.2
"""Parts of the samples held out for choosing and stopping, and set apart for the test error."""

SHORT, LONG = 200, 600
"""Steps of the two lengths of run."""

RATES = {"gaussian": 2e-3, "positional": 2e-3, "sine": 1e-3, "hash": 2e-3}
"""Learning rates of Adam."""


@final
@dataclass(frozen=True)
class Case:
    """One case of a battery.

    Attributes:
        signal: Name of the signal.
        noise: Standard deviation of the noise as a part of the signal's range.
        network: "gaussian", "positional", "sine" or "hash".
        steps: Length of the run.
    """

    signal: str
    noise: float
    network: str
    steps: int

    @property
    def name(self) -> str:
        """The case in words."""
        return f"{self.signal}, {self.noise:.0%} noise, {self.network}, {self.steps} steps"

    @property
    def group(self) -> str:
        """Kind of the samples, by which constants are compared."""
        return GROUPS[self.signal]

    @property
    def batch(self) -> int | None:
        """Samples per step; of the largest pictures only a part."""
        return 1024 if self.signal in LARGE else None


def _cases(rows: str) -> tuple[Case, ...]:
    """Cases from lines of `signal | network noise length, network noise length ...`."""
    cases = []
    for row in rows.strip().splitlines():
        signal, _, runs = row.partition("|")
        for run in runs.split(","):
            network, noise, length = run.split()
            kind = {"g": "gaussian", "p": "positional", "s": "sine", "h": "hash"}[network]
            cases.append(
                Case(signal.strip(), float(noise) / 100, kind, {"short": SHORT, "long": LONG}[length])
            )
    return tuple(cases)


DESIGN = _cases("""
tones | g 0 long, g 10 short, s 0 long, p 3 long
chirp | g 0 long, s 3 long, h 0 short
fractal series | g 3 long, g 0 short, s 10 long
steps | g 0 short, p 10 long, s 0 short
pulses | g 0 long, g 3 long, s 3 long
row of coins | g 0 long, p 0 short, h 3 long
camera | g 0 long, g 10 long, p 0 long, s 0 long, h 0 long
astronaut | g 3 short, s 3 long
grass | g 0 long, h 10 long
stripes | g 0 long, g 10 short
disc | g 0 short, p 3 long, s 0 long
band noise | g 10 long, s 10 short, h 0 short
rough field | g 3 long, p 0 long
moon | g 10 long, p 3 short
letters | g 0 long, s 3 long
zone plate | g 0 long, h 3 long
camera 256 | g 0 short
phantom volume | g 0 long, p 3 short
band volume | g 10 long, s 0 long
camera points | g 0 long, g 10 short, p 0 long
bumps points | g 0 short, s 3 long
""")

SEALED = _cases("""
beats | g 0 short, g 3 long, s 0 long, p 10 long
falling chirp | g 3 long, s 0 long, h 3 long
fractal path | g 0 long, g 10 long, s 3 short
saw | g 0 long, p 0 short, s 10 long
bursts | g 3 short, g 0 long, s 0 long
row of brick | g 10 long, p 3 long, h 0 short
coins | g 0 long, g 3 short, p 10 long, s 3 long, h 0 long
chelsea | g 0 short, s 0 long
gravel | g 3 long, h 3 short
waves along x | g 0 long, g 3 long
horse | g 0 long, p 0 long, s 10 long
high band noise | g 0 short, s 0 long, h 10 long
smooth field | g 10 long, p 3 short
retina | g 0 long, p 0 long
page | g 3 long, s 0 short
rings | g 0 long, h 0 long
cell 256 | g 3 short
moving blob | g 0 short, p 10 long
fractal volume | g 0 long, s 3 long
coffee points | g 3 long, g 0 short, p 3 long
spiral points | g 0 long, s 0 long
""")

THIRD = _cases("""
three tones | s 0 long, s 10 short, h 0 long
doppler | s 0 long, s 3 short
blocks | s 3 long, h 0 long
rising series | s 0 long
modulated | s 0 long, s 10 long
row of camera | s 3 long
rocket | s 0 long, h 3 long
clock | s 3 long
brick | s 0 short, h 0 short
hubble | s 3 long
checks | s 0 long
wave packet | s 0 long, s 10 long, h 0 long
fractal sheet | s 3 long, h 3 short
band box | s 0 long
smooth box | s 10 long
rocket points | s 0 long
franke points | s 3 long, s 0 short
""")

BATTERIES = {"design": DESIGN, "sealed": SEALED, "third": THIRD}

SEEDS = {"design": 0, "sealed": 0, "third": 1}
"""Seed of each battery's networks, noise and masks."""

LARGE = ("camera 256", "cell 256")
"""Pictures of 256 x 256 pixels."""

STRETCHED = ("stripes", "waves along x", "moving blob")
"""Signals whose axes differ; their trained grid also holds bandwidths of other shapes."""

_LINE = 384


def _time(count: int = _LINE) -> np.ndarray:
    return np.arange(count) / count


def _plane(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij")
    return rows, columns


def _gauss(t: np.ndarray, centre: float, width: float) -> np.ndarray:
    return np.exp(-0.5 * ((t - centre) / width) ** 2)


def _picture(name: str, side: int, part: tuple[slice, slice] | None = None) -> np.ndarray:
    whole = np.asarray(getattr(data, name)(), dtype=np.float64) / 255
    cut = whole if part is None else whole[part]
    shape = (side, side, *cut.shape[2:])
    return np.asarray(resize(cut, shape, anti_aliasing=True))


def _synthetic(signal: Signal[Grid]) -> np.ndarray:
    return np.asarray(signal.grid_values[..., 0].numpy(), dtype=np.float64)


def _square(first: int, last: int) -> tuple[slice, slice]:
    return slice(first, last), slice(first, last)


def _zone_plate(side: int) -> np.ndarray:
    rows, columns = _plane((side, side))
    return np.cos(2 * np.pi * 5 * ((rows - 0.2) ** 2 + (columns - 0.3) ** 2))


def _rings(side: int) -> np.ndarray:
    rows, columns = _plane((side, side))
    radius = np.hypot(rows - 0.5, columns - 0.45)
    return np.sin(2 * np.pi * 6 * radius) * np.exp(-2 * radius)


def _wave_packet(side: int) -> np.ndarray:
    rows, columns = _plane((side, side))
    radius = np.hypot(rows - 0.4, columns - 0.55)
    return np.exp(-8 * radius**2) * np.cos(2 * np.pi * 5 * (rows + columns))


def _blob(side: int) -> np.ndarray:
    t, y, x = np.meshgrid(*(np.arange(side) / side,) * 3, indexing="ij")
    place = 0.5 + 0.3 * np.sin(2 * np.pi * t)
    return np.exp(-((x - place) ** 2 + (y - 0.5) ** 2) / 0.02)


_make = signals.synthetic
_GRIDS: dict[str, Callable[[], np.ndarray]] = {
    "tones": lambda: sum(np.sin(2 * np.pi * k * _time() + k) / k**0.5 for k in (3, 7, 19)),  # type: ignore[dict-item,return-value]
    "chirp": lambda: np.sin(2 * np.pi * (2 * _time() + 19 * _time() ** 2)),
    "fractal series": lambda: _synthetic(_make.power_law((_LINE,), 2.0, seed=3)),
    "steps": lambda: np.floor(6 * _time() ** 1.7) + 0.5 * (_time() > 0.4),
    "pulses": lambda: sum(_gauss(_time(), c, w) for c, w in ((0.2, 0.01), (0.45, 0.02), (0.8, 0.006))),  # type: ignore[dict-item,return-value]
    "row of coins": lambda: np.asarray(data.coins()[150, :_LINE], dtype=np.float64) / 255,
    "camera": lambda: _picture("camera", 32),
    "astronaut": lambda: _picture("astronaut", 32),
    "grass": lambda: _picture("grass", 40, _square(0, 160)),
    "stripes": lambda: np.sin(2 * np.pi * 7 * _plane((40, 40))[1] + 2 * _plane((40, 40))[0]),
    "disc": lambda: (np.hypot(_plane((36, 36))[0] - 0.4, _plane((36, 36))[1] - 0.55) < 0.27).astype(float),
    "band noise": lambda: _synthetic(_make.band_noise((32, 32), 0.0, 4.0, seed=1)),
    "rough field": lambda: _synthetic(_make.power_law((32, 32), 2.4, seed=5)),
    "moon": lambda: _picture("moon", 48),
    "letters": lambda: _picture("text", 48, (slice(40, 136), slice(60, 156))),
    "zone plate": lambda: _zone_plate(40),
    "camera 256": lambda: _picture("camera", 256),
    "phantom volume": lambda: _synthetic(_make.phantom((12, 12, 12))),
    "band volume": lambda: _synthetic(_make.band_noise((12, 12, 12), 0.0, 2.5, seed=2)),
    "beats": lambda: sum(np.cos(2 * np.pi * k * _time() + 0.3 * k) for k in (9, 11, 26)),  # type: ignore[dict-item,return-value]
    "falling chirp": lambda: np.sin(2 * np.pi * (30 * _time() - 13 * _time() ** 2)) * (1 - 0.6 * _time()),
    "fractal path": lambda: _synthetic(_make.power_law((_LINE,), 1.6, seed=11)),
    "saw": lambda: (5 * _time()) % 1.0 + 0.2 * np.sin(2 * np.pi * 2 * _time()),
    "bursts": lambda: (
        np.sin(2 * np.pi * 24 * _time()) * (_gauss(_time(), 0.3, 0.05) + 0.5 * _gauss(_time(), 0.75, 0.03))
    ),
    "row of brick": lambda: np.asarray(data.brick()[200, :_LINE], dtype=np.float64) / 255,
    "coins": lambda: _picture("coins", 32),
    "chelsea": lambda: _picture("chelsea", 32),
    "gravel": lambda: _picture("gravel", 40, _square(100, 260)),
    "waves along x": lambda: (
        (np.sin(2 * np.pi * 5 * _plane((24, 64))[1]) + 0.5 * np.cos(2 * np.pi * 9 * _plane((24, 64))[1]))
        * (1 + _plane((24, 64))[0])
    ),
    "horse": lambda: np.asarray(
        resize(np.asarray(data.horse(), dtype=np.float64), (36, 36), anti_aliasing=True)
    ),
    "high band noise": lambda: _synthetic(_make.band_noise((32, 32), 2.0, 5.0, seed=21)),
    "smooth field": lambda: _synthetic(_make.power_law((32, 32), 3.6, seed=23)),
    "retina": lambda: _picture("retina", 40),
    "page": lambda: _picture("page", 48, (slice(60, 156), slice(60, 156))),
    "rings": lambda: _rings(40),
    "cell 256": lambda: np.asarray(
        resize(np.asarray(data.cell(), dtype=np.float64) / 255, (256, 256), anti_aliasing=True)
    ),
    "moving blob": lambda: _blob(12),
    "fractal volume": lambda: _synthetic(_make.power_law((12, 12, 12), 3.0, seed=25)),
    "three tones": lambda: sum(
        a * np.sin(2 * np.pi * k * _time() + k) for k, a in ((5, 1), (14, 0.7), (31, 0.4))
    ),  # type: ignore[dict-item,return-value]
    "doppler": lambda: np.sqrt(_time() * (1 - _time())) * np.sin(2.1 * np.pi / (_time() + 0.05)),
    "blocks": lambda: np.repeat(np.random.default_rng(31).standard_normal(12), _LINE // 12),
    "rising series": lambda: _synthetic(_make.power_law((_LINE,), 2.4, seed=31)) + 2 * _time(),
    "modulated": lambda: (1 + 0.8 * np.sin(2 * np.pi * 2 * _time())) * np.sin(2 * np.pi * 17 * _time()),
    "row of camera": lambda: np.asarray(data.camera()[256, :_LINE], dtype=np.float64) / 255,
    "rocket": lambda: _picture("rocket", 32),
    "clock": lambda: _picture("clock", 36),
    "brick": lambda: _picture("brick", 40, _square(40, 240)),
    "hubble": lambda: _picture("hubble_deep_field", 40, _square(200, 400)),
    "checks": lambda: (np.floor(5 * _plane((36, 36))[0]) + np.floor(4 * _plane((36, 36))[1])) % 2,
    "wave packet": lambda: _wave_packet(36),
    "fractal sheet": lambda: _synthetic(_make.power_law((36, 36), 2.0, seed=41)),
    "band box": lambda: _synthetic(_make.band_noise((12, 12, 12), 1.0, 3.0, seed=44)),
    "smooth box": lambda: _synthetic(_make.power_law((12, 12, 12), 3.6, seed=45)),
}


def _camera_points(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return _scattered(_picture("camera", 64), generator)


def _coffee_points(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return _scattered(_picture("coffee", 64).mean(-1), generator)


def _bumps_points(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    places = generator.random((700, 2)) * [4.0, 4.0]
    centres = [(1.0, 1.2, 0.3), (2.6, 3.0, 0.5), (3.3, 0.9, 0.15)]
    values = sum(np.exp(-((places - (x, y)) ** 2).sum(1) / (2 * w * w)) for x, y, w in centres)
    return places, np.asarray(values)


def _spiral_points(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    places = generator.normal(size=(800, 2)) * 0.3
    radius, angle = np.hypot(*places.T), np.arctan2(*places.T)
    return places, np.cos(2 * angle + 12 * radius) * np.exp(-2 * radius)


def _rocket_points(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return _scattered(_picture("rocket", 64).mean(-1), generator)


def _franke_points(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    places = generator.random((800, 2)) * [2.0, 1.0]
    x, y = 4.5 * places[:, 0], 9 * places[:, 1]
    hills = 0.75 * np.exp(-((x - 2) ** 2 + (y - 2) ** 2) / 4) + 0.5 * np.exp(
        -((x - 7) ** 2 + (y - 3) ** 2) / 4
    )
    return places, hills - 0.2 * np.exp(-((x - 4) ** 2) - (y - 7) ** 2)


def _scattered(picture: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    side = len(picture)
    places = np.stack(np.divmod(generator.choice(side * side, 900, replace=False), side), 1)
    return places / side, picture[places[:, 0], places[:, 1]]


_POINTS: dict[str, Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]] = {
    "camera points": _camera_points,
    "bumps points": _bumps_points,
    "coffee points": _coffee_points,
    "spiral points": _spiral_points,
    "rocket points": _rocket_points,
    "franke points": _franke_points,
}


def _group(name: str) -> str:
    if name in _POINTS:
        return "scattered"
    return {1: "1-D", 2: "2-D", 3: "3-D"}[min(3, _axes(name))]


def _axes(name: str) -> int:
    values = _GRIDS[name]()
    return values.ndim - (1 if values.ndim == 3 and values.shape[2] == 3 else 0)


GROUPS = {case.signal: _group(case.signal) for cases in BATTERIES.values() for case in cases}


def build(name: str, noise: float, seed: int = 0) -> Signal[Geometry]:
    """A signal with noise, a tenth held out, and a fifth set apart for the test error.

    Args:
        name: One of the batteries.
        noise: Standard deviation as a part of the range.
        seed: Seeds noise and masks.
    """
    generator = np.random.default_rng([seed, sum(map(ord, name))])
    places: np.ndarray | None = None
    if name in _POINTS:
        places, values = _POINTS[name](generator)
        values = values[:, None]
    else:
        values = _GRIDS[name]()
    noisy = values + noise * np.ptp(values) * generator.normal(size=values.shape)
    clean = torch.from_numpy(values.astype(np.float32))
    if places is not None:
        signal: Signal[Geometry] = signals.points(places, noisy.astype(np.float32))
    elif values.ndim == 3 and values.shape[2] == 3:
        signal = signals.image(noisy.astype(np.float32))
    else:
        signal = signals.array(noisy.astype(np.float32))
    signal = signal.with_clean(clean.reshape(signal.values.shape))
    count = len(signal.values)
    order = generator.permutation(count)
    held, reserved = round(HELD_OUT * count), round((HELD_OUT + TEST) * count)
    masks = torch.zeros(2, count, dtype=torch.bool)
    masks[1, order[:held]] = True
    masks[0, order[reserved:]] = True
    return signal.with_split(masks[0], masks[1])


def model(network: str, bandwidth: tuple[float, ...] | None) -> ModelConfig:
    """Settings of a network of the battery.

    Args:
        network: Its kind.
        bandwidth: Per axis, in cycles per unit.
    """
    size = {"width": WIDTH, "depth": DEPTH, "features": FEATURES}
    match network:
        case "sine":
            return ModelConfig(EncodingKind.NONE, bandwidth, (Activation.SINE,), **size)  # type: ignore[arg-type]
        case "hash":
            return ModelConfig(EncodingKind.HASH_GRID, bandwidth, **size)  # type: ignore[arg-type]
        case _:
            return ModelConfig(EncodingKind(network), bandwidth, **size)  # type: ignore[arg-type]


def nyquist_cycles(signal: Signal[Geometry]) -> tuple[float, ...]:
    """Nyquist frequency per axis in cycles per extent; of scattered samples, as if they lay evenly."""
    places = signal.geometry
    if isinstance(places, Grid):
        return tuple(n * e for n, e in zip(places.nyquist, places.extent, strict=True))
    axes = len(places.extent)
    return (len(signal.values) ** (1 / axes) / 2,) * axes


def grid(case: Case) -> list[tuple[float, ...]]:
    """The bandwidths that are trained, per axis in cycles per extent, a factor of 2 apart.

    From a quarter of a cycle to half of Nyquist, of hash grids an octave more; the same part of Nyquist on every axis,
    and for signals of unlike axes also stretched by 4 and 16 along each.
    """
    limit = nyquist_cycles(build(case.signal, 0.0))
    middle = math.exp(sum(map(math.log, limit)) / len(limit))
    top = middle / 2 * (2 if case.network == "hash" else 1)
    count = math.floor(math.log2(top / 0.25))
    levels = [0.25 * 2**k for k in range(count + 1)]
    candidates = [tuple(c * n / middle for n in limit) for c in levels]
    if case.signal not in STRETCHED or case.network == "sine":
        return candidates
    stretched = [
        tuple(
            b * (factor ** (1 - 1 / len(base)) if a == axis else factor ** (-1 / len(base)))
            for a, b in enumerate(base)
        )
        for base in candidates
        for axis in range(len(base))
        for factor in (4.0, 16.0)
    ]
    return candidates + stretched
