"""Plans for labels: judged by cross-entropy, never by squared error of the numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from overtone import nn as ot_nn
from overtone import planning, signals
from overtone._config import EncodingKind, TrainingConfig
from overtone.errors import InputError
from overtone.planning import Budget, ClassPlan
from overtone.planning._labels import ClassCandidate, _indicator_error, _lowest, _Trials, indicators
from overtone.planning._run_size import RunSize

SIZE = RunSize(32, 2, 32, 240, None, 4e-3)
LABELS = (-1.0, 3.0, 7.0)


def places(samples: int = 600, axes: int = 2) -> Tensor:
    return torch.rand(samples, axes, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def striped(kind: str = "points") -> signals.Signal:
    """Three classes that alternate twice along the first axis."""
    x = places()
    return signals.points(x, torch.tensor(LABELS)[(6 * x[:, 0]).long() % 3], kind=kind)


@pytest.fixture(scope="module")
def plan() -> ClassPlan:
    return planning.plan(striped(), size=SIZE)


def test_the_classes_are_judged_by_cross_entropy(plan: ClassPlan) -> None:
    assert plan.classes == LABELS
    assert plan.recommended
    assert 1 <= plan.bandwidth[0] <= 8
    tried = [candidate for candidate in plan.candidates if candidate.cross_entropy is not None]
    assert plan.chosen.indicator_error == min(candidate.indicator_error for candidate in plan.candidates)
    assert plan.chosen in tried
    # The lowest bandwidths have less than one cycle across, where the stripes have two.
    assert plan.candidates[0].indicator_error > plan.chosen.indicator_error
    assert EncodingKind.NONE in {candidate.encoding for candidate in tried}
    # At most a quarter of the run.
    assert sum(candidate.steps for candidate in tried) <= SIZE.steps / 4
    text = str(plan)
    assert "labels of 3 classes (-1, 3, 7)" in text
    assert f"{plan.chosen.cross_entropy:.3f} nats" in text


def test_the_same_labels_by_other_names_give_the_same_plan(plan: ClassPlan) -> None:
    # Squared error of the numbers would differ.
    signal = striped()
    renamed = signals.points(signal.coords, (signal.values == 3).double() + 2 * (signal.values == 7).double())
    other = planning.plan(renamed, size=SIZE)
    assert other.classes == (0, 1, 2)
    assert other.candidates == plan.candidates


def test_frequencies_of_the_classes_are_the_baseline() -> None:
    made, _ = indicators(striped().with_held_out(torch.arange(600) % 10 == 0))
    trials = _Trials(made, TrainingConfig(steps=10, lr=1e-3), torch.device("cpu"))
    labels = made.values.argmax(1)
    train, held = labels[made.train_index], labels[made.held_out_index]
    shares = [float((train == k).double().mean()) for k in range(3)]
    expected = -sum(math.log(shares[k]) for k in held.tolist()) / len(held)
    assert trials.baseline == pytest.approx(expected, rel=1e-12)
    assert trials.held_out == 60
    often = shares.index(max(shares))
    assert trials.most_frequent == pytest.approx(float((held == often).double().mean()))


def test_a_trial_has_the_cross_entropy_of_its_best_moment() -> None:
    made, _ = indicators(striped().with_held_out(torch.arange(600) % 10 == 0))

    class Fixed(nn.Module):
        """Logits that no training changes but by a constant, which softmax ignores."""

        def __init__(self) -> None:
            super().__init__()
            self.shift = nn.Parameter(torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([x[:, 0], 2 * x[:, 1], 0 * x[:, 0]], 1) + self.shift

    trials = _Trials(made, TrainingConfig(steps=10, lr=1e-3), torch.device("cpu"))
    trial = trials.run(
        ot_nn.Field(ot_nn.encodings.Identity(2), Fixed()), ClassCandidate(None, (1.0, 1.0), 0.2), 4
    )
    held = made.held_out_index
    logits, labels = Fixed()(made.geometry.coords(held)).detach(), made.values[held].argmax(1)
    losses = torch.logsumexp(logits, 1) - logits[torch.arange(len(held)), labels]
    # Coordinates and logits of the network are in single precision.
    assert trial.cross_entropy == pytest.approx(float(losses.mean()), rel=1e-6)
    assert trial.standard_error == pytest.approx(float(losses.std(correction=0)) / len(held) ** 0.5, rel=1e-5)
    assert trial.accuracy == pytest.approx(float((logits.argmax(1) == labels).double().mean()))
    assert trial.steps == 4


def test_a_perfect_trial_is_better_than_one_that_diverged() -> None:
    made, _ = indicators(striped().with_held_out(torch.arange(600) % 10 == 0))
    classes = made.values.argmax(1)

    class Known(nn.Module):
        """Logits so far apart that the cross-entropy is 0, or not finite."""

        def __init__(self, size: float) -> None:
            super().__init__()
            self.size = nn.Parameter(torch.tensor(size))

        def forward(self, x: Tensor) -> Tensor:
            stripe = (6 * x[:, 0].double()).long() % 3
            return self.size * torch.nn.functional.one_hot(stripe, 3).to(x.dtype)

    trials = _Trials(made, TrainingConfig(steps=10, lr=1e-3), torch.device("cpu"))
    candidate = ClassCandidate(None, (1.0, 1.0), 0.2)
    perfect, diverged = (
        trials.run(ot_nn.Field(ot_nn.encodings.Identity(2), Known(size)), candidate, 4)
        for size in (1e4, math.inf)
    )
    assert int(classes.max()) == 2
    assert (perfect.cross_entropy, perfect.accuracy) == (0.0, 1.0)
    assert diverged.cross_entropy == math.inf
    assert _lowest([diverged, perfect]) == perfect
    assert min([diverged, perfect], key=_indicator_error) == perfect


def test_labels_without_structure_are_not_recommended() -> None:
    coin = torch.randint(2, (600,), generator=torch.Generator().manual_seed(1)).double()
    plan = planning.plan(signals.points(places(), coin), size=SIZE)
    assert not plan.recommended
    assert "training is not recommended" in str(plan)


def test_a_network_of_ones_own_returns_one_logit_per_class() -> None:
    class Waves(nn.Module):
        def __init__(self, sigma: float, outputs: int) -> None:
            super().__init__()
            self.register_buffer("frequencies", sigma * torch.randn(2, 32))
            self.head = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, outputs))

        def forward(self, x: Tensor) -> Tensor:
            turns = 2 * torch.pi * x @ self.frequencies
            return self.head(torch.cat([turns.sin(), turns.cos()], 1))

    budget = Budget(steps=240)
    plan = planning.plan(striped(), budget, network=lambda s: Waves(s, 3), library="tancik", lr=4e-3)
    assert plan.encoding is None
    assert plan.setting is not None
    assert plan.setting.library == "tancik"
    assert f"in the convention of '{plan.setting.library}'" in str(plan)
    tried = [candidate for candidate in plan.candidates if candidate.cross_entropy is not None]
    best = min(tried, key=lambda candidate: candidate.cross_entropy)
    within = [c for c in tried if c.cross_entropy <= best.cross_entropy + 2 * best.standard_error]
    assert plan.bandwidth == min(candidate.bandwidth for candidate in within)
    with pytest.raises(InputError, match=r"give its last layer 3 outputs"):
        planning.plan(striped(), budget, network=lambda s: Waves(s, 1), library="tancik")


def test_without_trials_the_regression_of_the_indicators_decides() -> None:
    plan = planning.plan(striped("table"), size=SIZE, choose="quick")
    assert plan.chosen.cross_entropy is None
    assert plan.chosen.indicator_error == min(candidate.indicator_error for candidate in plan.candidates)
    assert EncodingKind.PERIODIC in {candidate.encoding for candidate in plan.candidates}
    assert "None was trained." in str(plan)


def test_held_out_samples_of_one_class_are_refused() -> None:
    x = places()
    signal = signals.points(x, (x[:, 0] > 0.5).double()).with_held_out(x[:, 0] > 0.9)
    with pytest.raises(
        InputError, match="at least two classes among the training and among the held-out samples"
    ):
        planning.plan(signal, size=SIZE)
    few = signals.points(x[:24], (x[:24, 0] > 0.5).double())
    with pytest.raises(InputError, match="at least 32 samples with labels"):
        planning.plan(few, size=SIZE)


def test_a_run_too_short_for_trials_is_told_what_would_be_enough() -> None:
    short = planning.plan(striped(), Budget(steps=20))
    assert "A run of 20 steps is too short to train any" in str(short)
    assert f"{short.enough_steps} are enough" in str(short)
    enough = planning.plan(striped(), Budget(steps=short.enough_steps))
    assert enough.enough_steps is None
    assert any(candidate.steps for candidate in enough.candidates)
    assert planning.plan(striped(), Budget(steps=20), choose="quick").enough_steps is None
