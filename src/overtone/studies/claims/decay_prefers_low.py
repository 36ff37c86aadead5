"""Weight decay and the share of high frequencies in what a network has learned."""

from __future__ import annotations

import math

import numpy as np
import torch

from overtone.nn import MLP
from overtone.studies import AtMost, Axes, Condition, Effort, Family, Measured, Size, Study

SAMPLES = 64

FINE = 256
"""Points at which the learned function is looked at, most of them between samples."""

FREQUENCIES = [1, 2, 4, 8]
"""Waves of equal amplitude in the target, in cycles per turn."""

HIGH = 6
"""Frequencies from here on are high; the target has a quarter of its power there."""


def measure(
    seed: int, decay: float, equal_error: bool, constant_only: bool, width: int, steps: int
) -> Measured:
    """log2 of the high share of the learned function with decay over that without."""
    errors, free = training(seed, 0.0, constant_only, width, steps)
    decayed_errors, decayed = training(seed, decay, constant_only, width, steps)
    reached = errors <= decayed_errors[-1]
    without = free[int(np.argmax(reached)) if equal_error and reached.any() else -1]
    gains = {
        name: (FREQUENCIES, 2 * np.sqrt(power[FREQUENCIES]))
        for name, power in (("without decay", without), ("with decay", decayed[-1]))
    }
    return Measured(math.log2(high_share(decayed[-1]) / high_share(without)), gains)


def high_share(power: np.ndarray) -> float:
    """What lies at high frequencies of the power, the mean's apart."""
    return float(power[HIGH:].sum() / power[1:].sum())


def training(
    seed: int, decay: float, constant_only: bool, width: int, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """(step,) mean square errors on the samples, and (step, frequency) power of the function between them."""
    angle, fine = (2 * math.pi * torch.arange(n) / n for n in (SAMPLES, FINE))
    points, between = (torch.stack([a.cos(), a.sin()], 1) for a in (angle, fine))
    target = torch.stack([torch.cos(k * angle + seed * k) for k in FREQUENCIES]).sum(0)[:, None]
    network = MLP(2, 1, width, 2, seed=seed)
    *weights, constant = network.parameters()
    rule = torch.optim.AdamW(weights, lr=3e-3, weight_decay=0.0 if constant_only else decay)
    rule.add_param_group({"params": [constant], "weight_decay": decay})
    errors, powers = [], []
    for _ in range(steps):
        with torch.no_grad():
            powers.append(torch.fft.rfft(network(between)[:, 0], norm="forward").abs().square().numpy())
        loss = (network(points) - target).square().mean()
        errors.append(float(loss.detach()))
        rule.zero_grad()
        loss.backward()
        rule.step()
    return np.array(errors), np.stack(powers)


STUDY = Study(
    name="decay-prefers-low",
    family=Family.DESIGN,
    claim="Weight decay strengthens a network's preference for low frequencies.",
    source="Rahaman et al. 2019, On the spectral bias of neural networks (arXiv:1806.08734), section 2, for weights "
    "that bound high frequencies; said of weight decay without a source",
    statistic="share of the learned function's power at 6 cycles and above with AdamW's decay over that without, in "
    "octaves",
    criterion=AtMost(-0.25),
    conditions=tuple(
        Condition(name, {"decay": decay, "equal_error": equal, "constant_only": False})
        for name, decay, equal in (
            ("decay 0.01, equal steps", 0.01, False),
            ("decay 0.1, equal steps", 0.1, False),
            ("decay 1, equal steps", 1.0, False),
            ("decay 1, equal training error", 1.0, True),
        )
    ),
    control=Condition(
        "decay 1 on the output's constant alone", {"decay": 1.0, "equal_error": False, "constant_only": True}
    ),
    measure=measure,
    axes=Axes("Frequency (cycles per turn)", "Learned amplitude", log_x=True),
    efforts={
        Size.SMOKE: Effort(1, {"width": 8, "steps": 3}),
        Size.QUICK: Effort(5, {"width": 64, "steps": 800}),
        Size.FULL: Effort(20, {"width": 256, "steps": 20_000}),
    },
    depends="the strength of the decay",
    caveat="Small ReLU networks on a circle and a target without noise. At the rate of 3e-3 decay of 1 shrinks weights "
    "11 times over these 800 steps, if nothing pulls back, and decay of 0.01 by 2 %; longer runs shrink more. At equal "
    "training error the run without decay is the one that is stopped early, and most of the difference is gone. Decay "
    "of 0.1 lowers the share on every seed, by less than is asked.",
)
