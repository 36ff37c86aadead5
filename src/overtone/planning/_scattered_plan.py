"""Plans for scattered samples and tables: kernel regression and short runs on held-out samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, final

import torch
from torch import Tensor

from overtone._config import EncodingKind, ModelConfig
from overtone._training import TrainingConfig, train
from overtone._utils.seeding import derive_seed, numpy_generator
from overtone._utils.statistics import psnr_from_error
from overtone.nn import CoordinateScaling
from overtone.nn._build import build_encoding_on, build_field
from overtone.nn.encodings import FourierEncoding
from overtone.planning._bandwidth import geometric_mean
from overtone.planning._held_out import ensure_held_out, expected_psnr, tie_threshold_db
from overtone.planning._plan import Alternative, Plan, is_recommended, make_plan, outcome_reasons
from overtone.planning._reasons import BandwidthChoice, Reason, ReasonCode
from overtone.planning._run_size import Budget, RunSize, run_size
from overtone.signals import Points, Signal

SAMPLES = 4096
"""Largest number of samples that a kernel regression is judged on."""

LANDMARK_SHARE, MIN_LANDMARKS, MAX_LANDMARKS = 1 / 4, 256, 512
"""Landmarks that a kernel is approximated by: part of the training samples, at least and at most."""

STABLE = 2.0
"""Largest learning rate at which gradient descent is stable, in units of 1 / the kernel's largest eigenvalue."""

TRIAL_STEPS, TRIAL_WIDTH, TRIAL_BATCH, TRIAL_LR = 300, 64, 512, 4e-3
"""Steps, units, samples per step and learning rate of the short training runs."""

TRIAL_INTERVAL = 20
"""Steps between two evaluations on the held-out samples in a short run."""

MIN_CYCLES, START = 1 / 8, 3
"""Cycles per extent of the lowest candidate, the next ones being doubles, and the index where the search begins."""

STOP_DB = 2.0
"""A candidate this much worse than the best ends the search on its side."""

MAX_AXES = 24
"""Features of a table up to which each gets a bandwidth of its own."""

AXIS_FACTOR = 4.0
"""Factor by which one feature's bandwidth is changed against the others'."""

TINY = 1e-300
"""Smallest ratio that is turned into dB."""


@final
@dataclass(frozen=True)
class KernelRegressionScorer:
    """Held-out errors of the kernel regressions of some encodings.

    Given unlimited time, kernel regression learns with hardly any bandwidth what a run of some steps does not. So it is
    evaluated no later than gradient descent gets in the run's steps at the largest stable rate: up to the time
    2 steps / lambda, lambda being the largest eigenvalue of the kernel between the training samples.

    Attributes:
        signal: At most 4,096 samples in use, some of them held out; see `of`.
        size: The network and the run.
        seed: Seeds frequencies and landmarks.
    """

    signal: Signal[Points]
    size: RunSize
    seed: int

    @staticmethod
    def of(signal: Signal[Points], size: RunSize, seed: int) -> KernelRegressionScorer:
        """Build a scorer on as many of a signal's samples as are needed.

        Args:
            signal: With samples held out.
            size: The network and the run.
            seed: Seeds the draw, frequencies and landmarks.
        """
        train, held = signal.train_index, signal.held_out_index
        share = min(1.0, SAMPLES / (len(train) + len(held)))
        masks: list[Tensor] = []
        for name, index in (("train", train), ("held out", held)):
            count = max(1, round(share * len(index)))
            order = numpy_generator(seed, "choose", name).permutation(len(index))[:count]
            mask = torch.zeros(len(signal.values), dtype=torch.bool, device="cpu")
            mask[index[torch.from_numpy(order)]] = True
            masks.append(mask)
        return KernelRegressionScorer(signal.with_split(*masks), size, seed)

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

    def error(self, kind: EncodingKind, bandwidth: tuple[float, ...]) -> float:
        """Smallest mean squared held-out error within the run's time.

        Args:
            kind: An encoding that has a kernel.
            bandwidth: Its bandwidth per axis, in cycles per unit.

        Returns:
            The error in value units squared, the mean over channels.
        """
        from overtone.theory import kernel_regression, ntk
        from overtone.theory.kernel_regression._fit import training_times

        signal, places = self.signal, self.signal.geometry
        encoding = build_encoding_on(
            places, kind, self.size.features, bandwidth, derive_seed(self.seed, "encoding")
        )
        frame = CoordinateScaling.of(places.origin, places.extent, places.units, encoding.domain)
        used = torch.cat([signal.train_index, signal.held_out_index])
        held = torch.arange(len(used), device="cpu") >= len(signal.train_index)
        inputs = (
            ntk.FeatureMap.fourier(encoding.frequencies, encoding.gain)
            if isinstance(encoding, FourierEncoding)
            else None
        )
        layers = [ntk.DenseLayer.ntk(sigma_b=0.0 if inputs else 1.0)] * (self.size.depth + 1)
        wide = ntk.InfiniteNetwork.fully_connected(layers, ntk.DualActivation.relu(), inputs)
        values = signal.normalisation.apply(signal.values.double())[used]
        coords = frame(places.coords(used))
        count = min(MAX_LANDMARKS, max(MIN_LANDMARKS, round(LANDMARK_SHARE * len(signal.train_index))))
        path = kernel_regression.fit_scattered(
            wide, coords, values, held, coords[:1], landmarks=count, seed=self.seed
        )
        # Times of the path are a fixed schedule in units of 1 / lambda, which the first of them recovers.
        unit = path.times[0] / training_times(1.0)[0]
        within = path.times <= STABLE * self.size.steps * unit
        scale = signal.normalisation.scale.to(path.error).square()
        return float((path.error * scale).mean(1)[within].min())


def short_training_runs(
    signal: Signal[Points],
    kinds: Sequence[EncodingKind],
    bandwidth: tuple[float, ...],
    seed: int,
    device: torch.device | str,
) -> dict[EncodingKind, float]:
    """Train a small network with each encoding for 300 steps.

    Args:
        signal: With samples held out.
        kinds: The encodings.
        bandwidth: Their bandwidth per axis, in cycles per unit.
        seed: Seeds the networks and the batches.
        device: Device of the training.

    Returns:
        The smallest mean squared held-out error of each, in value units squared.
    """
    held = signal.held_out_index
    truth = signal.values[held].double().cpu()
    small, errors = ModelConfig(bandwidth=bandwidth, width=TRIAL_WIDTH, depth=2, features=TRIAL_WIDTH), {}
    for kind in kinds:
        network = build_field(signal, replace(small, encoding=kind), seed).to(device)
        options = TrainingConfig(TRIAL_STEPS, batch=TRIAL_BATCH, lr=TRIAL_LR, compile=False, seed=seed)
        best = [math.inf]

        def evaluate(*_: object, network=network, best=best) -> None:  # type: ignore[no-untyped-def]
            with torch.no_grad():
                values = network(signal.geometry.coords(held).to(device)).double().cpu()
            best[0] = min(best[0], float((values - truth).square().mean()))

        train(network, signal, options, evaluate, wants=lambda step: step % TRIAL_INTERVAL == 0)
        errors[kind] = best[0]
    return errors


def plan_scattered(
    signal: Signal[Points],
    budget: Budget,
    *,
    size: RunSize | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Plan:
    """Plan a fit of scattered samples by held-out error.

    Bandwidths from an eighth of a cycle per extent up, each twice the one before, up to half the rate that the samples
    would support on an even grid, are compared by kernel regression beside plain coordinates, each at its best moment
    within the run's time (`KernelRegressionScorer`); of those that chance cannot tell from the best the middle is
    taken. The search begins at one cycle per extent and ends on either side where 2 dB are lost. Then each axis in turn
    is tried at a fourth and at four times its bandwidth and keeps what is clearly better. Of tables, short training
    runs compare the result with plain features and with the periodic embedding, which has no kernel; another encoding
    is taken only if it is clearly better there. "Clearly" is `tie_threshold_db`.

    Cost: about 7 + 2 d kernel regressions of at most 4,096 samples and, of tables, three runs of 300 steps.

    Args:
        signal: The signal to learn. Where nothing is held out, a tenth is.
        budget: Budget of the fit.
        size: Network and run, if they are decided already.
        seed: Seeds every draw.
        device: Device of the fit.

    Returns:
        The plan.

    Raises:
        InputError: If the budget does not pay for the smallest network.
    """
    split = ensure_held_out(signal, seed)
    size = size or run_size(signal if split is None else split, budget, device)
    if split is None:
        few = Reason(
            ReasonCode.TOO_FEW_SAMPLES, {"samples": len(signal.values), "fallback": "one cycle per extent"}
        )
        return make_plan(
            EncodingKind.GAUSSIAN, tuple(1 / length for length in signal.geometry.extent), size, [few]
        )
    scorer = KernelRegressionScorer.of(split, size, seed)
    tolerance = tie_threshold_db(scorer.held_out)
    # 1. One bandwidth for all axes, in cycles per extent.
    scores = _bandwidth_scores(scorer, _candidates(split))
    plain = scorer.error(EncodingKind.NONE, scores[0].bandwidth)
    tied = _tied(scores, tolerance)
    chosen = _middle(scorer, tied)
    reasons = [_comparison_reason(scores, tied, plain, tolerance, scorer, signal.geometry.extent)]
    # 2. A bandwidth per axis, where that is clearly better; plain coordinates, where those are.
    chosen, axis_reasons = _per_axis(scorer, chosen, tolerance, signal.geometry.units)
    reasons += axis_reasons
    if plain < chosen.error and _db(chosen.error / plain) > tolerance:
        chosen = _Choice(EncodingKind.NONE, chosen.bandwidth, plain)
    # 3. Tables may want the periodic embedding, which has no kernel: short runs decide.
    if signal.kind == "table":
        chosen, reason = _compare_encodings(split, chosen, tolerance, seed, device)
        reasons.append(reason)
    explained = 1 - chosen.error / scorer.baseline
    worthwhile = is_recommended(explained, scorer.held_out)
    expected = expected_psnr(chosen.error, 0.0, scorer.held_out, signal.peak)
    others = sorted(
        [*scores, _Choice(EncodingKind.NONE, scores[0].bandwidth, plain)], key=lambda one: one.error
    )
    return make_plan(
        chosen.kind,
        chosen.bandwidth,
        size,
        [*reasons, *outcome_reasons(explained, worthwhile, expected, size)],
        recommended=worthwhile,
        expected=expected,
        alternatives=tuple(
            Alternative(o.kind, o.bandwidth, psnr_from_error(o.error, signal.peak))
            for o in others
            if o.error > 0
        ),
    )


class _Choice(NamedTuple):
    kind: EncodingKind
    bandwidth: tuple[float, ...]
    error: float


def _candidates(signal: Signal[Points]) -> list[tuple[float, ...]]:
    """Ascending bandwidths, the same number of cycles per extent on every axis."""
    extent = signal.geometry.extent
    # N samples spread evenly over a d-dimensional box have N^(1/d) per axis and half that as Nyquist frequency.
    nyquist = len(signal.train_index) ** (1 / len(extent)) / 2
    count = max(1, math.ceil(math.log2(max(1.0, nyquist / 2) / MIN_CYCLES)))
    return [tuple(MIN_CYCLES * 2**k / length for length in extent) for k in range(count + 1)]


def _bandwidth_scores(scorer: KernelRegressionScorer, candidates: list[tuple[float, ...]]) -> list[_Choice]:
    """The candidates from one cycle per extent up, then down, until they are far worse than the best; ascending."""
    start = min(START, len(candidates) - 1)
    scores: dict[int, _Choice] = {}
    for side in (range(start, len(candidates)), range(start - 1, -1, -1)):
        for k in side:
            error = scorer.error(EncodingKind.GAUSSIAN, candidates[k])
            scores[k] = _Choice(EncodingKind.GAUSSIAN, candidates[k], error)
            # The error has one valley: past a clear loss nothing better follows, and kernels are costly.
            if _db(error / min(score.error for score in scores.values())) > STOP_DB:
                break
    return [scores[k] for k in sorted(scores)]


def _tied(scores: list[_Choice], tolerance_db: float) -> list[_Choice]:
    """The scores from the first to the last one that chance cannot tell from the best."""
    best = min(score.error for score in scores)
    inside = [k for k, score in enumerate(scores) if _db(score.error / best) <= tolerance_db]
    return scores[inside[0] : inside[-1] + 1]


def _middle(scorer: KernelRegressionScorer, tied: list[_Choice]) -> _Choice:
    """The geometric middle, which is one of them if their number is odd."""
    half = len(tied) // 2
    if len(tied) % 2:
        return tied[half]
    bandwidth = geometric_mean(tied[half - 1].bandwidth, tied[half].bandwidth)
    return _Choice(EncodingKind.GAUSSIAN, bandwidth, scorer.error(EncodingKind.GAUSSIAN, bandwidth))


def _per_axis(
    scorer: KernelRegressionScorer, chosen: _Choice, tolerance_db: float, units: tuple[str, ...]
) -> tuple[_Choice, list[Reason]]:
    """Each axis at a fourth and four times its bandwidth, one after another; a clear gain is kept."""
    axes = len(chosen.bandwidth)
    if axes == 1:
        return chosen, []
    if axes > MAX_AXES:
        return chosen, [Reason(ReasonCode.TOO_MANY_AXES, {"axes": axes})]
    changed: dict[str, float] = {}
    for axis in range(axes):
        for factor in (1 / AXIS_FACTOR, AXIS_FACTOR):
            bandwidth = tuple(b * (factor if a == axis else 1.0) for a, b in enumerate(chosen.bandwidth))
            error = scorer.error(chosen.kind, bandwidth)
            if _db(chosen.error / error) > tolerance_db:
                # Features of a table are named by their units where those are unique.
                name = units[axis] if len(set(units)) == axes else f"axis {axis}"
                changed[name] = bandwidth[axis]
                chosen = _Choice(chosen.kind, bandwidth, error)
                break
    values = {
        "axes": tuple(changed),
        "bandwidth": tuple(changed.values()),
        "tolerance_db": tolerance_db,
    }
    return chosen, [Reason(ReasonCode.AXIS_BANDWIDTHS, values)]


def _compare_encodings(
    signal: Signal[Points], chosen: _Choice, tolerance_db: float, seed: int, device: torch.device | str
) -> tuple[_Choice, Reason]:
    """The choice against plain features and the periodic embedding, in short training runs."""
    kinds = list(dict.fromkeys((chosen.kind, EncodingKind.NONE, EncodingKind.PERIODIC)))
    errors = short_training_runs(signal, kinds, chosen.bandwidth, seed, device)
    best = min(kinds, key=lambda kind: errors[kind])
    better = _db(errors[chosen.kind] / errors[best]) > tolerance_db
    kind = best if better else chosen.kind
    values = {
        "steps": TRIAL_STEPS,
        "psnr": {f.value: psnr_from_error(max(e, TINY), signal.peak) for f, e in errors.items()},
        "chosen": kind.value,
    }
    reason = Reason(ReasonCode.ENCODING_COMPARISON, values)
    error = min(chosen.error, errors[kind]) if better else chosen.error
    return _Choice(kind, chosen.bandwidth, error), reason


def _comparison_reason(
    scores: list[_Choice],
    tied: list[_Choice],
    plain: float,
    tolerance_db: float,
    scorer: KernelRegressionScorer,
    extent: tuple[float, ...],
) -> Reason:
    """Results of the comparison of bandwidths, in cycles per extent."""

    def cycles(score: _Choice) -> tuple[float]:
        return (score.bandwidth[0] * extent[0],)

    best, worst = min(scores, key=lambda s: s.error), max(scores, key=lambda s: s.error)
    choice = BandwidthChoice.GEOMETRIC_MEAN if len(tied) > 1 else BandwidthChoice.SINGLE
    values = {
        "candidates": len(scores),
        "first": cycles(scores[0]),
        "last": cycles(scores[-1]),
        "tied_low": cycles(tied[0]),
        "tied_high": cycles(tied[-1]),
        "tolerance_db": tolerance_db,
        "worst": cycles(worst),
        "worst_db": _db(worst.error / best.error),
        "rejected_gain_db": 0.0,
        "plain_db": _db(plain / best.error),
        "samples": scorer.samples,
        "choice": choice.value,
        "steps": scorer.size.steps,
        "time_limit_steps": scorer.size.steps,
    }
    return Reason(ReasonCode.BANDWIDTH_COMPARISON, values, "cycles per extent")


def _db(ratio: float) -> float:
    return 10 * math.log10(max(ratio, TINY))
