"""The plan for a signal: encoding, bandwidth, size, stop, and what to expect."""

from __future__ import annotations

import functools
import math
import sys
from typing import Any, NamedTuple

import torch
from torch import Tensor

from overtone._utils.seeding import derive
from overtone._utils.text import difference, per_axis, plural
from overtone._utils.torch_defaults import standard
from overtone.errors import RunError
from overtone.nn import EncodingKind
from overtone.nn._build import build_encoding_on
from overtone.planning._bandwidth import bandwidth_grid, geometric_mean, isotropic, recommend_bandwidth
from overtone.planning._held_out import ensure_held_out, expected_psnr, tie_threshold_db
from overtone.planning._plan import (
    PATIENCE,
    UNWORTHY,
    Alternative,
    Plan,
    hope_sentence,
    stop_sentence,
    worth_sentence,
)
from overtone.planning._run_size import STEPS, Budget, RunSize, run_size
from overtone.planning._scan import measure_noise
from overtone.planning._scattered_plan import plan_scattered
from overtone.signals import Geometry, Grid, Signal, validate
from overtone.spectra import NoiseFloor, NoiseVerdict
from overtone.theory import kernel_regression
from overtone.theory.kernel_regression._compare import TIE_DB, comparison_tiles

TILE = 2048
"""Samples of a tile on which candidates are compared; signals up to twice as large are taken whole."""

ROUNDING = 1e-24
"""Square error, in peaks squared, below which all errors are alike."""

DARE_DB = 1.0
"""How much better a bandwidth beyond an eighth of Nyquist has to be."""


@standard()
def choose(
    signal: Signal[Geometry],
    budget: Budget | None = None,
    *,
    noise: NoiseFloor | None = None,
    extent: RunSize | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Plan:
    """Plan a fit from the signal's own samples: a comparison of kernel twins on held-out samples, without training.

    The spectrum above the noise floor recommends a bandwidth (`recommend_bandwidth`). Around it, rungs a factor 2^(2/3)
    apart are compared by the held-out error of their kernel twins (`theory.kernel_regression`), with its
    frequencies, each at its best time. The twin is flat around its optimum, so the geometric middle is taken of all
    rungs within max(0.15, 4.34 / sqrt(n)) dB of the best for n held-out values: the second is what chance does to
    the ratio of two such errors. Rungs beyond an eighth of Nyquist count only if they are better by 1 dB. A clean
    signal that is to be learned in fewer than 2,000 steps gets the highest rung within 0.15 dB if that is more,
    whatever part of Nyquist it is: the twin has all the time it wants, a short run learns best what lies well within
    reach. The same race then compares the other shape (the same part of Nyquist on every axis) and the positional
    encoding.

    Scattered samples and tables are planned by their own rule, see `planning.scattered`.

    Cost: N log N for the spectrum and the noise floor, and a constant for the race, which looks at tiles of a large
    signal.

    Args:
        signal: What will be learned. Where it holds out no samples, a tenth is held out for judging.
        budget: What the fit may cost; 2,000 steps of a network of 256 units unless said.
        noise: The noise floor, if it is known already.
        extent: The network and the run, if they are decided already; `budget` is not looked at then.
        seed: Seeds frequencies and the held-out samples.
        device: Where the fit will run, for budgets in seconds.

    Returns:
        The plan.

    Raises:
        InputError: If it is no signal, or the budget does not pay for the smallest network; says what would be enough.
    """
    geometry = validate(signal).geometry
    return _choose(geometry, signal, budget or Budget(), noise, extent, seed, device)


@functools.singledispatch
def _choose(
    _: Geometry,
    signal: Signal[Any],
    budget: Budget,
    _noise: NoiseFloor | None,
    extent: RunSize | None,
    seed: int,
    device: torch.device | str,
) -> Plan:
    return plan_scattered(signal, budget, extent=extent, seed=seed, device=device)


@_choose.register(Grid)
def _(
    _: Grid,
    signal: Signal[Grid],
    budget: Budget,
    noise: NoiseFloor | None,
    extent: RunSize | None,
    seed: int,
    device: torch.device | str,
) -> Plan:
    floor = noise or measure_noise(signal)
    recommended = recommend_bandwidth(signal, floor)
    judged = ensure_held_out(signal, seed)
    extent = extent or run_size(signal if judged is None else judged, budget, device)
    reasons = [*recommended.reasons, *_flat(signal)]
    if judged is None:
        why = f"{len(signal.values)} samples are too few to hold any out: the bandwidth is the spectrum's alone."
        return _plan(EncodingKind.GAUSSIAN, recommended.bandwidth, extent, True, [*reasons, why], ())
    try:
        swift = floor.verdict is NoiseVerdict.CLEAN and extent.steps < STEPS
        found = _race(judged, recommended.bandwidth, extent, swift, seed)
    except RunError as problem:
        why = f"No twin settled ({problem.got}): the bandwidth is that of the spectrum alone."
        return _plan(EncodingKind.GAUSSIAN, recommended.bandwidth, extent, True, [*reasons, why], ())
    variance = float(floor.std.square().mean()) if floor.verdict is NoiseVerdict.NOISE else 0.0
    if not found.baseline > 0:
        why = (
            "The samples held out for judging are all alike where the signal was looked at: the bandwidth is that of "
            "the spectrum alone."
        )
        return _plan(EncodingKind.GAUSSIAN, recommended.bandwidth, extent, True, [*reasons, why], ())
    gain = 1 - found.error / found.baseline
    worth = gain > max(0.01, 2 / math.sqrt(found.held_out))
    reasons += [*found.reasons, worth_sentence(gain, worth)]
    hope = expected_psnr(found.error, variance, found.held_out, signal.peak)
    reasons += [hope_sentence(hope, extent), stop_sentence()]
    plan = _plan(EncodingKind.GAUSSIAN, found.bandwidth, extent, worth, reasons, found.alternatives)
    return Plan(**{**vars(plan), "expected": hope})


class _Found(NamedTuple):
    bandwidth: tuple[float, ...]
    error: float
    baseline: float
    held_out: int
    alternatives: tuple[Alternative, ...]
    reasons: tuple[str, ...]


def _race(signal: Signal, begin: tuple[float, ...], extent: RunSize, swift: bool, seed: int) -> _Found:
    grid, start = signal.geometry, derive(seed, "encoding")

    def model(family: EncodingKind, bandwidth: tuple[float, ...]) -> kernel_regression.NTKModel:
        return kernel_regression.NTKModel.from_encoding(
            build_encoding_on(grid, family, extent.features, bandwidth, start), grid, depth=extent.depth
        )

    steps = bandwidth_grid(begin, grid)
    first = kernel_regression.compare(
        signal, [model(EncodingKind.GAUSSIAN, b) for b in steps.rungs], samples=TILE
    )
    baseline, held_out = _baseline(signal)
    near = tie_threshold_db(held_out)
    db = (10 * first.error.clamp_min(max(ROUNDING * signal.peak**2, sys.float_info.min)).log10()).tolist()
    low, high, daring = _tied(db, len(steps.usual), near)
    bandwidth = geometric_mean(steps.rungs[low], steps.rungs[high])
    taken = "the middle is taken" if high > low else "it is taken"
    first_tied, top = _within(db, range(len(db)), TIE_DB)
    if swift and max(a / b for a, b in zip(steps.rungs[top], bandwidth, strict=True)) > 1:
        low, high, near, daring = first_tied, top, TIE_DB, False
        bandwidth, taken = (
            steps.rungs[top],
            f"a run of {plural(extent.steps, 'step')} learns most with the highest",
        )
    others = [(EncodingKind.POSITIONAL, bandwidth)]
    if len(bandwidth) > 1:
        others.append((EncodingKind.GAUSSIAN, isotropic(bandwidth, grid)))
    entries = [(EncodingKind.GAUSSIAN, bandwidth), *others]
    second = kernel_regression.compare(signal, [model(*entry) for entry in entries], samples=TILE)
    error = second.error.tolist()
    error[0] = error[0] if math.isfinite(error[0]) else float(first.error[first.best])
    chosen = 0
    if len(error) == 3 and error[2] < error[0] * 10 ** (-DARE_DB / 10):
        chosen = 2
    listed = [
        *((EncodingKind.GAUSSIAN, b, float(e)) for b, e in zip(steps.rungs, first.error, strict=True)),
        *((*entries[i], error[i]) for i in range(len(entries)) if i != chosen),
    ]
    ranked = sorted((e, f.value, b) for f, b, e in listed if math.isfinite(e) and e > 0)
    alternatives = tuple(
        Alternative(EncodingKind(name), b, 10 * math.log10(signal.peak**2 / e)) for e, name, b in ranked
    )
    reasons = ladder_reasons(
        steps.rungs, low, high, near, db, daring, first.samples, grid.frequency_unit, taken
    )
    return _Found(entries[chosen][1], error[chosen], baseline, held_out, alternatives, reasons)


def _tied(db: list[float], usual: int, near: float) -> tuple[int, int, bool]:
    """First and last rung within `near` of the best, and whether those beyond an eighth of Nyquist were taken."""
    level = [e if math.isfinite(e) else math.inf for e in db]
    best, beyond = min(level[:usual]), min(level[usual:], default=math.inf)
    daring = beyond < best - DARE_DB
    pool = range(usual, len(level)) if daring else range(usual)
    return *_within(db, pool, near), daring


def _within(db: list[float], pool: range, near: float) -> tuple[int, int]:
    """First and last rung of the pool within `near` of its best."""
    least = min(db[i] for i in pool if math.isfinite(db[i]))
    inside = [i for i in pool if db[i] <= least + near]
    return inside[0], inside[-1]


def _baseline(signal: Signal) -> tuple[float, int]:
    """Mean square error of the training mean on the held-out samples of the tiles, and the number of values."""
    flat = torch.arange(len(signal.values), device=signal.values.device).reshape(signal.geometry.shape)
    seen = torch.zeros(len(signal.values), dtype=torch.bool, device=signal.values.device)
    for box in comparison_tiles(signal.geometry.shape, TILE, signal.values):
        seen[flat[box].reshape(-1)] = True
    held: Tensor = signal.held_out_index[seen[signal.held_out_index]]
    mean = signal.values[signal.train_index].double().mean(0)
    wrong = (signal.values[held].double() - mean).square()
    return float(wrong.mean()), wrong.numel()


def _plan(
    family: EncodingKind,
    bandwidth: tuple[float, ...],
    extent: RunSize,
    worth: bool,
    reasons: list[str],
    alternatives: tuple[Alternative, ...],
) -> Plan:
    loss = "mean square"
    return Plan(
        worth,
        family,
        bandwidth,
        extent.features,
        extent.width,
        extent.depth,
        loss,
        extent.lr,
        extent.steps,
        extent.batch,
        PATIENCE,
        None,
        alternatives,
        (*reasons, *extent.reasons),
        (*extent.warnings, *(() if worth else (UNWORTHY,))),
    )


def _flat(signal: Signal) -> list[str]:
    """A sentence for each axis along which nothing changes."""
    field = signal.grid_values
    still = [a for a in range(field.ndim - 1) if not bool((field != field.narrow(a, 0, 1)).any())]
    return [f"Nothing changes along axis {axis}: it gets the least bandwidth there is." for axis in still]


def ladder_reasons(
    rungs: tuple[tuple[float, ...], ...],
    low: int,
    high: int,
    near: float,
    db: list[float],
    daring: bool,
    samples: int,
    unit: str,
    taken: str,
) -> tuple[str, ...]:
    """What the ladder showed, in sentences.

    Args:
        rungs: The bandwidths compared, ascending.
        low: The first rung that is taken for as good as the best.
        high: The last one.
        near: Within how many dB.
        db: Held-out error of each rung, in dB.
        daring: Whether the best lies beyond what the sampling supports.
        samples: That were looked at.
        unit: Of the bandwidths.
        taken: Which of them is taken, in words.
    """
    settled = [i for i, e in enumerate(db) if math.isfinite(e)]
    worst, best = max(settled, key=lambda i: db[i]), min(db[low : high + 1])
    beyond_it = best - min(db[i] for i in settled)
    named, loses = "the best", f" The worst, {per_axis(rungs[worst])}, loses {difference(db[worst] - best)}."
    if beyond_it > 0:
        gain = difference(beyond_it)
        named = f"the best up to an eighth of Nyquist (beyond, {gain} better is too little to be believed)"
    if high > low:
        tied = f"those from {per_axis(rungs[low])} to {per_axis(rungs[high])} are"
    else:
        tied = f"{per_axis(rungs[low])} alone is" if len(rungs) > 1 else "it is"
    if db[worst] - best <= near:
        tied, loses = "all are" if len(rungs) > 1 else "it is", ""
        taken = taken.replace(
            "the middle is taken", f"the middle of those up to {per_axis(rungs[high])} is taken"
        )
    text = (
        f"Of {plural(len(rungs), 'bandwidth')} from {per_axis(rungs[0])} to {per_axis(rungs[-1])} {unit}, {tied} "
        f"within {near:.2g} dB of {named} on held-out samples "
        f"(kernel twins, {samples} samples); {taken}.{loses}"
    )
    beyond = (
        (f"Beyond an eighth of Nyquist it gains more than {DARE_DB:g} dB, which is believed.",)
        if daring
        else ()
    )
    return (text, *beyond)
