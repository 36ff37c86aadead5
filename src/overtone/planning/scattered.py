"""The plan for scattered samples and for tables."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import torch

from overtone._utils.text import difference, plural
from overtone.planning.budget import Budget
from overtone.planning.expectation import expected
from overtone.planning.family import Family
from overtone.planning.judging import tie, with_held_out
from overtone.planning.plan import (
    PATIENCE,
    UNWORTHY,
    Alternative,
    Plan,
    hope_sentence,
    stop_sentence,
    worth_sentence,
)
from overtone.planning.size import Size, size
from overtone.planning.trials import STEPS, trials
from overtone.planning.twins import Twins
from overtone.signals import Points, Signal

SLOWEST, BEGIN = 1 / 8, 3
"""Cycles per extent of the lowest rung, of which the next ones are doubles, and the rung where the search begins: 1."""

FAR_DB = 2.0
"""A rung this much worse than the best ends the search on its side."""

FEATURES = 24
"""Features of a table up to which each gets a bandwidth of its own."""

STRIDE = 4.0
"""By how much a feature's bandwidth is tried apart from the others'."""


def choose_scattered(
    signal: Signal[Points],
    budget: Budget,
    *,
    extent: Size | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Plan:
    """Plan a fit of scattered samples by held-out error.

    Bandwidths from an eighth of a cycle per extent up, each twice the one before, up to half the rate that the samples
    would support if they lay evenly, are compared by their kernel twins beside plain coordinates, each at its best
    moment within the run's time (`planning.twins`); of those that cannot be told from the best the middle is taken. The
    search begins at one cycle per extent and ends on either side where 2 dB are lost. Then each axis in turn is tried
    at a fourth and at four times its bandwidth and keeps what is clearly better. Of tables, short training runs compare
    the result with plain features and with the periodic embedding, which has no twin; another encoding is taken only if
    it is clearly better there. "Clearly" is `judging.tie`.

    Cost: about 7 + 2 d twins of at most 4,096 samples and, of tables, three runs of 300 steps.

    Args:
        signal: What will be learned. Where nothing is held out, a tenth is for judging.
        budget: What the fit may cost.
        extent: The network and the run, if they are decided already.
        seed: Seeds whatever is drawn.
        device: Where the fit will run.

    Returns:
        The plan.

    Raises:
        InputError: If the budget does not pay for the smallest network.
    """
    judged = with_held_out(signal, seed)
    room = extent or size(signal if judged is None else judged, budget, device)
    if judged is None:
        few = (
            f"{len(signal.values)} samples are too few to hold any out: one cycle per extent is taken unseen."
        )
        reach = tuple(1 / length for length in signal.geometry.extent)
        return _plan(Family.GAUSSIAN, reach, room, (few,), True)
    twins = Twins.of(judged, room, seed)
    near = tie(twins.held_out)
    rungs = _climb(twins, _rungs(judged))
    plain = twins.error(Family.NONE, rungs[0].bandwidth)
    inside = _inside(rungs, near)
    chosen = _middle(twins, inside)
    why = [_ladder_sentence(rungs, inside, plain, near, twins, signal.geometry.extent)]
    chosen, moved = _per_axis(twins, chosen, near, signal.geometry.units)
    if plain < chosen.error and _db(chosen.error / plain) > near:
        chosen = _Choice(Family.NONE, chosen.bandwidth, plain)
    why += moved
    if signal.kind == "table":
        chosen, told = _compared(judged, chosen, near, seed, device)
        why.append(told)
    gain = 1 - chosen.error / twins.baseline
    worth = gain > max(0.01, 2 / math.sqrt(twins.held_out))
    hope = expected(chosen.error, 0.0, twins.held_out, signal.peak)
    why += [worth_sentence(gain, worth), hope_sentence(hope, room), stop_sentence()]
    others = sorted([*rungs, _Choice(Family.NONE, rungs[0].bandwidth, plain)], key=lambda one: one.error)
    ranked = tuple(
        Alternative(o.family, o.bandwidth, _db(signal.peak**2 / o.error)) for o in others if o.error > 0
    )
    plan = _plan(chosen.family, chosen.bandwidth, room, tuple(why), worth)
    return replace(plan, expected=hope, alternatives=ranked)


class _Choice(NamedTuple):
    family: Family
    bandwidth: tuple[float, ...]
    error: float


def _rungs(signal: Signal[Points]) -> list[tuple[float, ...]]:
    """Ascending bandwidths, the same number of cycles per extent on every axis."""
    extent = signal.geometry.extent
    nyquist = len(signal.train_index) ** (1 / len(extent)) / 2
    count = max(1, math.ceil(math.log2(max(1.0, nyquist / 2) / SLOWEST)))
    return [tuple(SLOWEST * 2**k / length for length in extent) for k in range(count + 1)]


def _climb(twins: Twins, rungs: list[tuple[float, ...]]) -> list[_Choice]:
    """The rungs from one cycle per extent up, then down, until they are far worse than the best; ascending."""
    begin = min(BEGIN, len(rungs) - 1)
    found: dict[int, _Choice] = {}
    for side in (range(begin, len(rungs)), range(begin - 1, -1, -1)):
        for k in side:
            found[k] = _Choice(Family.GAUSSIAN, rungs[k], twins.error(Family.GAUSSIAN, rungs[k]))
            if _db(found[k].error / min(each.error for each in found.values())) > FAR_DB:
                break
    return [found[k] for k in sorted(found)]


def _inside(rungs: list[_Choice], near: float) -> list[_Choice]:
    """The rungs from the first to the last one that cannot be told from the best."""
    best = min(rung.error for rung in rungs)
    inside = [k for k, rung in enumerate(rungs) if _db(rung.error / best) <= near]
    return rungs[inside[0] : inside[-1] + 1]


def _middle(twins: Twins, inside: list[_Choice]) -> _Choice:
    """The geometric middle, which is one of them if their number is odd."""
    half = len(inside) // 2
    if len(inside) % 2:
        return inside[half]
    low, high = inside[half - 1], inside[half]
    bandwidth = tuple(math.sqrt(a * b) for a, b in zip(low.bandwidth, high.bandwidth, strict=True))
    return _Choice(Family.GAUSSIAN, bandwidth, twins.error(Family.GAUSSIAN, bandwidth))


def _per_axis(
    twins: Twins, chosen: _Choice, near: float, units: tuple[str, ...]
) -> tuple[_Choice, list[str]]:
    """Each axis at a fourth and four times its bandwidth, one after another; what is clearly better stays."""
    axes = len(chosen.bandwidth)
    if axes == 1:
        return chosen, []
    if axes > FEATURES:
        return chosen, [f"{axes} features are too many to give each a bandwidth of its own."]
    moved = []
    for axis in range(axes):
        for factor in (1 / STRIDE, STRIDE):
            reach = tuple(b * (factor if a == axis else 1.0) for a, b in enumerate(chosen.bandwidth))
            error = twins.error(chosen.family, reach)
            if _db(chosen.error / error) > near:
                name = units[axis] if len(set(units)) == axes else f"axis {axis}"
                moved.append(f"{name} to {reach[axis]:.3g}")
                chosen = _Choice(chosen.family, reach, error)
                break
    if not moved:
        return chosen, ["No axis wants a bandwidth of its own: a fourth or four times of it gains nothing."]
    return chosen, [f"Bandwidths of their own, each better by more than {near:.2g} dB: {', '.join(moved)}."]


def _compared(
    signal: Signal[Points], chosen: _Choice, near: float, seed: int, device: torch.device | str
) -> tuple[_Choice, str]:
    """The choice against plain features and the periodic embedding, in short training runs."""
    families = list(dict.fromkeys((chosen.family, Family.NONE, Family.PERIODIC)))
    found = trials(signal, families, chosen.bandwidth, seed, device)
    best = min(families, key=lambda one: found[one])
    won = _db(found[chosen.family] / found[best]) > near
    kept = best if won else chosen.family
    figures = ", ".join(f"{f.value} {_db(signal.peak**2 / e):.1f} dB" for f, e in found.items())
    told = f"Trained for {STEPS} steps on held-out samples: {figures}; {kept.value} is taken."
    return _Choice(kept, chosen.bandwidth, min(chosen.error, found[kept]) if won else chosen.error), told


def _ladder_sentence(
    rungs: list[_Choice],
    inside: list[_Choice],
    plain: float,
    near: float,
    twins: Twins,
    extent: tuple[float, ...],
) -> str:
    def cycles(rung: _Choice) -> str:
        return f"{rung.bandwidth[0] * extent[0]:.3g}"

    best, worst = min(rung.error for rung in rungs), max(rung.error for rung in rungs)
    first, last = cycles(inside[0]), cycles(inside[-1])
    tied, taken = (
        (f"those from {first} to {last} are", "the middle")
        if len(inside) > 1
        else (f"{first} alone is", "it")
    )
    if _db(worst / best) <= near:
        tied = "all are" if len(rungs) > 1 else "it is"
    loses = "" if _db(worst / best) <= near else f" The worst loses {difference(_db(worst / best))}."
    ahead = "lose" if plain > best else "gain"
    return (
        f"Of {plural(len(rungs), 'bandwidth')} from {cycles(rungs[0])} to {cycles(rungs[-1])} cycles per extent, "
        f"{tied} within {near:.2g} dB of the best on held-out samples "
        f"(kernel twins, {twins.samples} samples, as long as {plural(twins.room.steps, 'step')}); {taken} is "
        f"taken.{loses} Plain coordinates {ahead} {difference(_db(plain / best))}."
    )


def _db(ratio: float) -> float:
    return 10 * math.log10(max(ratio, 1e-300))


def _plan(
    family: Family, bandwidth: tuple[float, ...], room: Size, reasons: tuple[str, ...], worth: bool
) -> Plan:
    return Plan(
        worth=worth,
        encoding=family,
        bandwidth=bandwidth,
        features=room.features,
        width=room.width,
        depth=room.depth,
        loss="mean square",
        lr=room.lr,
        steps=room.steps,
        batch=room.batch,
        patience=PATIENCE,
        expected=None,
        alternatives=(),
        reasons=(*reasons, *room.reasons),
        warnings=(*room.warnings, *(() if worth else (UNWORTHY,))),
    )
