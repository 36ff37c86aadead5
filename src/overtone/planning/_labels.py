"""Plans for labels: bandwidths of classifiers, shortlisted on class indicators and tried by cross-entropy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch.nn.functional import cross_entropy

from overtone._config import Choosing, Decay, EncodingKind, TrainingConfig
from overtone._training import train
from overtone._utils.display import Result
from overtone._utils.text import format_per_axis, number, percent, plural
from overtone.errors import InputError, RunError
from overtone.nn import Field
from overtone.planning._comparison import MAX_TRIAL_STEPS, MIN_TRIAL_STEPS, TRIAL_SHARE, Entry
from overtone.planning._own_network import NetworkSetting
from overtone.planning._shortlist import RidgeScorer
from overtone.planning._trials import evaluate_normalised
from overtone.signals import Geometry, Normalisation, Signal
from overtone.signals._readers._columns import label_values, refuse_labels

TRIED = 3
"""Bandwidths of the shortlist that are trained."""

CLOSE = 2.0
"""Standard errors of the least cross-entropy up to which lower bandwidths, which take longer to show, are as good."""

MARKS = (0.3, 0.5, 0.75, 1.0)
"""Parts of a trial at which the held-out samples are evaluated."""


@final
@dataclass(frozen=True)
class ClassCandidate:
    """A bandwidth that was compared for a classifier.

    Attributes:
        encoding: The encoding; None for a network of the caller.
        bandwidth: Per axis, in cycles per unit.
        indicator_error: Held-out mean squared error of the ridge regression of the class indicators, mean over classes.
        cross_entropy: Held-out cross-entropy at the best moment of the trial, in nats per sample; None without a trial,
            infinite if it diverged.
        standard_error: Its standard error, in nats.
        accuracy: Share of the held-out samples whose class the trial finds at that moment.
        steps: Steps of the trial.
    """

    encoding: EncodingKind | None
    bandwidth: tuple[float, ...]
    indicator_error: float
    cross_entropy: float | None = None
    standard_error: float | None = None
    accuracy: float | None = None
    steps: int = 0


@final
@dataclass(frozen=True, repr=False)
class ClassPlan(Result):
    """Bandwidth for a network that learns labels, judged by cross-entropy. `str` of it describes the choice.

    Attributes:
        classes: The labels, ascending.
        chosen: The recommended candidate.
        candidates: All that were compared, in the order of the search.
        recommended: Whether the trial of the chosen one is better than the classes' frequencies by twice the standard
            error of its cross-entropy; without trials, whether the regression is better than the frequencies.
        baseline: Held-out cross-entropy of the classes' frequencies among the training samples, in nats per sample.
        most_frequent: Share of the held-out samples of the class that is most frequent among the training samples.
        held_out: Number of held-out samples.
        steps: Steps of the run that was planned.
        lr: Learning rate of Adam.
        batch: Samples per step; None for all up to 8,192.
        unit: Unit of the bandwidth.
        setting: What the caller's own network takes; None for a network of overtone.
        enough_steps: Steps of a run that is long enough for trials; None where they were made or not asked for.
    """

    classes: tuple[float, ...]
    chosen: ClassCandidate
    candidates: tuple[ClassCandidate, ...]
    recommended: bool
    baseline: float
    most_frequent: float
    held_out: int
    steps: int
    lr: float
    batch: int | None
    unit: str
    setting: NetworkSetting | None = None
    enough_steps: int | None = None

    @property
    def encoding(self) -> EncodingKind | None:
        """The recommended encoding; None for a network of the caller."""
        return self.chosen.encoding

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """The recommended bandwidth per axis, in cycles per unit."""
        return self.chosen.bandwidth

    def __str__(self) -> str:
        return " ".join(_sentences(self))


def is_labelled(signal: Signal[Geometry]) -> bool:
    """Whether a signal has one channel of probable labels: two values, or few whole numbers, each in many samples.

    Args:
        signal: Any signal; not one of quantities.

    Raises:
        InputError: If one of several channels has them.
    """
    if signal.quantities:
        return False
    values = signal.values.cpu().numpy()
    if values.shape[1] == 1:
        return label_values(values[:, 0]) is not None
    refuse_labels(values, signal.channels, signal.name)
    return False


def indicators(signal: Signal[Geometry]) -> tuple[Signal[Geometry], tuple[float, ...]]:
    """Return a signal of one channel per class, 1 for samples of the class and 0 otherwise, and the classes.

    Args:
        signal: A signal of one channel of labels.
    """
    labels, inverse = torch.unique(signal.values[:, 0], return_inverse=True)
    count = len(labels)
    # Not normalised: the network's outputs are logits.
    none = Normalisation(torch.zeros(count, device="cpu").double(), torch.ones(count, device="cpu").double())
    values = torch.nn.functional.one_hot(inverse, count).double()
    names = tuple(f"{label:.10g}" for label in labels.tolist())
    made = replace(signal, values=values, channels=names, normalisation=none, peak=1.0, clean=None)
    return made, tuple(labels.tolist())


@final
@dataclass(frozen=True)
class LabelCandidates:
    """Candidates for a classifier.

    Attributes:
        ladder: Entries of ascending bandwidth.
        encodings: Encodings that are tried besides, at the best bandwidth of the ladder.
        build: Builds the untrained network of an entry for a seed, with one output per class.
        setting: What a network of the caller takes for a bandwidth; None for networks of overtone.
    """

    ladder: Sequence[Entry]
    encodings: Sequence[EncodingKind]
    build: Callable[[Entry, int], Field]
    setting: Callable[[tuple[float, ...]], NetworkSetting] | None = None


def plan_labels(
    signal: Signal[Geometry],
    classes: tuple[float, ...],
    compared: LabelCandidates,
    training: TrainingConfig,
    choose: Choosing,
    device: torch.device,
) -> ClassPlan:
    """Choose a bandwidth for a classifier.

    The ladder is ranked by ridge regression of the class indicators on untrained copies of the network. The best three,
    and the other encodings at the best bandwidth, are trained by cross-entropy, together for at most a quarter of the
    run. The regressions choose, since short trainings show what is fast; the cross-entropy says how good it is.
    Networks of the caller, which regressions may not rank, are chosen by cross-entropy: the lowest bandwidth within two
    standard errors of the least.

    Args:
        signal: Class indicators with held-out samples, from `indicators`.
        classes: The labels.
        compared: The candidates.
        training: Settings of the run, with its steps.
        choose: Whether to train candidates.
        device: Device of the training.

    Raises:
        InputError: If the training or the held-out samples have only one class.
    """
    trials = _Trials(signal, training, device)
    steps = training.max_steps
    assert steps is not None
    assert training.lr is not None
    scorer = RidgeScorer(signal, steps, training.seed, device)

    def scored(entry: Entry) -> ClassCandidate:
        return ClassCandidate(*entry, scorer.score(lambda seed: compared.build(entry, seed)).best_error)

    ladder = [scored(entry) for entry in compared.ladder]
    ranked = sorted(ladder, key=lambda candidate: candidate.indicator_error)
    others = [scored((kind, ranked[0].bandwidth)) for kind in compared.encodings]
    candidates, entrants = [*ladder, *others], [*ranked[:TRIED], *others]
    length = min(MAX_TRIAL_STEPS, math.floor(TRIAL_SHARE * steps / len(entrants)))
    enough = math.ceil(MIN_TRIAL_STEPS * len(entrants) / TRIAL_SHARE) if choose is Choosing.THOROUGH else None
    if choose is Choosing.THOROUGH and length >= MIN_TRIAL_STEPS:
        enough = None
        tried = {
            entrant: trials.run(
                compared.build((entrant.encoding, entrant.bandwidth), training.seed), entrant, length
            )
            for entrant in entrants
        }
        candidates = [tried.get(candidate, candidate) for candidate in candidates]
    # Short trials show speed: with Fourier features the regressions rank better; other networks they may not rank.
    chosen = _lowest(candidates) if compared.setting is not None else min(candidates, key=_indicator_error)
    return ClassPlan(
        classes,
        chosen,
        tuple(candidates),
        trials.is_better(chosen)
        if chosen.cross_entropy is not None
        else chosen.indicator_error < trials.indicator_baseline,
        trials.baseline,
        trials.most_frequent,
        trials.held_out,
        steps,
        training.lr,
        training.batch,
        signal.geometry.frequency_unit,
        None if compared.setting is None else compared.setting(chosen.bandwidth),
        enough,
    )


def _indicator_error(candidate: ClassCandidate) -> tuple[bool, float]:
    """Order by regression; what diverged in its trial comes last."""
    return candidate.cross_entropy == math.inf, candidate.indicator_error


def _cross_entropy(candidate: ClassCandidate) -> float:
    return math.inf if candidate.cross_entropy is None else candidate.cross_entropy


def _lowest(candidates: Sequence[ClassCandidate]) -> ClassCandidate:
    """The lowest candidate within `CLOSE` standard errors of the least cross-entropy, or the best by regression."""
    tried = [candidate for candidate in candidates if candidate.cross_entropy is not None]
    if not tried:
        return min(candidates, key=_indicator_error)
    best = min(tried, key=_cross_entropy)
    limit = _cross_entropy(best) + CLOSE * (best.standard_error or 0.0)
    close = [candidate for candidate in tried if _cross_entropy(candidate) <= limit]
    return min(close, key=lambda candidate: math.prod(candidate.bandwidth))


class _Trials:
    """Short trainings by cross-entropy, judged by held-out samples."""

    def __init__(self, signal: Signal[Geometry], training: TrainingConfig, device: torch.device) -> None:
        self._signal, self._training, self._device = signal, training, device
        classes = signal.values.argmax(1)
        train, held = classes[signal.train_index].cpu(), classes[signal.held_out_index].cpu()
        self._coords, self._classes = signal.geometry.coords(signal.held_out_index).to(device), held
        frequency = torch.bincount(train, minlength=signal.values.shape[1]).double() / len(train)
        if int((frequency > 0).sum()) < 2 or len(torch.unique(held)) < 2:
            raise InputError(
                "at least two classes among the training and among the held-out samples",
                "one",
                "pass more samples of the rarer classes",
                "signal",
            )
        # A class that only the held-out samples have would have an infinite cross-entropy.
        frequency = frequency.clamp_min(1 / (2 * len(train)))
        self.held_out = len(held)
        self.baseline = float(-frequency.log()[held].mean())
        self.most_frequent = float((held == frequency.argmax()).double().mean())
        indicators = signal.values[signal.held_out_index].cpu()
        self.indicator_baseline = float((indicators - frequency).square().mean())

    def is_better(self, candidate: ClassCandidate) -> bool:
        """Whether a trial is better than the classes' frequencies by more than chance."""
        assert candidate.cross_entropy is not None
        assert candidate.standard_error is not None
        return candidate.cross_entropy + 2 * candidate.standard_error < self.baseline

    def run(self, field: Field, candidate: ClassCandidate, steps: int) -> ClassCandidate:
        """Train a network for some steps, and return the candidate with its best moment."""
        field = field.to(self._device)
        best = replace(candidate, cross_entropy=math.inf, standard_error=0.0, accuracy=0.0, steps=steps)

        def observe(step: int, *_: object) -> None:
            nonlocal best
            if step:
                best = min(best, self._evaluated(field, best), key=_cross_entropy)

        # A constant rate: a decay that ends with the trial would not be the beginning of the run's.
        options = replace(self._training, steps=steps, seconds=None, decay=Decay.CONSTANT, compile=False)
        marks = {max(1, round(part * steps)) for part in MARKS}
        try:
            train(field, self._signal, options, observe, wants=marks.__contains__, criterion=cross_entropy)
        except RunError:
            # A network that diverges within the trial is no candidate; the others decide.
            return best
        return best

    def _evaluated(self, field: Field, candidate: ClassCandidate) -> ClassCandidate:
        logits = evaluate_normalised(field, self._coords)
        losses = cross_entropy(logits, self._classes, reduction="none")
        if not bool(losses.isfinite().all()):
            return candidate
        error = float(losses.std(correction=0)) / math.sqrt(len(losses))
        correct = float((logits.argmax(1) == self._classes).double().mean())
        return replace(candidate, cross_entropy=float(losses.mean()), standard_error=error, accuracy=correct)


def _sentences(plan: ClassPlan) -> list[str]:
    """The plan in sentences."""
    chosen, names = plan.chosen, ", ".join(f"{label:.10g}" for label in plan.classes)
    text = [
        f"The values are labels of {len(plan.classes)} classes ({names}): networks with one output "
        "per class are judged by cross-entropy, never by squared error of the numbers."
    ]
    by = f"{len(plan.candidates)} candidates were compared by regression of the class indicators"
    tried = [c for c in plan.candidates if c.cross_entropy is not None]
    name = f"{format_per_axis(chosen.bandwidth)} {plan.unit}"
    if chosen.encoding is EncodingKind.NONE:
        name = "no encoding"
    elif chosen.encoding is not None:
        name = f"{chosen.encoding.value} features of {name}"
    if plan.setting is not None:
        name += f" ({number(plan.setting.value)} in the convention of {plan.setting.library!r})"
    if not tried:
        text.append(f"{by}; {name} is best. None was trained.")
        if plan.enough_steps is not None:
            text.append(
                f"A run of {plural(plan.steps, 'step')} is too short to train any; {plan.enough_steps} are enough."
            )
    else:
        text.append(
            f"{by}, and {len(tried)} trained for {plural(tried[0].steps, 'step')} each; chosen is {name}"
            f"{_outcome(plan)}. The classes' frequencies alone have {plan.baseline:.3f} nats and "
            f"{percent(plan.most_frequent)}."
        )
    if not plan.recommended:
        text.append("No candidate is better than the classes' frequencies: training is not recommended.")
    return text


def _outcome(plan: ClassPlan) -> str:
    """Return the sentence on the trial of the chosen candidate."""
    loss, accuracy = plan.chosen.cross_entropy, plan.chosen.accuracy
    if loss is None or accuracy is None:
        return ", the best of those that were not trained: the trained ones diverged"
    if math.isinf(loss):
        return ", whose training diverged as all others did"
    return (
        f", with a cross-entropy of {loss:.3f} nats and {percent(accuracy)} correct on "
        f"{plural(plan.held_out, 'held-out sample')}"
    )
