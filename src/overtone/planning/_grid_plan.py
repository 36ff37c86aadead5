"""`plan`: encoding, bandwidth, size, stopping rule and expected quality for a signal; the search on grids."""

from __future__ import annotations

import functools
import math
import sys
from typing import Any, NamedTuple

import torch
from torch import Tensor

from overtone._config import EncodingKind
from overtone._utils.seeding import derive_seed
from overtone._utils.statistics import psnr_from_error
from overtone._utils.torch_defaults import standard
from overtone.errors import RunError
from overtone.nn._build import build_encoding_on
from overtone.planning._bandwidth import bandwidth_grid, geometric_mean, isotropic, recommend_bandwidth
from overtone.planning._held_out import ensure_held_out, expected_psnr, tie_threshold_db
from overtone.planning._plan import Alternative, Plan, is_recommended, make_plan, outcome_reasons
from overtone.planning._reasons import EXTENSION_DB, BandwidthChoice, Reason, ReasonCode
from overtone.planning._run_size import STEPS, Budget, RunSize, run_size
from overtone.planning._scan import measure_noise
from overtone.planning._scattered_plan import plan_scattered
from overtone.signals import Geometry, Grid, Signal, validate
from overtone.spectra import NoiseFloor, NoiseVerdict

TILE = 2048
"""Samples of a tile on which candidates are compared; signals up to twice as large are taken whole."""

ROUNDING = 1e-24
"""Square error, in peaks squared, below which all errors are equal."""


@standard()
def plan(
    signal: Signal[Geometry],
    budget: Budget | None = None,
    *,
    noise: NoiseFloor | None = None,
    size: RunSize | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Plan:
    """Plan a fit from the signal's own samples: kernel regressions compared on held-out samples, without training.

    The spectrum above the noise floor recommends a bandwidth (`recommend_bandwidth`). Around it, candidates a factor
    2^(2/3) apart are compared by the held-out error of NTK regression (`theory.kernel_regression`) with the encoding's
    own frequencies, each at its best time. That error is flat around its optimum, so the geometric mean is taken of all
    candidates within max(0.15, 4.34 / sqrt(n)) dB of the best for n held-out values: the second is what chance does to
    the ratio of two such errors. Candidates above an eighth of Nyquist count only if they are better by 1 dB. A clean
    signal that is to be learned in fewer than 2,000 steps gets the highest candidate within 0.15 dB if that is more,
    whatever part of Nyquist it is: the regression is evaluated at its best time however late, a short run learns best
    the frequencies far below its bandwidth. A second comparison tries the isotropic shape (the same part of Nyquist on
    every axis) and the positional encoding.

    Scattered samples and tables are planned by held-out error alone, from an eighth of a cycle per extent upwards.

    Cost: N log N for the spectrum and the noise floor, and a constant for the comparison, which uses tiles of a large
    signal.

    Args:
        signal: The signal to learn. Where it holds out no samples, a tenth is held out.
        budget: Budget of the fit; 2,000 steps of a network of 256 units if None.
        noise: The noise floor, if it is known already.
        size: Network and run, if they are decided already; `budget` is ignored then.
        seed: Seeds frequencies and the held-out samples.
        device: Device of the fit, for budgets in seconds.

    Returns:
        The plan.

    Raises:
        InputError: If it is no signal, or the budget does not pay for the smallest network; says what would be enough.

    Example:
        >>> import overtone as ot
        >>> rows = ot.signals.synthetic.power_law((16, 16), 3.0, seed=0)
        >>> result = ot.plan(rows, ot.planning.Budget(steps=300))
        >>> result.recommended, result.encoding.value, result.steps
        (True, 'gaussian', 300)
    """
    return _plan_at(validate(signal).geometry, signal, budget or Budget(), noise, size, seed, device)


@functools.singledispatch
def _plan_at(
    _: Geometry,
    signal: Signal[Any],
    budget: Budget,
    _noise: NoiseFloor | None,
    size: RunSize | None,
    seed: int,
    device: torch.device | str,
) -> Plan:
    return plan_scattered(signal, budget, size=size, seed=seed, device=device)


@_plan_at.register(Grid)
def _(
    _: Grid,
    signal: Signal[Grid],
    budget: Budget,
    noise: NoiseFloor | None,
    size: RunSize | None,
    seed: int,
    device: torch.device | str,
) -> Plan:
    floor = noise or measure_noise(signal)
    recommended = recommend_bandwidth(signal, floor)
    split = ensure_held_out(signal, seed)
    size = size or run_size(signal if split is None else split, budget, device)
    reasons = [*recommended.reasons, *_constant_axes(signal)]

    def spectrum_alone(code: ReasonCode, **values: Any) -> Plan:
        """The plan where nothing could be compared."""
        return make_plan(EncodingKind.GAUSSIAN, recommended.bandwidth, size, [*reasons, Reason(code, values)])

    if split is None:
        return spectrum_alone(ReasonCode.TOO_FEW_SAMPLES, samples=len(signal.values), fallback="spectrum")
    try:
        short_and_clean = floor.verdict is NoiseVerdict.CLEAN and size.steps < STEPS
        best = _search(split, recommended.bandwidth, size, short_and_clean, seed)
    except RunError as problem:
        return spectrum_alone(ReasonCode.NOT_SETTLED, detail=str(problem.got))
    if not best.baseline > 0:
        return spectrum_alone(ReasonCode.CONSTANT_HELD_OUT)
    explained = 1 - best.error / best.baseline
    worthwhile = is_recommended(explained, best.held_out)
    variance = float(floor.std.square().mean()) if floor.verdict is NoiseVerdict.NOISE else 0.0
    expected = expected_psnr(best.error, variance, best.held_out, signal.peak)
    return make_plan(
        EncodingKind.GAUSSIAN,
        best.bandwidth,
        size,
        [*reasons, *best.reasons, *outcome_reasons(explained, worthwhile, expected, size)],
        recommended=worthwhile,
        expected=expected,
        alternatives=best.alternatives,
    )


class _SearchResult(NamedTuple):
    bandwidth: tuple[float, ...]
    error: float
    baseline: float
    held_out: int
    alternatives: tuple[Alternative, ...]
    reasons: tuple[Reason, ...]


def _search(
    signal: Signal[Grid], center: tuple[float, ...], size: RunSize, short_and_clean: bool, seed: int
) -> _SearchResult:
    """Compare bandwidths around `center`, then shapes and encodings at the best one."""
    from overtone.theory import kernel_regression
    from overtone.theory.kernel_regression._compare import TIE_DB

    grid, start = signal.geometry, derive_seed(seed, "encoding")

    def model(kind: EncodingKind, bandwidth: tuple[float, ...]) -> kernel_regression.NTKModel:
        return kernel_regression.NTKModel.from_encoding(
            build_encoding_on(grid, kind, size.features, bandwidth, start), grid, depth=size.depth
        )

    # 1. Held-out error of every candidate bandwidth, in dB; errors at rounding level count as equal.
    candidates = bandwidth_grid(center, grid)
    first = kernel_regression.compare(
        signal, [model(EncodingKind.GAUSSIAN, b) for b in candidates.candidates], samples=TILE
    )
    smallest = max(ROUNDING * signal.peak**2, sys.float_info.min)
    db = (10 * first.error.clamp_min(smallest).log10()).tolist()
    baseline, held_out = _baseline(signal)
    # 2. The error is flat around its optimum: the middle of all that chance cannot tell from the best is safest.
    tied = _select(db, candidates.candidates, len(candidates.regular), tie_threshold_db(held_out))
    if short_and_clean:
        # The regression is judged at its best time, however late; a short run needs frequencies well within its
        # bandwidth, and without noise a higher bandwidth has no cost.
        low, high = _within(db, range(len(db)), TIE_DB)
        top = candidates.candidates[high]
        if max(a / b for a, b in zip(top, tied.bandwidth, strict=True)) > 1:
            tied = _Tied(low, high, TIE_DB, False, top, BandwidthChoice.HIGHEST)
    # 3. Other shapes and encodings at that bandwidth.
    entries = [(EncodingKind.GAUSSIAN, tied.bandwidth), (EncodingKind.POSITIONAL, tied.bandwidth)]
    if len(tied.bandwidth) > 1:
        entries.append((EncodingKind.GAUSSIAN, isotropic(tied.bandwidth, grid)))
    second = kernel_regression.compare(signal, [model(*entry) for entry in entries], samples=TILE)
    error = second.error.tolist()
    error[0] = error[0] if math.isfinite(error[0]) else float(first.error[first.best])
    # The positional encoding is only listed; the isotropic shape replaces the measured one if it is clearly better.
    chosen = 2 if len(error) == 3 and error[2] < error[0] * 10 ** (-EXTENSION_DB / 10) else 0
    compared = [
        *(
            (EncodingKind.GAUSSIAN, b, float(e))
            for b, e in zip(candidates.candidates, first.error, strict=True)
        ),
        *((*entries[i], error[i]) for i in range(len(entries)) if i != chosen),
    ]
    ranked = sorted((e, kind.value, b) for kind, b, e in compared if math.isfinite(e) and e > 0)
    alternatives = tuple(
        Alternative(EncodingKind(name), b, psnr_from_error(e, signal.peak)) for e, name, b in ranked
    )
    reasons = comparison_reasons(
        candidates.candidates, db, tied, first.samples, grid.frequency_unit, size.steps
    )
    return _SearchResult(entries[chosen][1], error[chosen], baseline, held_out, alternatives, reasons)


class _Tied(NamedTuple):
    """Candidates as good as the best: indices of the first and last, the tolerance, and the bandwidth used."""

    low: int
    high: int
    tolerance_db: float
    extended: bool
    bandwidth: tuple[float, ...]
    choice: BandwidthChoice


def _select(
    db: list[float], candidates: tuple[tuple[float, ...], ...], regular: int, tolerance_db: float
) -> _Tied:
    """The geometric mean of the candidates within the tolerance of the best.

    Args:
        db: Held-out error of each candidate, in dB.
        candidates: The bandwidths, ascending.
        regular: How many of them lie within an eighth of Nyquist.
        tolerance_db: Difference that chance makes.
    """
    level = [e if math.isfinite(e) else math.inf for e in db]
    # Above an eighth of Nyquist held-out samples next to training samples flatter the error: a clear gain is asked.
    extended = min(level[regular:], default=math.inf) < min(level[:regular]) - EXTENSION_DB
    low, high = _within(db, range(regular, len(level)) if extended else range(regular), tolerance_db)
    choice = BandwidthChoice.GEOMETRIC_MEAN if high > low else BandwidthChoice.SINGLE
    return _Tied(low, high, tolerance_db, extended, geometric_mean(candidates[low], candidates[high]), choice)


def _within(db: list[float], pool: range, tolerance_db: float) -> tuple[int, int]:
    """First and last candidate of the pool within the tolerance of its best."""
    best = min(db[i] for i in pool if math.isfinite(db[i]))
    inside = [i for i in pool if db[i] <= best + tolerance_db]
    return inside[0], inside[-1]


def _baseline(signal: Signal[Grid]) -> tuple[float, int]:
    """Mean square error of the training mean on the held-out samples of the tiles, and the number of values."""
    from overtone.theory.kernel_regression._compare import comparison_tiles

    device = signal.values.device
    index = torch.arange(len(signal.values), device=device).reshape(signal.geometry.shape)
    in_tiles = torch.zeros(len(signal.values), dtype=torch.bool, device=device)
    for box in comparison_tiles(signal.geometry.shape, TILE, signal.values):
        in_tiles[index[box].reshape(-1)] = True
    held: Tensor = signal.held_out_index[in_tiles[signal.held_out_index]]
    mean = signal.values[signal.train_index].double().mean(0)
    error = (signal.values[held].double() - mean).square()
    return float(error.mean()), error.numel()


def _constant_axes(signal: Signal[Grid]) -> list[Reason]:
    """A reason for each axis along which the signal is constant."""
    field = signal.grid_values
    constant = [a for a in range(field.ndim - 1) if not bool((field != field.narrow(a, 0, 1)).any())]
    return [Reason(ReasonCode.CONSTANT_AXIS, {"axis": axis}) for axis in constant]


def comparison_reasons(
    candidates: tuple[tuple[float, ...], ...],
    db: list[float],
    tied: _Tied,
    samples: int,
    unit: str,
    steps: int,
) -> tuple[Reason, ...]:
    """Results of the comparison of bandwidths.

    Args:
        candidates: The bandwidths compared, ascending.
        db: Held-out error of each, in dB.
        tied: Which of them are as good as the best, and the one used.
        samples: Samples that were evaluated.
        unit: Unit of the bandwidths.
        steps: Length of the run.
    """
    settled = [i for i, e in enumerate(db) if math.isfinite(e)]
    worst, best = max(settled, key=lambda i: db[i]), min(db[tied.low : tied.high + 1])
    values = {
        "candidates": len(candidates),
        "first": candidates[0],
        "last": candidates[-1],
        "tied_low": candidates[tied.low],
        "tied_high": candidates[tied.high],
        "tolerance_db": tied.tolerance_db,
        "worst": candidates[worst],
        "worst_db": db[worst] - best,
        # Positive where a candidate above an eighth of Nyquist is better, but not by enough.
        "rejected_gain_db": best - min(db[i] for i in settled),
        "plain_db": None,
        "samples": samples,
        "choice": tied.choice.value,
        "steps": steps,
        "time_limit_steps": None,
    }
    reason = Reason(ReasonCode.BANDWIDTH_COMPARISON, values, unit)
    return (reason, Reason(ReasonCode.EXTENDED_BANDWIDTH)) if tied.extended else (reason,)
