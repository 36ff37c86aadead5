"""Batteries of signals and networks: rules may be designed on A and, since it was opened, on B; C came afterwards.

F has other activations with frequencies, dense grids, and periodic embeddings of tables; one half was sealed before a
run was made. G, Gaussian and positional features of both lengths, was listed before a run was made, to judge which
bandwidths of unlike axes may be tried.

C judges the rules for sines and hash grids that were designed when A and B were known. A, B and C have small networks
and short runs; D has the network and the steps that a fit takes if nothing is said, and two seeds of some cases. One
half was sealed before a run was made. E, pictures, points and a volume with the network and the steps of D, was listed
before a run was made: it is to judge how many steps the regressions count, which was designed when D was known. No
signal of one battery is in another. Each case is one signal with its noise, one kind of network, one length of the run
and one seed; 1-D, 2-D, 3-D and scattered samples, made and real ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
import torch

from benchmarks.steer.samples import GRIDS, POINTS, TABLES
from overtone import signals
from overtone._config import Activation, EncodingKind, ModelConfig
from overtone.planning import _run_size as planning_size
from overtone.signals import Geometry, Grid, Signal

WIDTH, DEPTH = 64, 3
"""Units, features and layers of the networks of short runs: small, so that 90 cases can be searched through."""

HELD_OUT, TEST = 0.1, 0.2
"""Parts of the samples held out for choosing and stopping, and set apart for the test error."""

SHORT, LONG, USUAL = 200, 600, planning_size.STEPS
"""Steps of the lengths of run; the last is that of a fit if nothing is said."""

RATES = {"sine": 1e-3, "finer": 1e-3}
"""Learning rates of Adam in short runs, 0.002 of the others."""

NETWORKS = {
    "g": "gaussian",
    "p": "positional",
    "s": "sine",
    "h": "hash",
    "f": "finer",
    "w": "gabor",
    "b": "gauss",
    "d": "dense",
    "t": "periodic",
}
"""Kinds of networks by their letter in a battery."""

CELLS, LOCALISED = ("hash", "dense"), ("gabor", "gauss")
ONE_FREQUENCY = ("sine", "finer", *LOCALISED)
"""Networks with one frequency for all axes."""


@final
@dataclass(frozen=True)
class Case:
    """One case of a battery.

    Attributes:
        signal: Name of the signal.
        noise: Standard deviation of the noise as a part of the signal's range.
        network: One of `NETWORKS`.
        steps: Length of the run.
        seed: Seeds networks, noise and masks.
    """

    signal: str
    noise: float
    network: str
    steps: int
    seed: int = 0

    @property
    def name(self) -> str:
        """The case in words."""
        seed = f", seed {self.seed}" if self.steps == USUAL else ""
        return f"{self.signal}, {self.noise:.0%} noise, {self.network}, {self.steps} steps{seed}"

    @property
    def width(self) -> int:
        """Units of a layer, and frequencies."""
        if self.steps != USUAL:
            return WIDTH
        # The usual ones take five times as long on pictures, volumes and points.
        return planning_size.WIDTH if self.group == "1-D" else planning_size.NARROW_WIDTH

    @property
    def rate(self) -> float:
        """Learning rate of Adam."""
        return planning_size.LEARNING_RATE if self.steps == USUAL else RATES.get(self.network, 2e-3)

    @property
    def group(self) -> str:
        """Kind of the samples, by which constants are compared."""
        return GROUPS[self.signal]

    @property
    def batch(self) -> int | None:
        """Samples per step; of the largest pictures only a part."""
        return 1024 if self.signal in LARGE else None


def _cases(rows: str, seed: int = 0) -> tuple[Case, ...]:
    """Cases from lines of `signal | network noise length seeds, network noise length seeds ...`."""
    lengths = {"short": SHORT, "long": LONG, "usual": USUAL}
    cases = []
    for row in rows.strip().splitlines():
        signal, _, runs = row.partition("|")
        for run in runs.split(","):
            network, noise, length, *seeds = run.split()
            cases += [
                Case(signal.strip(), float(noise) / 100, NETWORKS[network], lengths[length], int(one))
                for one in seeds or [seed]
            ]
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

THIRD = _cases(
    """
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
""",
    seed=1,
)

USUAL_DESIGN = _cases("""
glide | g 0 usual 5 6
eeg | g 3 usual 5
stock | g 0 usual 5 6
stairs | p 3 usual 5
voices | s 0 usual 5
mountains | g 0 usual 5 6
coffee | g 10 usual 5
crossed waves | g 3 usual 5
tissue | p 0 usual 5
cloth | h 0 usual 5
sea floor points | g 3 usual 5 6
swirl volume | g 0 usual 5
""")

USUAL_SEALED = _cases("""
ringing | g 0 usual 5 6
row of tissue | g 3 usual 5
rough path | g 10 usual 5 6
square waves | p 0 usual 5
whistle | s 3 usual 5
hopper | g 0 usual 5
disparity | g 3 usual 5 6
spots | g 10 usual 5
aneurysms | p 0 usual 5
motorcycle | h 0 usual 5
peaks points | g 0 usual 5 6
shell volume | g 3 usual 5
""")

USUAL_PICTURES = _cases("""
parcel | g 0 usual 7
face | g 3 usual 7
tiles | g 0 usual 7
portrait | g 10 usual 7
relief | g 0 usual 7
dunes | g 3 usual 7
snake | g 3 usual 7
drum | g 10 usual 7
sombrero points | g 3 usual 7
front points | g 0 usual 7
gyroid volume | g 3 usual 7
parcel | g 0 usual 8
face | g 3 usual 8
tiles | g 0 usual 8
relief | g 0 usual 8
sombrero points | g 3 usual 8
""")

SEVENTH = _cases(
    """
heartbeats | g 0 long, p 3 long
row of grass | g 3 long, g 0 usual
crossing chirps | g 10 long
room | p 3 long, g 3 usual
digits | g 0 long, g 10 usual
strata | g 3 long, g 0 usual
grating | g 0 long
polygons | p 0 long, g 3 usual
ridged field | g 10 long, p 0 usual
travelling wave | g 3 long
ball volume | p 0 long, g 0 usual
himmelblau points | g 0 long, g 10 usual
streaks points | g 3 long
cell points | p 3 long, g 0 usual
""",
    seed=9,
)

FAMILIES_DESIGN = _cases(
    """
drifting tone | f 0 long, b 0 long, d 3 long
ramps | w 3 long, d 0 long, f 10 long
membrane | f 3 long, w 0 long, b 10 long, d 10 long
roof | f 0 long, w 10 long, b 0 long, d 0 long
head | f 10 long, w 0 long, b 3 long, d 3 long
ripples | f 3 long, w 3 long, b 0 long, d 0 long
cloud volume | f 0 long, w 0 long, b 3 long
wells points | f 0 long, w 3 long, b 0 long, d 0 long
drifting tone | w 0 long
waves table | t 0 long
thresholds table | t 10 long
friedman table | t 3 long
diabetes table | t 0 long
""",
    seed=2,
)

FAMILIES_SEALED = _cases(
    """
sweep | f 3 long, w 0 long, b 3 long, d 0 long
plateaus | f 0 long, w 3 long, b 0 long
shares | f 0 long, b 0 long, d 3 long
petals | f 3 long, w 0 long, b 10 long, d 10 long
colours | f 0 long, w 10 long, b 0 long, d 0 long
lattice | f 10 long, w 0 long, b 3 long, d 3 long
knot volume | f 3 long, w 3 long, b 0 long, d 0 long
petals points | f 0 long, w 0 long, b 3 long, d 3 long
shares | w 10 long
plateaus | d 10 long
seasons table | t 0 long
bands table | t 3 long
products table | t 10 long
tumour table | t 0 long
""",
    seed=2,
)

BATTERIES = {
    "design": DESIGN,
    "sealed": SEALED,
    "third": THIRD,
    "usual design": USUAL_DESIGN,
    "usual sealed": USUAL_SEALED,
    "usual pictures": USUAL_PICTURES,
    "seventh": SEVENTH,
    "families design": FAMILIES_DESIGN,
    "families sealed": FAMILIES_SEALED,
}

LARGE = ("camera 256", "cell 256")
"""Pictures of 256 x 256 pixels."""

STRETCHED = ("stripes", "waves along x", "moving blob")
"""Signals whose axes differ; their trained grid also holds bandwidths of other shapes."""


def _group(name: str) -> str:
    if name in TABLES:
        return "table"
    if name in POINTS:
        return "scattered"
    return {1: "1-D", 2: "2-D", 3: "3-D"}[min(3, _axes(name))]


def _axes(name: str) -> int:
    values = GRIDS[name]()
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
    if name in POINTS or name in TABLES:
        places, values = (POINTS | TABLES)[name](generator)
        values = values[:, None]
    else:
        values = GRIDS[name]()
    noisy = values + noise * np.ptp(values) * generator.normal(size=values.shape)
    clean = torch.from_numpy(values.astype(np.float32))
    if places is not None:
        signal: Signal[Geometry] = signals.points(
            places, noisy.astype(np.float32), kind="table" if name in TABLES else "points"
        )
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


def model(case: Case, bandwidth: tuple[float, ...] | None) -> ModelConfig:
    """Settings of the network of a case.

    Args:
        case: The case.
        bandwidth: Per axis, in cycles per unit.
    """
    size = {"width": case.width, "depth": DEPTH, "features": case.width}
    match case.network:
        case "sine" | "finer" | "gabor" | "gauss":
            return ModelConfig(EncodingKind.NONE, bandwidth, (Activation(case.network),), **size)  # type: ignore[arg-type]
        case "hash" | "dense":
            return ModelConfig(EncodingKind(f"{case.network}-grid"), bandwidth, **size)  # type: ignore[arg-type]
        case _:
            return ModelConfig(EncodingKind(case.network), bandwidth, **size)  # type: ignore[arg-type]


def nyquist_cycles(signal: Signal[Geometry]) -> tuple[float, ...]:
    """Nyquist frequency per axis in cycles per extent; of scattered samples, as if they lay evenly."""
    places = signal.geometry
    if isinstance(places, Grid):
        return tuple(n * e for n, e in zip(places.nyquist, places.extent, strict=True))
    axes = len(places.extent)
    return (len(signal.values) ** (1 / axes) / 2,) * axes


def grid(case: Case) -> list[tuple[float, ...]]:
    """The bandwidths that are trained, per axis in cycles per extent, a factor of 2 apart.

    From a quarter of a cycle, for localised activations 1/16, to half of Nyquist, of hash and dense grids an octave
    more, of tables from 1/16 to 8 cycles; the same part of Nyquist on every axis, and for signals of unlike axes also
    stretched by 4 and 16 along each. Runs of the usual length are too dear for the lowest rungs: series begin at 1
    cycle, pictures and points at half a cycle.
    """
    limit = nyquist_cycles(build(case.signal, 0.0))
    if case.group == "table":
        return [(2.0**k,) * len(limit) for k in range(-4, 4)]
    middle = math.exp(sum(map(math.log, limit)) / len(limit))
    top = middle / 2 * (2 if case.network in CELLS else 1)
    count = math.floor(math.log2(top / 0.25))
    skipped = {"1-D": 2, "2-D": 1, "scattered": 1}.get(case.group, 0) if case.steps == USUAL else 0
    # Layers of localised activations multiply frequencies most.
    first = -2 if case.network in LOCALISED else skipped
    levels = [0.25 * 2**k for k in range(first, count + 1)]
    candidates = [tuple(c * n / middle for n in limit) for c in levels]
    if case.signal not in STRETCHED or case.network in ONE_FREQUENCY:
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
