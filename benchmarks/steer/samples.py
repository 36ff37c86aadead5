"""Signals of the batteries, on grids and at scattered points: made ones, measured ones and photographs."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import matplotlib.cbook
import numpy as np
from skimage import data
from skimage.io import imread
from skimage.transform import resize
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_sample_image

from overtone import signals
from overtone.signals import Grid, Signal

_LINE, _SIDE = 384, 28


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


def _sample(name: str) -> str:
    """Path of a sample of matplotlib."""
    return str(matplotlib.cbook.get_sample_data(name, asfileobj=False))


def _terrain() -> np.ndarray:
    return np.load(_sample("jacksboro_fault_dem.npz"))["elevation"][:344, :344].astype(np.float64)


def _hopper() -> np.ndarray:
    return imread(_sample("grace_hopper.jpg"))[:512, :512].mean(-1) / 255


def _disparity() -> np.ndarray:
    # Pixels without a match are infinite.
    shift = data.stereo_motorcycle()[2][:500, :500].astype(np.float64)
    return np.where(np.isfinite(shift), shift, 0.0)


def _crossed_waves(side: int) -> np.ndarray:
    rows, columns = _plane((side, side))
    waves = ((2, 3, 1.0), (-4, 1, 0.7), (5, 5, 0.5), (1, -7, 0.3))
    return sum(a * np.cos(2 * np.pi * (u * rows + v * columns) + u) for u, v, a in waves)  # type: ignore[return-value]


def _cloth(side: int) -> np.ndarray:
    rows, columns = _plane((side, side))
    return np.tanh(3 * np.sin(2 * np.pi * 3 * rows)) * np.tanh(3 * np.sin(2 * np.pi * 4 * columns)) + rows


def _spots(side: int) -> np.ndarray:
    rows, columns = _plane((side, side))
    places = np.random.default_rng(53).random((12, 4))
    return sum(
        (0.5 + h) * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * (0.03 + 0.07 * w) ** 2))
        for y, x, w, h in places
    )  # type: ignore[return-value]


def _swirl(side: int) -> np.ndarray:
    z, y, x = np.meshgrid(*(np.arange(side) / side - 0.5,) * 3, indexing="ij")
    return np.cos(2 * np.arctan2(y, x) + 6 * np.hypot(x, y) + 5 * z) * np.exp(-4 * (x**2 + y**2))


def _shell(side: int) -> np.ndarray:
    z, y, x = np.meshgrid(*(np.arange(side) / side - 0.45,) * 3, indexing="ij")
    return np.exp(-(((np.sqrt(x**2 + y**2 + 1.3 * z**2) - 0.3) / 0.08) ** 2))


def _scene(name: str) -> np.ndarray:
    """One of scikit-learn's photographs, in grey."""
    return np.asarray(load_sample_image(name), dtype=np.float64).mean(-1) / 255


def _head() -> np.ndarray:
    # A slice of a magnetic resonance picture.
    with gzip.open(_sample("s1045.ima.gz")) as packed:
        return np.frombuffer(packed.read(), np.uint16).reshape(256, 256).astype(np.float64)


def _shares() -> np.ndarray:
    closes = np.genfromtxt(_sample("Stocks.csv"), delimiter=",", skip_header=2, usecols=1)
    return np.log(closes[np.isfinite(closes)])


def _ripples(side: int) -> np.ndarray:
    rows, columns = _plane((side, side))
    near = np.hypot(rows - 0.2, columns - 0.7)
    far = np.hypot(rows - 0.9, columns - 0.1)
    return np.cos(2 * np.pi * 4 * near) * np.exp(-near) + 0.6 * np.cos(2 * np.pi * 3 * far)


def _lattice(side: int) -> np.ndarray:
    rows, columns = _plane((side, side))
    waves = (0.0, 2 * np.pi / 3, 4 * np.pi / 3)
    return sum(np.cos(2 * np.pi * 4 * (np.cos(a) * rows + np.sin(a) * columns)) for a in waves)  # type: ignore[return-value]


def _knot(side: int) -> np.ndarray:
    z, y, x = np.meshgrid(*(np.arange(side) / side - 0.5,) * 3, indexing="ij")
    return np.sin(2 * np.pi * (1.5 * x + y * z * 4)) * np.exp(-3 * z**2)


def _parcel() -> np.ndarray:
    return imread(_sample("Minduka_Present_Blue_Pack.png"))[..., :3].mean(-1) / 255


def _tiles(side: int) -> np.ndarray:
    rows, columns = _plane((side, side))
    places = np.random.default_rng(71).random((9, 3))
    nearest = np.argmin([(rows - y) ** 2 + (columns - x) ** 2 for y, x, _ in places], axis=0)
    return places[nearest, 2]


def _dunes(side: int) -> np.ndarray:
    rows, columns = _plane((side, side))
    phase = 2 * np.pi * (4 * rows + 0.5 * np.sin(2 * np.pi * 1.5 * columns) + columns)
    return np.sin(phase) + 0.4 * np.sin(2 * phase)


def _drum(side: int) -> np.ndarray:
    rows, columns = _plane((side, side))
    modes = ((2, 3, 1.0), (5, 1, 0.7), (4, 6, 0.5), (7, 2, 0.4))
    return sum(a * np.sin(np.pi * m * rows) * np.sin(np.pi * n * columns) for m, n, a in modes)  # type: ignore[return-value]


def _gyroid(side: int) -> np.ndarray:
    z, y, x = np.meshgrid(*(2.6 * np.pi * np.arange(side) / side,) * 3, indexing="ij")
    return np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)


def _heartbeats() -> np.ndarray:
    waves = ((-0.05, 0.015, 0.2), (0.0, 0.006, 1.0), (0.012, 0.005, -0.3), (0.07, 0.025, 0.35))
    centres = (0.11, 0.3, 0.5, 0.68, 0.89)
    return sum(a * _gauss(_time(), c + s, w) for c in centres for s, w, a in waves)  # type: ignore[return-value]


def _digits() -> np.ndarray:
    """Sixteen handwritten digits of scikit-learn on one sheet."""
    return load_digits().images[:16].reshape(4, 4, 8, 8).transpose(0, 2, 1, 3).reshape(32, 32) / 16


def _strata(side: int) -> np.ndarray:
    rows, columns = _plane((side, side))
    layers = np.sin(2 * np.pi * 6 * (rows + 0.06 * np.sin(2 * np.pi * columns)))
    return np.tanh(2 * layers) + 0.5 * np.sin(2 * np.pi * 2.5 * rows)


def _grating(side: int) -> np.ndarray:
    rows, columns = _plane((side, side))
    return np.cos(2 * np.pi * 6 * columns + 1.5 * np.sin(2 * np.pi * rows)) * (0.5 + rows)


def _polygons(side: int) -> np.ndarray:
    rows, columns = _plane((side, side))
    normals = np.random.default_rng(91).normal(size=(7, 2))
    offsets = np.random.default_rng(92).random((7, 2))
    sides = [
        (n[0] * (rows - o[0]) + n[1] * (columns - o[1]) > 0) for n, o in zip(normals, offsets, strict=True)
    ]
    return sum(0.7**k * side for k, side in enumerate(sides))  # type: ignore[return-value]


def _travelling_wave(side: int) -> np.ndarray:
    t, y, x = np.meshgrid(*(np.arange(side) / side,) * 3, indexing="ij")
    return np.sin(2 * np.pi * (2.5 * x - t)) * np.exp(-4 * (y - 0.5) ** 2)


def _ball(side: int) -> np.ndarray:
    z, y, x = np.meshgrid(*(np.arange(side) / side - 0.5,) * 3, indexing="ij")
    return (x**2 + y**2 + (z + 0.05) ** 2 < 0.1).astype(float) * (1 + x)


_make = signals.synthetic
GRIDS: dict[str, Callable[[], np.ndarray]] = {
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
    "glide": lambda: np.cos(2 * np.pi * 18 * np.log1p(1.5 * _time())) * (0.4 + _time()),
    "eeg": lambda: np.fromfile(_sample("eeg.dat"), dtype=float)[:_LINE],
    "stock": lambda: np.asarray(np.load(_sample("goog.npz"))["price_data"]["close"][100 : 100 + _LINE]),
    "stairs": lambda: np.repeat(np.random.default_rng(51).standard_normal(16).cumsum(), _LINE // 16),
    "voices": lambda: sum(
        a * np.sin(2 * np.pi * k * _time() + 2 * k) for k, a in ((4, 1), (6.5, 0.6), (13, 0.8), (22, 0.3))
    ),  # type: ignore[dict-item,return-value]
    "mountains": lambda: resize(_terrain(), (_SIDE, _SIDE), anti_aliasing=True),
    "coffee": lambda: _picture("coffee", _SIDE, (slice(0, 400), slice(0, 400))),
    "crossed waves": lambda: _crossed_waves(_SIDE),
    "tissue": lambda: _picture("immunohistochemistry", _SIDE, _square(0, 256)),
    "cloth": lambda: _cloth(_SIDE),
    "swirl volume": lambda: _swirl(10),
    "ringing": lambda: sum(
        (_time() >= c) * np.exp(-9 * np.maximum(_time() - c, 0)) * np.sin(2 * np.pi * f * (_time() - c))
        for c, f in ((0.0, 8), (0.3, 15), (0.62, 24))
    ),  # type: ignore[dict-item,return-value]
    "row of tissue": lambda: data.immunohistochemistry()[400, :_LINE].mean(-1) / 255,
    "rough path": lambda: _synthetic(_make.power_law((_LINE,), 1.3, seed=52)),
    "square waves": lambda: (
        np.sign(np.sin(2 * np.pi * 4 * _time())) + 0.3 * np.sign(np.sin(2 * np.pi * 11 * _time()))
    ),
    "whistle": lambda: np.sin(2 * np.pi * (14 * _time() + 0.6 * np.sin(2 * np.pi * 3 * _time()))),
    "hopper": lambda: resize(_hopper(), (_SIDE, _SIDE), anti_aliasing=True),
    "disparity": lambda: resize(_disparity(), (_SIDE, _SIDE), anti_aliasing=True),
    "spots": lambda: _spots(_SIDE),
    "aneurysms": lambda: _picture("microaneurysms", _SIDE),
    "motorcycle": lambda: resize(
        data.stereo_motorcycle()[0][100:400, 200:500].mean(-1) / 255, (_SIDE, _SIDE), anti_aliasing=True
    ),
    "shell volume": lambda: _shell(10),
    "drifting tone": lambda: (
        np.sin(2 * np.pi * (7 * _time() + 0.5 * np.sin(2 * np.pi * _time())))
        + 0.4 * np.sin(2 * np.pi * 19 * _time())
    ),
    "ramps": lambda: (4 * _time()) % 1.0 - 0.6 * (_time() > 0.55),
    "membrane": lambda: np.fromfile(_sample("membrane.dat"), dtype=np.float32)[:_LINE].astype(float),
    "roof": lambda: resize(_scene("china.jpg")[40:340, 40:340], (_SIDE, _SIDE), anti_aliasing=True),
    "head": lambda: resize(_head(), (_SIDE, _SIDE), anti_aliasing=True),
    "ripples": lambda: _ripples(_SIDE),
    "cloud volume": lambda: _synthetic(_make.power_law((10, 10, 10), 2.8, seed=61)),
    "sweep": lambda: np.cos(2 * np.pi * (3 * _time() + 16 * _time() ** 3)) * (1.3 - _time()),
    "plateaus": lambda: (
        np.sign(np.sin(2 * np.pi * 3 * _time() + 0.5)) * (1 + _time()) + 0.5 * (_time() > 0.7)
    ),
    "shares": lambda: _shares()[:320],
    "petals": lambda: resize(_scene("flower.jpg")[80:340, 180:440], (_SIDE, _SIDE), anti_aliasing=True),
    "colours": lambda: _picture("colorwheel", _SIDE),
    "lattice": lambda: _lattice(_SIDE),
    "knot volume": lambda: _knot(10),
    "parcel": lambda: resize(_parcel(), (_SIDE, _SIDE), anti_aliasing=True),
    "face": lambda: np.asarray(data.lfw_subset()[0]),
    "portrait": lambda: np.asarray(data.lfw_subset()[20]),
    "snake": lambda: _picture("logo", _SIDE)[..., :3].mean(-1),
    "tiles": lambda: _tiles(36),
    "relief": lambda: _synthetic(_make.power_law((_SIDE, _SIDE), 2.7, seed=72)),
    "dunes": lambda: _dunes(36),
    "drum": lambda: _drum(36),
    "gyroid volume": lambda: _gyroid(10),
    "heartbeats": _heartbeats,
    "row of grass": lambda: np.asarray(data.grass()[100, :_LINE], dtype=np.float64) / 255,
    "crossing chirps": lambda: (
        np.sin(2 * np.pi * (4 * _time() + 12 * _time() ** 2)) + 0.6 * np.cos(2 * np.pi * 20 * _time() ** 1.5)
    ),
    "room": lambda: resize(data.lfw_subset()[150], (_SIDE, _SIDE), anti_aliasing=True),
    "digits": _digits,
    "strata": lambda: _strata(32),
    "grating": lambda: _grating(32),
    "polygons": lambda: _polygons(32),
    "ridged field": lambda: np.abs(_synthetic(_make.power_law((32, 32), 3.0, seed=93))),
    "travelling wave": lambda: _travelling_wave(10),
    "ball volume": lambda: _ball(10),
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


def _sea_floor_points(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    heights = np.load(_sample("topobathy.npz"))["topo"][:64, :64].astype(np.float64)
    return _scattered(heights, generator, 700)


def _peaks_points(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    places = generator.random((700, 2)) * 6 - 3
    x, y = places.T
    peaks = (
        3 * (1 - x) ** 2 * np.exp(-(x**2) - (y + 1) ** 2)
        - 10 * (x / 5 - x**3 - y**5) * np.exp(-(x**2) - y**2)
        - np.exp(-((x + 1) ** 2) - y**2) / 3
    )
    return places, peaks


def _wells_points(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    places = generator.random((700, 2)) * [3.0, 2.0]
    x, y = places.T
    return places, np.tanh(6 * (y - 1 - 0.4 * np.sin(2 * np.pi * x / 1.5))) + 0.5 * np.cos(2 * np.pi * x)


def _petals_points(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return _scattered(resize(_scene("flower.jpg"), (64, 64), anti_aliasing=True), generator, 700)


def _scattered(
    picture: np.ndarray, generator: np.random.Generator, count: int = 900
) -> tuple[np.ndarray, np.ndarray]:
    side = len(picture)
    places = np.stack(np.divmod(generator.choice(side * side, count, replace=False), side), 1)
    return places / side, picture[places[:, 0], places[:, 1]]


def _sombrero_points(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    places = generator.random((700, 2)) * 20 - 10
    return places, np.sinc(np.hypot(places[:, 0] - 2, places[:, 1] + 1) / np.pi)


def _front_points(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    places = generator.random((700, 2))
    distance = np.hypot(places[:, 0] + 0.1, places[:, 1] + 0.1) - 0.7
    return places, np.arctan(30 * distance) + 0.3 * np.sin(2 * np.pi * 2 * places[:, 0])


def _himmelblau_points(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    places = generator.random((700, 2)) * 10 - 5
    x, y = places.T
    return places, np.log1p((x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2)


def _streaks_points(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    places = generator.random((700, 2)) * [1.0, 3.0]
    x, y = places.T
    return places, np.sin(2 * np.pi * (5 * x + 0.2 * np.sin(y))) * (1 + 0.3 * y)


def _cell_points(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return _scattered(_picture("cell", 64), generator, 700)


POINTS: dict[str, Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]] = {
    "camera points": _camera_points,
    "bumps points": _bumps_points,
    "coffee points": _coffee_points,
    "spiral points": _spiral_points,
    "rocket points": _rocket_points,
    "franke points": _franke_points,
    "sea floor points": _sea_floor_points,
    "peaks points": _peaks_points,
    "sombrero points": _sombrero_points,
    "front points": _front_points,
    "himmelblau points": _himmelblau_points,
    "streaks points": _streaks_points,
    "cell points": _cell_points,
    "wells points": _wells_points,
    "petals points": _petals_points,
}


def _columns(generator: np.random.Generator, axes: int, count: int = 1200) -> np.ndarray:
    """Columns of a table, some skewed."""
    columns = generator.normal(size=(count, axes))
    columns[:, ::3] = np.exp(0.7 * columns[:, ::3])
    return columns


def _waves_table(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = _columns(generator, 4)
    return x, np.sin(4 * x[:, 1]) + 0.5 * x[:, 2] * np.tanh(x[:, 3])


def _thresholds_table(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = _columns(generator, 6)
    return x, 1.0 * (x[:, 1] > 0.3) + 0.7 * (x[:, 2] > -0.5) * (x[:, 4] < 0.8) + 0.2 * x[:, 5]


def _friedman_table(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = generator.random((1200, 8))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    return x, y


def _seasons_table(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = np.column_stack([generator.random(1200) * 365, generator.random(1200) * 24, _columns(generator, 3)])
    day = 2 * np.pi * x[:, 0] / 365
    return x, np.sin(day) + 0.6 * np.sin(2 * np.pi * x[:, 1] / 12) * (1 + np.cos(day)) + 0.4 * x[:, 3]


def _bands_table(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = _columns(generator, 3)
    return x, np.floor(3 * x[:, 1]) % 2 + 0.5 * np.abs(x[:, 2])


def _products_table(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = _columns(generator, 7)
    return x, x[:, 1] * x[:, 2] + np.sin(2 * x[:, 4]) * x[:, 5]


TABLES: dict[str, Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]] = {
    "waves table": _waves_table,
    "thresholds table": _thresholds_table,
    "friedman table": _friedman_table,
    "diabetes table": lambda _: load_diabetes(return_X_y=True, scaled=False),
    "seasons table": _seasons_table,
    "bands table": _bands_table,
    "products table": _products_table,
    "tumour table": lambda _: (load_breast_cancer().data[:, :9], load_breast_cancer().data[:, 9]),
}
