"""The plan for scattered samples and for tables."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, final

import torch
from torch import Tensor

from overtone.nn import Frame
from overtone.nn.encodings import Fourier
from overtone.rng import derive, generator
from overtone.signals import Scattered
from overtone.theory import twin
from overtone.theory.ntk import infinite
from overtone.theory.ntk.infinite import Dense
from overtone.training import Options, train
from overtone.tune.budget import Budget
from overtone.tune.expectation import expected
from overtone.tune.family import Family
from overtone.tune.judging import tie, with_held_out
from overtone.tune.plan import (
    PATIENCE,
    UNWORTHY,
    Alternative,
    Plan,
    hope_sentence,
    stop_sentence,
    worth_sentence,
)
from overtone.tune.size import Size, field, size

SAMPLES, LANDMARKS = 4096, 512
"""Samples that a twin is judged on, and those of them that its kernel is taken through."""

SLOWEST = 1 / 8
"""Cycles per extent of the first rung; the next ones double it."""

FEATURES = 24
"""Features of a table up to which each gets a bandwidth of its own."""

STRIDE = 4.0
"""By how much a feature's bandwidth is tried apart from the others'."""

TRIAL_STEPS, TRIAL_WIDTH, TRIAL_BATCH = 300, 64, 512
"""Of the short training runs that compare encodings."""


def choose_scattered(
    signal: Scattered,
    budget: Budget,
    *,
    extent: Size | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Plan:
    """Plan a fit of scattered samples by held-out error.

    Bandwidths from an eighth of a cycle per extent up, each twice the one before, up to half the rate that the samples
    would support if they lay evenly, are compared by their kernel twins (`theory.twin.points`) beside plain
    coordinates; of those that cannot be told from the best the middle is taken. Then each axis in turn is tried at a
    fourth and at four times its bandwidth and keeps what is clearly better. Of tables, short training runs compare the
    result with plain features and with the periodic embedding, which has no twin; another encoding is taken only if it
    is clearly better there. "Clearly" is `judging.tie`.

    Cost: about 10 + 2 d twins of at most 4,096 samples and, of tables, three runs of 300 steps.

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
    twins = _Twins(_part(judged, seed), room, seed)
    rungs = _rungs(judged)
    why: list[str] = []
    errors = [twins.error(Family.GAUSSIAN, rung) for rung in rungs]
    plain = twins.error(Family.NONE, rungs[0])
    best, near = min(errors), tie(twins.held_out)
    inside = [i for i, e in enumerate(errors) if _db(e / best) <= near]
    chosen = _Choice(Family.GAUSSIAN, _middle(rungs[inside[0]], rungs[inside[-1]]), 0.0)
    chosen = chosen._replace(error=min(twins.error(chosen.family, chosen.bandwidth), errors[inside[0]]))
    why.append(_ladder_sentence(rungs, inside, errors, plain, near, twins.samples, signal.geometry.extent))
    chosen, moved = _per_axis(twins, chosen, near, signal.geometry.units)
    if plain < chosen.error and _db(chosen.error / plain) > near:
        chosen = _Choice(Family.NONE, chosen.bandwidth, plain)
    why += moved
    if signal.kind == "table":
        chosen, told = _trials(judged, chosen, near, seed, device)
        why.append(told)
    gain = 1 - chosen.error / twins.baseline
    worth = gain > max(0.01, 2 / math.sqrt(twins.held_out))
    hope = expected(chosen.error, 0.0, twins.held_out, signal.peak)
    why += [worth_sentence(gain, worth), hope_sentence(hope), stop_sentence()]
    listed = [(Family.GAUSSIAN, r, e) for r, e in zip(rungs, errors, strict=True)]
    others = sorted([*listed, (Family.NONE, rungs[0], plain)], key=lambda one: one[2])
    ranked = tuple(Alternative(f, b, _db(signal.peak**2 / e)) for f, b, e in others if e > 0)
    plan = _plan(chosen.family, chosen.bandwidth, room, tuple(why), worth)
    return replace(plan, expected=hope, alternatives=ranked)


class _Choice(NamedTuple):
    family: Family
    bandwidth: tuple[float, ...]
    error: float


@final
@dataclass(frozen=True)
class _Twins:
    """Held-out errors of kernel twins on some of the samples."""

    signal: Scattered
    room: Size
    seed: int

    @property
    def samples(self) -> int:
        return len(self.signal.train_index) + len(self.signal.held_out_index)

    @property
    def held_out(self) -> int:
        return len(self.signal.held_out_index) * self.signal.values.shape[1]

    @property
    def baseline(self) -> float:
        """Error of the training mean."""
        values = self.signal.values.double()
        mean = values[self.signal.train_index].mean(0)
        return float((values[self.signal.held_out_index] - mean).square().mean())

    def error(self, family: Family, bandwidth: tuple[float, ...]) -> float:
        signal, places = self.signal, self.signal.geometry
        encoding = family.build(places, self.room.features, bandwidth, derive(self.seed, "encoding"))
        frame = Frame.of(places.origin, places.extent, places.units, encoding.domain)
        used = torch.cat([signal.train_index, signal.held_out_index])
        held = torch.arange(len(used)) >= len(signal.train_index)
        inputs = (
            infinite.Fourier(encoding.frequencies, encoding.gain) if isinstance(encoding, Fourier) else None
        )
        layers = [Dense.ntk(sigma_b=0.0 if inputs else 1.0)] * (self.room.depth + 1)
        wide = infinite.fully_connected(layers, infinite.relu(), inputs)
        values = signal.normalisation.apply(signal.values.double())[used]
        coords = frame(places.coords(used))
        found = twin.points(wide, coords, values, held, coords[:1], landmarks=LANDMARKS, seed=self.seed)
        scale = signal.normalisation.scale.to(found.error).square()
        return float((found.error[found.index] * scale).mean())


def _part(signal: Scattered, seed: int) -> Scattered:
    """At most 4,096 samples in use."""
    train, held = signal.train_index, signal.held_out_index
    share = min(1.0, SAMPLES / (len(train) + len(held)))
    masks: list[Tensor] = []
    for name, index in (("train", train), ("held out", held)):
        count = max(1, round(share * len(index)))
        drawn = generator(seed, "choose", name).permutation(len(index))[:count]
        mask = torch.zeros(len(signal.values), dtype=torch.bool)
        mask[index[torch.from_numpy(drawn)]] = True
        masks.append(mask)
    return signal.with_split(*masks)


def _rungs(signal: Scattered) -> list[tuple[float, ...]]:
    """Ascending bandwidths, the same number of cycles per extent on every axis."""
    extent = signal.geometry.extent
    nyquist = len(signal.train_index) ** (1 / len(extent)) / 2
    count = max(1, math.ceil(math.log2(max(1.0, nyquist / 2) / SLOWEST)))
    return [tuple(SLOWEST * 2**k / length for length in extent) for k in range(count + 1)]


def _per_axis(
    twins: _Twins, chosen: _Choice, near: float, units: tuple[str, ...]
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


def _trials(
    signal: Scattered, chosen: _Choice, near: float, seed: int, device: torch.device | str
) -> tuple[_Choice, str]:
    """Short training runs with the choice, plain features and the periodic embedding."""
    families = list(dict.fromkeys((chosen.family, Family.NONE, Family.PERIODIC)))
    held = signal.held_out_index
    truth = signal.values[held].double()
    found = {}
    for family in families:
        network = field(signal, family, chosen.bandwidth, TRIAL_WIDTH, 2, TRIAL_WIDTH, seed).to(device)
        options = Options(TRIAL_STEPS, batch=TRIAL_BATCH, lr=4e-3, compile=False, seed=seed)
        least = [math.inf]

        def look(*_: object, network=network, least=least) -> None:  # type: ignore[no-untyped-def]
            with torch.no_grad():
                got = network(signal.geometry.coords(held).to(device)).double().cpu()
            least[0] = min(least[0], float((got - truth.cpu()).square().mean()))

        train(network, signal, options, look, wants=lambda step: step % 20 == 0)
        found[family] = least[0]
    best = min(families, key=lambda one: found[one])
    won = _db(found[chosen.family] / found[best]) > near
    kept = best if won else chosen.family
    figures = ", ".join(f"{f.value} {_db(signal.peak**2 / e):.1f} dB" for f, e in found.items())
    told = f"Trained for {TRIAL_STEPS} steps on held-out samples: {figures}; {kept.value} is taken."
    return _Choice(kept, chosen.bandwidth, min(chosen.error, found[kept]) if won else chosen.error), told


def _ladder_sentence(
    rungs: list[tuple[float, ...]],
    inside: list[int],
    errors: list[float],
    plain: float,
    near: float,
    samples: int,
    extent: tuple[float, ...],
) -> str:
    cycles = [f"{rung[0] * extent[0]:.3g}" for rung in rungs]
    best = min(errors)
    return (
        f"Of {len(rungs)} bandwidths from {cycles[0]} to {cycles[-1]} cycles per extent, those from "
        f"{cycles[inside[0]]} to {cycles[inside[-1]]} are within {near:.2g} dB of the best on held-out samples "
        f"(kernel twins, {samples} samples); the middle is taken. The worst loses {_db(max(errors) / best):.1f} dB, "
        f"plain coordinates {_db(plain / best):.1f} dB."
    )


def _middle(first: tuple[float, ...], last: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(math.sqrt(a * b) for a, b in zip(first, last, strict=True))


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
