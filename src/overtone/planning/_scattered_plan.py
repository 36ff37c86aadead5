"""The plan for scattered samples and for tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, final

import torch
from torch import Tensor

from overtone._training import TrainingConfig, train
from overtone._utils.seeding import derive, generator
from overtone._utils.text import difference, plural
from overtone.nn import EncodingKind, Frame, ModelConfig, build_field
from overtone.nn._build import build_encoding_on
from overtone.nn.encodings import Fourier
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
from overtone.planning._run_size import Budget, RunSize, run_size
from overtone.signals import Points, Signal
from overtone.theory import kernel_regression, ntk
from overtone.theory.kernel_regression._fit import training_times

SAMPLES = 4096
"""Samples in use that a twin is judged on."""

SHARE, FEWEST, MOST = 1 / 4, 256, 512
"""Landmarks that a twin's kernel is taken through: part of the training samples, at the least and at the most."""

STABLE = 2.0
"""Largest learning rate at which gradient descent is stable, in units of 1 / the kernel's largest eigenvalue."""


@final
@dataclass(frozen=True)
class KernelRegressionScorer:
    """Held-out errors of the kernel twins of some encodings.

    A twin with all the time in the world learns with hardly any bandwidth what a run of some steps does not reach. So
    it is followed no further than gradient descent gets in the run's steps at the largest rate at which it is stable:
    to the time 2 steps / lambda, lambda being the largest eigenvalue of the twin's kernel between the training samples.

    Attributes:
        signal: At most 4,096 samples in use, some of them held out; see `of`.
        room: The network and the run.
        seed: Seeds frequencies and landmarks.
    """

    signal: Signal[Points]
    room: RunSize
    seed: int

    @staticmethod
    def of(signal: Signal[Points], room: RunSize, seed: int) -> KernelRegressionScorer:
        """Twins on as many of a signal's samples as are needed.

        Args:
            signal: With samples held out.
            room: The network and the run.
            seed: Seeds the draw, frequencies and landmarks.
        """
        train, held = signal.train_index, signal.held_out_index
        share = min(1.0, SAMPLES / (len(train) + len(held)))
        masks: list[Tensor] = []
        for name, index in (("train", train), ("held out", held)):
            count = max(1, round(share * len(index)))
            drawn = generator(seed, "choose", name).permutation(len(index))[:count]
            mask = torch.zeros(len(signal.values), dtype=torch.bool, device="cpu")
            mask[index[torch.from_numpy(drawn)]] = True
            masks.append(mask)
        return KernelRegressionScorer(signal.with_split(*masks), room, seed)

    @property
    def samples(self) -> int:
        """Samples in use."""
        return len(self.signal.train_index) + len(self.signal.held_out_index)

    @property
    def held_out(self) -> int:
        """Values that the errors are means of."""
        return len(self.signal.held_out_index) * self.signal.values.shape[1]

    @property
    def baseline(self) -> float:
        """Mean squared held-out error of the training mean, in value units squared."""
        values = self.signal.values.double()
        mean = values[self.signal.train_index].mean(0)
        return float((values[self.signal.held_out_index] - mean).square().mean())

    def error(self, family: EncodingKind, bandwidth: tuple[float, ...]) -> float:
        """Least mean squared held-out error within the run's time.

        Args:
            family: An encoding that has a twin.
            bandwidth: Its reach per axis, in cycles per unit.

        Returns:
            The error in value units squared, the mean over channels.
        """
        signal, places = self.signal, self.signal.geometry
        encoding = build_encoding_on(
            places, family, self.room.features, bandwidth, derive(self.seed, "encoding")
        )
        frame = Frame.of(places.origin, places.extent, places.units, encoding.domain)
        used = torch.cat([signal.train_index, signal.held_out_index])
        held = torch.arange(len(used), device="cpu") >= len(signal.train_index)
        inputs = (
            ntk.FeatureMap.fourier(encoding.frequencies, encoding.gain)
            if isinstance(encoding, Fourier)
            else None
        )
        layers = [ntk.DenseLayer.ntk(sigma_b=0.0 if inputs else 1.0)] * (self.room.depth + 1)
        wide = ntk.InfiniteNetwork.fully_connected(layers, ntk.DualActivation.relu(), inputs)
        values = signal.normalisation.apply(signal.values.double())[used]
        coords = frame(places.coords(used))
        count = min(MOST, max(FEWEST, round(SHARE * len(signal.train_index))))
        found = kernel_regression.fit_scattered(
            wide, coords, values, held, coords[:1], landmarks=count, seed=self.seed
        )
        unit = found.times[0] / training_times(1.0)[0]
        within = found.times <= STABLE * self.room.steps * unit
        scale = signal.normalisation.scale.to(found.error).square()
        return float((found.error * scale).mean(1)[within].min())


STEPS, WIDTH, BATCH, RATE = 300, 64, 512, 4e-3
"""Of the runs."""

LOOK = 20
"""Steps between two looks at the held-out samples."""


def short_training_runs(
    signal: Signal[Points],
    families: Sequence[EncodingKind],
    bandwidth: tuple[float, ...],
    seed: int,
    device: torch.device | str,
) -> dict[EncodingKind, float]:
    """Train a small network with each encoding for 300 steps.

    Args:
        signal: With samples held out.
        families: The encodings.
        bandwidth: Their reach per axis, in cycles per unit.
        seed: Seeds the networks and the batches.
        device: Where they are trained.

    Returns:
        The least mean squared held-out error of each, in value units squared.
    """
    held = signal.held_out_index
    truth = signal.values[held].double().cpu()
    small, found = ModelConfig(bandwidth=bandwidth, width=WIDTH, depth=2, features=WIDTH), {}
    for family in families:
        network = build_field(signal, replace(small, encoding=family), seed).to(device)
        options = TrainingConfig(STEPS, batch=BATCH, lr=RATE, compile=False, seed=seed)
        least = [math.inf]

        def look(*_: object, network=network, least=least) -> None:  # type: ignore[no-untyped-def]
            with torch.no_grad():
                got = network(signal.geometry.coords(held).to(device)).double().cpu()
            least[0] = min(least[0], float((got - truth).square().mean()))

        train(network, signal, options, look, wants=lambda step: step % LOOK == 0)
        found[family] = least[0]
    return found


SLOWEST, BEGIN = 1 / 8, 3
"""Cycles per extent of the lowest rung, of which the next ones are doubles, and the rung where the search begins: 1."""

FAR_DB = 2.0
"""A rung this much worse than the best ends the search on its side."""

FEATURES = 24
"""Features of a table up to which each gets a bandwidth of its own."""

STRIDE = 4.0
"""By how much a feature's bandwidth is tried apart from the others'."""


def plan_scattered(
    signal: Signal[Points],
    budget: Budget,
    *,
    extent: RunSize | None = None,
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
    judged = ensure_held_out(signal, seed)
    room = extent or run_size(signal if judged is None else judged, budget, device)
    if judged is None:
        few = (
            f"{len(signal.values)} samples are too few to hold any out: one cycle per extent is taken unseen."
        )
        reach = tuple(1 / length for length in signal.geometry.extent)
        return _plan(EncodingKind.GAUSSIAN, reach, room, (few,), True)
    twins = KernelRegressionScorer.of(judged, room, seed)
    near = tie_threshold_db(twins.held_out)
    rungs = _climb(twins, _rungs(judged))
    plain = twins.error(EncodingKind.NONE, rungs[0].bandwidth)
    inside = _inside(rungs, near)
    chosen = _middle(twins, inside)
    why = [_ladder_sentence(rungs, inside, plain, near, twins, signal.geometry.extent)]
    chosen, moved = _per_axis(twins, chosen, near, signal.geometry.units)
    if plain < chosen.error and _db(chosen.error / plain) > near:
        chosen = _Choice(EncodingKind.NONE, chosen.bandwidth, plain)
    why += moved
    if signal.kind == "table":
        chosen, told = _compared(judged, chosen, near, seed, device)
        why.append(told)
    gain = 1 - chosen.error / twins.baseline
    worth = gain > max(0.01, 2 / math.sqrt(twins.held_out))
    hope = expected_psnr(chosen.error, 0.0, twins.held_out, signal.peak)
    why += [worth_sentence(gain, worth), hope_sentence(hope, room), stop_sentence()]
    others = sorted(
        [*rungs, _Choice(EncodingKind.NONE, rungs[0].bandwidth, plain)], key=lambda one: one.error
    )
    ranked = tuple(
        Alternative(o.family, o.bandwidth, _db(signal.peak**2 / o.error)) for o in others if o.error > 0
    )
    plan = _plan(chosen.family, chosen.bandwidth, room, tuple(why), worth)
    return replace(plan, expected=hope, alternatives=ranked)


class _Choice(NamedTuple):
    family: EncodingKind
    bandwidth: tuple[float, ...]
    error: float


def _rungs(signal: Signal[Points]) -> list[tuple[float, ...]]:
    """Ascending bandwidths, the same number of cycles per extent on every axis."""
    extent = signal.geometry.extent
    nyquist = len(signal.train_index) ** (1 / len(extent)) / 2
    count = max(1, math.ceil(math.log2(max(1.0, nyquist / 2) / SLOWEST)))
    return [tuple(SLOWEST * 2**k / length for length in extent) for k in range(count + 1)]


def _climb(twins: KernelRegressionScorer, rungs: list[tuple[float, ...]]) -> list[_Choice]:
    """The rungs from one cycle per extent up, then down, until they are far worse than the best; ascending."""
    begin = min(BEGIN, len(rungs) - 1)
    found: dict[int, _Choice] = {}
    for side in (range(begin, len(rungs)), range(begin - 1, -1, -1)):
        for k in side:
            found[k] = _Choice(EncodingKind.GAUSSIAN, rungs[k], twins.error(EncodingKind.GAUSSIAN, rungs[k]))
            if _db(found[k].error / min(each.error for each in found.values())) > FAR_DB:
                break
    return [found[k] for k in sorted(found)]


def _inside(rungs: list[_Choice], near: float) -> list[_Choice]:
    """The rungs from the first to the last one that cannot be told from the best."""
    best = min(rung.error for rung in rungs)
    inside = [k for k, rung in enumerate(rungs) if _db(rung.error / best) <= near]
    return rungs[inside[0] : inside[-1] + 1]


def _middle(twins: KernelRegressionScorer, inside: list[_Choice]) -> _Choice:
    """The geometric middle, which is one of them if their number is odd."""
    half = len(inside) // 2
    if len(inside) % 2:
        return inside[half]
    low, high = inside[half - 1], inside[half]
    bandwidth = tuple(math.sqrt(a * b) for a, b in zip(low.bandwidth, high.bandwidth, strict=True))
    return _Choice(EncodingKind.GAUSSIAN, bandwidth, twins.error(EncodingKind.GAUSSIAN, bandwidth))


def _per_axis(
    twins: KernelRegressionScorer, chosen: _Choice, near: float, units: tuple[str, ...]
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
    families = list(dict.fromkeys((chosen.family, EncodingKind.NONE, EncodingKind.PERIODIC)))
    found = short_training_runs(signal, families, chosen.bandwidth, seed, device)
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
    twins: KernelRegressionScorer,
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
    family: EncodingKind, bandwidth: tuple[float, ...], room: RunSize, reasons: tuple[str, ...], worth: bool
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
