"""Check of the frequency setting of a coordinate network against the samples that it is meant for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, final

from overtone import units
from overtone.errors import InputError
from overtone.planning._bandwidth import OCTAVES, alias_frequency
from overtone.planning._scan import scan
from overtone.signals import Grid, Signal, require_grid
from overtone.units._conventions import lowest_cycles, usual_domain

TOLERANCE = 2.0**OCTAVES
"""Factor to either side of the recommended bandwidth within which the planner compares candidates."""

CONFUSION = 1.25
"""Factor to either side of 2 pi within which a ratio of bandwidths counts as radians taken for cycles."""

HALF_OCTAVE = 0.5
"""By how many octaves another coordinate range has to agree better with the recommended bandwidth."""

PHASE_ERROR, LARGE_PHASE_ERROR = 0.1, 1.0
"""Phase errors in radians from which low precision is a warning, and an error."""

ROUNDING = {"float32": 2.0**-24, "bfloat16": 2.0**-8, "float16": 2.0**-11}
"""Largest relative error of one rounding to nearest."""


class LintCode(Enum):
    """Kind of a finding; the value is its name in JSON.

    Example:
        >>> LintCode("beyond Nyquist").name
        'BEYOND_NYQUIST'
    """

    BEYOND_NYQUIST = "beyond Nyquist"
    BANDWIDTH_LOW = "bandwidth low"
    BANDWIDTH_HIGH = "bandwidth high"
    RADIANS_FOR_CYCLES = "radians for cycles"
    CYCLES_FOR_RADIANS = "cycles for radians"
    COORDINATE_RANGE = "coordinate range"
    UNEQUAL_AXES = "unequal axes"
    LOW_PRECISION = "low precision"
    SAMPLES_UNVISITED = "samples unvisited"


@final
@dataclass(frozen=True)
class LintFinding:
    """One finding.

    Attributes:
        code: What is stated.
        error: Whether the setting cannot work as intended; otherwise it is a warning.
        values: The numbers behind it.
    """

    code: LintCode
    error: bool
    values: Mapping[str, Any]


@final
@dataclass(frozen=True)
class LintResult:
    """A checked setting.

    Attributes:
        library: The library whose convention the value follows.
        value: The setting.
        domain: Range of the coordinates, which every axis fills.
        cycles: Its bandwidth in cycles across the samples of an axis.
        bandwidth: The same per axis, in cycles per unit of the samples.
        nyquist: Nyquist frequency per axis, in cycles per unit.
        recommended: Bandwidth that the spectrum recommends per axis, in cycles per unit.
        suggested: The setting whose bandwidth is the recommended one, the geometric mean over the axes.
        suggested_range: Settings for a quarter and for four times that bandwidth.
        findings: Errors first.
    """

    library: str
    value: float
    domain: tuple[float, float]
    cycles: float
    bandwidth: tuple[float, ...]
    nyquist: tuple[float, ...]
    recommended: tuple[float, ...]
    suggested: float
    suggested_range: tuple[float, float]
    findings: tuple[LintFinding, ...]


def lint(
    signal: Signal[Grid],
    library: str,
    value: float,
    *,
    domain: tuple[float, float] | None = None,
    precision: str = "float32",
    steps: int | None = None,
    batch: int | None = None,
) -> LintResult:
    """Check the frequency setting of a coordinate network against the samples that it is meant for.

    The bandwidth of the setting is compared with the one that the spectrum recommends. That estimate is trusted to a
    factor of four, the range in which `plan` compares candidates; a setting within it causes no finding. Every axis
    is taken to fill `domain`.

    Args:
        signal: The samples, on a grid.
        library: The library whose convention the value follows, a key of `units.CONVENTIONS`.
        value: The setting: sigma, omega_0, a number of octaves.
        domain: Range of the coordinates; by default the library's usual range.
        precision: "float32", "bfloat16" or "float16", in which the features are computed.
        steps: Optimizer steps, if coverage of the samples is to be checked.
        batch: Samples per step; all of them if None.

    Returns:
        The comparison and its findings, none if nothing is wrong.

    Raises:
        InputError: If the signal has no grid or no varying axis, a name is unknown, a number is not positive, or the
            library has no usual range and `domain` is None.

    Example:
        >>> from overtone import planning, signals
        >>> signal = signals.synthetic.harmonics([2, 5], samples=256)
        >>> [f.code.value for f in planning.lint(signal, "tancik", 100.0).findings]
        ['beyond Nyquist']
        >>> planning.lint(signal, "tancik", 3.0).findings
        ()
    """
    grid = require_grid(signal, "this check").geometry
    if precision not in ROUNDING:
        raise InputError(f"one of {', '.join(ROUNDING)}", repr(precision), "pass another", "precision")
    inputs = grid.axes
    cycles = units.convert(value, library, "bandwidth", domain, (0, 1), inputs)
    low, high = domain or usual_domain(library, "domain")
    axes = [axis for axis, count in enumerate(grid.shape) if count > 1]
    if not axes:
        raise InputError(
            "at least two samples along an axis", "a single sample", "pass more samples", "signal"
        )
    recommended = scan(signal).bandwidth
    across = [recommended[axis] * grid.extent[axis] for axis in axes]
    mean = math.exp(sum(map(math.log, across)) / len(across))

    # Settings of the second parameter of an activation have a lowest bandwidth, that of its first one.
    lowest = 1.001 * lowest_cycles(library, (low, high), inputs)

    def setting(bandwidth: float) -> float:
        return units.convert(max(bandwidth, lowest), "bandwidth", library, (0, 1), (low, high), inputs)

    bandwidth = tuple(cycles / extent for extent in grid.extent)
    findings = [
        _beyond_nyquist(bandwidth, grid.nyquist, axes),
        _unequal_axes(across, axes),
        _low_precision(cycles / (high - low), max(abs(low), abs(high)), precision),
        _samples_unvisited(len(signal.train_index), steps, batch),
    ]
    # A setting beyond Nyquist is also far above the recommended one: one finding says it.
    if findings[0] is None:
        findings.append(_against_recommended(cycles / mean, cycles, mean, library, (low, high)))
    return LintResult(
        library,
        value,
        (low, high),
        cycles,
        bandwidth,
        grid.nyquist,
        recommended,
        setting(mean),
        (setting(mean / TOLERANCE), setting(mean * TOLERANCE)),
        tuple(sorted((f for f in findings if f is not None), key=lambda finding: not finding.error)),
    )


def _beyond_nyquist(
    bandwidth: tuple[float, ...], nyquist: tuple[float, ...], axes: list[int]
) -> LintFinding | None:
    """Axes along which training cannot tell the highest waves from lower ones at the samples."""
    above = [axis for axis in axes if bandwidth[axis] > nyquist[axis]]
    values = {
        "axes": above,
        "bandwidth": [bandwidth[axis] for axis in above],
        "nyquist": [nyquist[axis] for axis in above],
        "alias": [alias_frequency(bandwidth[axis], nyquist[axis]) for axis in above],
    }
    return LintFinding(LintCode.BEYOND_NYQUIST, True, values) if above else None


def _unequal_axes(across: list[float], axes: list[int]) -> LintFinding | None:
    """Axes so unlike that no single value is within the tolerance of both."""
    ratio = max(across) / min(across)
    values = {
        "lowest_axis": axes[across.index(min(across))],
        "highest_axis": axes[across.index(max(across))],
        "lowest_cycles": min(across),
        "highest_cycles": max(across),
    }
    return LintFinding(LintCode.UNEQUAL_AXES, False, values) if ratio > TOLERANCE**2 else None


def _low_precision(frequency: float, farthest: float, precision: str) -> LintFinding | None:
    """Error of the phase 2 pi f v, of which coordinate and product are each rounded once."""
    error = 2 * math.pi * frequency * farthest * 2 * ROUNDING[precision]
    values = {"precision": precision, "phase_error": error, "phase": 2 * math.pi * frequency * farthest}
    return (
        LintFinding(LintCode.LOW_PRECISION, error > LARGE_PHASE_ERROR, values)
        if error > PHASE_ERROR
        else None
    )


def _samples_unvisited(samples: int, steps: int | None, batch: int | None) -> LintFinding | None:
    """Fewer drawn samples than there are."""
    if steps is None or batch is None:
        return None
    for name, count in (("steps", steps), ("batch", batch)):
        if count < 1:
            raise InputError("a whole number of at least 1", repr(count), f"pass more {name}", name)
    # With random batches each sample is missed by a step with probability 1 - batch / samples.
    share = (1 - min(batch / samples, 1)) ** steps
    values = {"samples": samples, "drawn": steps * batch, "unvisited": share}
    return LintFinding(LintCode.SAMPLES_UNVISITED, False, values) if steps * batch < samples else None


def _against_recommended(
    ratio: float, cycles: float, recommended: float, library: str, domain: tuple[float, float]
) -> LintFinding | None:
    """The likeliest explanation of a bandwidth that differs from the recommended one.

    Args:
        ratio: The setting's bandwidth over the recommended one.
        cycles: The setting's bandwidth, in cycles across the samples.
        recommended: The recommended one, in cycles across the samples.
        library: The library of the setting.
        domain: Range of the coordinates.
    """
    values: dict[str, Any] = {"cycles": cycles, "recommended": recommended, "ratio": ratio}
    for code, factor in (
        (LintCode.RADIANS_FOR_CYCLES, 2 * math.pi),
        (LintCode.CYCLES_FOR_RADIANS, 1 / (2 * math.pi)),
    ):
        if abs(math.log(ratio / factor)) <= math.log(CONFUSION):
            return LintFinding(code, False, values)
    usual = usual_domain(library)
    if usual is not None:
        length, usual_length = domain[1] - domain[0], usual[1] - usual[0]
        usual_ratio = ratio * usual_length / length
        gain = abs(math.log2(ratio)) - abs(math.log2(usual_ratio))
        if gain >= HALF_OCTAVE and max(usual_ratio, 1 / usual_ratio) <= TOLERANCE:
            both = {
                "domain": list(domain),
                "usual": list(usual),
                "usual_cycles": cycles * usual_length / length,
            }
            return LintFinding(LintCode.COORDINATE_RANGE, False, values | both)
    if ratio > TOLERANCE:
        return LintFinding(LintCode.BANDWIDTH_HIGH, False, values)
    return LintFinding(LintCode.BANDWIDTH_LOW, False, values) if ratio < 1 / TOLERANCE else None
