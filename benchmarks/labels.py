"""Bandwidths chosen for classifiers: `python -m benchmarks labels`.

Each problem is trained at every bandwidth of the ladder and without an encoding: 3 x 64 units, 600 steps of Adam, 1,500
samples with their labels, two seeds. The regret is the cross-entropy of the chosen bandwidth minus the least of all,
each at its own best step, in nats on 4,000 samples of the same distribution set apart. Problems of "design" were looked
at while the rule was written; those of "sealed" were run once, afterwards.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import overtone as ot
from overtone._config import EncodingKind, ModelConfig
from overtone._utils.seeding import derive_seed
from overtone.nn._build import build_field
from overtone.planning._labels import indicators
from overtone.planning._run_size import RunSize
from overtone.signals import Points, Signal

SAMPLES, TEST, STEPS, SEEDS = 1500, 4000, 600, (0, 1)
SIZE = RunSize(64, 3, 64, STEPS, None, 2e-3)

Rule = Callable[[Tensor, torch.Generator], Tensor]


def board(cycles: float, wrong: float = 0.0) -> Rule:
    """Return the classes of a chessboard, a share of them wrong."""

    def rule(x: Tensor, draws: torch.Generator) -> Tensor:
        waves = torch.sin(2 * math.pi * cycles * x[:, :2]).prod(1)
        return _spoiled((waves > 0).long(), 2, wrong, draws)

    return rule


def rings(count: float, classes: int, wrong: float = 0.0) -> Rule:
    """Return classes that alternate with the distance from the centre."""

    def rule(x: Tensor, draws: torch.Generator) -> Tensor:
        return _spoiled((((x - 0.5).norm(dim=1) * count).floor() % classes).long(), classes, wrong, draws)

    return rule


def halves(x: Tensor, _: torch.Generator) -> Tensor:
    """Return two classes with one smooth border."""
    return (x[:, 0] + 0.1 * torch.sin(6 * x[:, 1]) > 0.5).long()


def sharp_rule(x: Tensor, draws: torch.Generator) -> Tensor:
    """Return a rare class within a narrow band of one column, as of fraud: about one sample in ten."""
    inside = ((x[:, 0] - 0.62).abs() < 0.06) & (x[:, 1] > 0.15)
    return _spoiled(inside.long(), 2, 0.02, draws)


def stripes(x: Tensor, draws: torch.Generator) -> Tensor:
    """Return three classes along one column of several, 10 % of them wrong."""
    return _spoiled(((x[:, 0] * 9).floor() % 3).long(), 3, 0.1, draws)


def overlapping(x: Tensor, draws: torch.Generator) -> Tensor:
    """Return two classes whose probability varies smoothly."""
    chance = torch.sigmoid(4 * torch.sin(2 * math.pi * x[:, 0]) + 2 * (x[:, 1] - 0.5))
    return (torch.rand(len(x), generator=draws) < chance).long()


def spirals(x: Tensor, _: torch.Generator) -> Tensor:
    """Return the arms of three spirals."""
    y = x - 0.5
    turn = torch.atan2(y[:, 1], y[:, 0]) / (2 * math.pi) + 3 * y.norm(dim=1)
    return ((3 * turn).floor() % 3).long()


def chirp(x: Tensor, _: torch.Generator) -> Tensor:
    """Return two classes that alternate faster and faster along one axis."""
    return (torch.sin(2 * math.pi * 8 * x[:, 0] ** 2) > 0).long()


PROBLEMS: dict[str, tuple[str, Rule, int]] = {
    "chessboard, 4 cycles": ("design", board(4), 2),
    "chessboard, 2 cycles, 10 % wrong": ("design", board(2, 0.1), 2),
    "rings, 3 classes": ("design", rings(10, 3), 2),
    "one border": ("design", halves, 2),
    "sharp rule in a table of 4": ("design", sharp_rule, 4),
    "stripes in a table of 3, 10 % wrong": ("sealed", stripes, 3),
    "overlapping classes": ("sealed", overlapping, 2),
    "three spirals": ("sealed", spirals, 2),
    "alternating faster": ("sealed", chirp, 2),
    "chessboard in 3-D, 1 cycle": ("sealed", board(1), 3),
    "rings, 2 classes, 20 % wrong": ("sealed", rings(6, 2, 0.2), 2),
    "sharp rule in a table of 8": ("sealed", sharp_rule, 8),
}


def main() -> list[dict[str, object]]:
    """Rows of a summary, then of every problem and seed."""
    rows = [
        _row(name, group, rule, axes, seed)
        for name, (group, rule, axes) in PROBLEMS.items()
        for seed in SEEDS
    ]
    for row in rows:
        print(row, flush=True)
    summary = []
    for group in ("design", "sealed"):
        chosen = [row for row in rows if row["group"] == group]
        means = {
            key: sum(float(str(row[key])) for row in chosen) / len(chosen)
            for key in ("regret", "1 cycle", "none", "time of the choice / one run")
        }
        worst = {key: max(float(str(row[key])) for row in chosen) for key in ("regret", "1 cycle", "none")}
        summary.append({"name": f"{group}, mean", "group": group} | means)
        summary.append({"name": f"{group}, worst", "group": group} | worst)
    return summary + rows


def _row(name: str, group: str, rule: Rule, axes: int, seed: int) -> dict[str, object]:
    draws = torch.Generator().manual_seed(derive_seed(seed, "labels", name))
    x = torch.rand(SAMPLES + TEST, axes, generator=draws, dtype=torch.float64)
    y = rule(x, draws)
    kind = "table" if axes > 2 else "points"
    signal = ot.signals.points(x[:SAMPLES], y[:SAMPLES].double(), kind=kind)
    start = time.process_time()
    plan = ot.plan(signal, size=SIZE, seed=seed)
    choosing = time.process_time() - start
    assert isinstance(plan, ot.planning.ClassPlan)
    losses, took = {}, []
    for candidate in plan.candidates:
        start = time.process_time()
        assert candidate.encoding is not None
        key = (candidate.encoding, candidate.bandwidth)
        losses[key] = _trained(signal, *key, x[SAMPLES:], y[SAMPLES:], seed)
        took.append(time.process_time() - start)
    best = min(losses.values())
    chosen = losses[plan.chosen.encoding, plan.chosen.bandwidth]  # type: ignore[index]
    one = min((k for k in losses if k[0] is EncodingKind.GAUSSIAN), key=lambda k: abs(math.log(k[1][0])))
    none = next(loss for key, loss in losses.items() if key[0] is EncodingKind.NONE)
    return {
        "name": f"{name}, seed {seed}",
        "group": group,
        "regret": round(chosen - best, 4),
        "1 cycle": round(losses[one] - best, 4),
        "none": round(none - best, 4),
        "best": round(best, 4),
        "chosen": f"{plan.encoding.value if plan.encoding else ''} {plan.bandwidth[0]:.3g}",
        "time of the choice / one run": round(choosing / (sum(took) / len(took)), 3),
    }


def _trained(
    signal: Signal[Points],
    kind: EncodingKind,
    bandwidth: tuple[float, ...],
    x: Tensor,
    y: Tensor,
    seed: int,
) -> float:
    """Train on all samples, and return the least cross-entropy on others at every 20th step, in nats."""
    made, _ = indicators(signal)
    settings = ModelConfig(kind, bandwidth, width=SIZE.width, depth=SIZE.depth, features=SIZE.features)
    field = build_field(
        made,
        settings if settings.has_bandwidth else replace(settings, bandwidth=None),
        derive_seed(seed, "run"),
    )
    optimizer = torch.optim.Adam(field.parameters(), SIZE.lr)
    inputs, labels, best = made.coords, made.values.argmax(1), math.inf
    for step in range(1, STEPS + 1):
        optimizer.zero_grad(set_to_none=True)
        cross_entropy(field.normalised(inputs), labels).backward()
        optimizer.step()
        if step % 20 == 0:
            with torch.no_grad():
                best = min(best, float(cross_entropy(field.normalised(x), y)))
    return best


def _spoiled(labels: Tensor, classes: int, wrong: float, draws: torch.Generator) -> Tensor:
    """Return labels of which a share is drawn at random."""
    other = torch.randint(classes, labels.shape, generator=draws)
    return torch.where(torch.rand(len(labels), generator=draws) < wrong, other, labels)
