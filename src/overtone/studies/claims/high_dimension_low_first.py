"""In many dimensions too, the smooth part of a target is learned before the rest."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from overtone import Probe
from overtone._utils.optional import import_optional
from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.probes import EveryN, views
from overtone.records import metrics
from overtone.spectra import clouds as cloud
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study


def measure(
    seed: int, data: str, activation: str, dealt: bool, samples: int, steps: int, width: int
) -> Measured:
    """How many times as many steps the high part takes as the low part, as a logarithm to base 2."""
    loaded = getattr(import_optional("sklearn.datasets", "sklearn"), f"load_{data}")()
    chosen = numpy_generator(seed, "samples").permutation(len(loaded.target))[:samples]
    table = torch.tensor(loaded.data[chosen], dtype=torch.float32)
    rows = table / 16 if data == "digits" else (table - table.mean(0)) / table.std(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "network"))
        between = {"tanh": nn.Tanh(), "relu": nn.ReLU()}[activation]
        out = len(loaded.target_names)
        network = nn.Sequential(nn.Linear(rows.shape[1], width), between, nn.Linear(width, out))
    return apart(network, rows, torch.tensor(loaded.target[chosen]), dealt, seed, steps)


def apart(network: nn.Module, inputs: Tensor, labels: Tensor, dealt: bool, seed: int, steps: int) -> Measured:
    """Steps until half of the high part of the classes is learned over those for the low part, in octaves.

    The low part is what a Gaussian filter over the samples keeps, of a width that parts the classes' power in two. Half
    of a part is learned when the network's probabilities, projected on it, first reach a half of its length.

    Args:
        network: Classifier, of logits.
        inputs: (N, ...) samples.
        labels: (N,) their classes.
        dealt: Whether the network is shown another sample in place of each, always the same.
        seed: Of the dealing.
        steps: How many, of Adam on all samples.
    """
    rows = inputs.flatten(1)
    width = cloud.GaussianFilter.widths_for(rows, nn.functional.one_hot(labels), (0.5,))
    order = torch.from_numpy(numpy_generator(seed, "dealt").permutation(len(inputs)))
    shown = inputs[order] if dealt else inputs
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    watched = views.filters(shown, labels, features=rows, widths=width)
    with Probe(watched, network, schedule=EveryN(2)) as probe:
        for step in range(steps + 1):
            probe(step, force=step == steps)
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(shown), labels).backward()
            optimizer.step()
        record = metrics.combine_channels(probe.record)
    fraction = metrics.learned_fraction(record).transpose("step", "band").values
    at = record.step.values
    low, high = (first(at, fraction[:, band]) for band in (1, -1))
    curves = {name: (at, fraction[:, band]) for name, band in (("low part", 1), ("high part", -1))}
    return Measured(float(np.log2(high / low)), curves)


def first(steps: np.ndarray, fraction: np.ndarray) -> float:
    """The first step with a fraction of a half or more; the last one if there is none."""
    reached = np.flatnonzero(fraction >= 0.5)
    return float(max(1, steps[reached[0]] if len(reached) else steps[-1]))


STUDY = Study(
    name="high-dimension-low-first",
    family=Family.ORDER,
    claim="In high dimension too, networks learn low frequencies first.",
    source="Xu et al. 2019, Frequency principle: Fourier analysis sheds light on deep neural networks, section 3, the "
    "filtering method (arXiv:1901.06523)",
    statistic="steps to learn half of what varies fast from sample to sample over those for what varies slowly, in "
    "octaves",
    criterion=AtLeast(0.25),
    conditions=(
        Condition("digits, 64 dimensions, tanh", {"data": "digits", "activation": "tanh", "dealt": False}),
        Condition("digits, 64 dimensions, ReLU", {"data": "digits", "activation": "relu", "dealt": False}),
        Condition(
            "table of tumours, 30 dimensions, tanh",
            {"data": "breast_cancer", "activation": "tanh", "dealt": False},
        ),
    ),
    control=Condition(
        "digits, each shown in place of another", {"data": "digits", "activation": "tanh", "dealt": True}
    ),
    measure=measure,
    axes=Axes("Step", "Learned fraction"),
    efforts={
        Size.SMOKE: Effort(1, {"samples": 100, "steps": 10, "width": 16}),
        Size.QUICK: Effort(5, {"samples": 400, "steps": 300, "width": 200}),
        Size.FULL: Effort(20, {"samples": 1797, "steps": 2000, "width": 200}),
    },
    depends="the data",
    caveat="Low is what a Gaussian filter over the samples keeps, of the width that parts the power of the classes in "
    "two; directions and other widths are left out. The control's network cannot know which samples are near each "
    "other, so there both parts are learned alike.",
)
