"""Recurrent, convolutional and attention networks learn the low one of two tones first."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from overtone._utils.seeding import derive_seed
from overtone.spectra.sequence import SequenceTransform, TemporalEstimator
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study

LENGTH, COUNT, LOW, HIGH = 32, 4, 1, 5


def measure(seed: int, kind: str, amplitude: float, steps: int, width: int, handed: bool = False) -> Measured:
    """How many times as many steps the high tone takes as the low one, as a logarithm to base 2."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, kind))
        network, offset = build(kind, width), torch.rand(COUNT, 1, 1)
    u = torch.arange(LENGTH)[:, None] / LENGTH + offset
    target = torch.sin(2 * math.pi * LOW * u) + amplitude * torch.sin(2 * math.pi * HIGH * u)
    given = torch.sin(2 * math.pi * HIGH * u) if handed else 2 * u - 2
    errors = train(network, given, target, steps)
    learned = [first_below(course) for course in errors.T]
    value = math.log2(learned[1] / learned[0])
    shown = np.unique(np.geomspace(1, steps, 40).round().astype(int)) - 1
    curves = {name: (shown + 1, errors[shown, i]) for i, name in enumerate(("low tone", "high tone"))}
    return Measured(value, curves)


def train(network: nn.Module, given: Tensor, target: Tensor, steps: int) -> np.ndarray:
    """(step, tone) relative errors while Adam fits the target."""
    bands = [0.0, *((k + d) / LENGTH for k in (LOW, HIGH) for d in (-0.5, 0.5)), 0.5]
    transform = SequenceTransform(LENGTH, bands=bands, estimator=TemporalEstimator.periodic())
    wanted = transform.power(transform.coefficients(target))[[1, 3], 0]
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    errors = np.empty((steps, 2))
    for step in range(steps):
        out = network(given)
        rest = transform.power(transform.coefficients(target - out.detach()))[[1, 3], 0]
        errors[step] = (rest / wanted).sqrt().numpy()
        optimiser.zero_grad()
        (out - target).square().mean().backward()
        optimiser.step()
    return errors


def first_below(errors: np.ndarray) -> int:
    """Steps until a tone's relative error is first below a half; all of them if it never is."""
    below = np.flatnonzero(errors < 0.5)
    return int(below[0]) + 1 if len(below) else len(errors)


class Recurrent(nn.Module):
    """A recurrent layer and a linear read-out."""

    def __init__(self, body: nn.RNNBase) -> None:
        super().__init__()
        self.body, self.out = body, nn.Linear(body.hidden_size, 1)

    def forward(self, u: Tensor) -> Tensor:
        """(sequence, step, 1) to the same shape."""
        return self.out(self.body(u)[0])


class Convolutional(nn.Module):
    """Three causal convolutions of 5 steps and a linear read-out."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv1d(a, width, 5) for a in (1, width, width)])
        self.out = nn.Linear(width, 1)

    def forward(self, u: Tensor) -> Tensor:
        """(sequence, step, 1) to the same shape."""
        x = u.mT
        for layer in self.layers:
            x = torch.relu(layer(nn.functional.pad(x, (4, 0), mode="replicate")))
        return self.out(x.mT)


class Transformer(nn.Module):
    """Two causal layers of attention with four heads; places are known from the input's own ramp."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, batch_first=True)
        self.into, self.out = nn.Linear(1, width), nn.Linear(width, 1)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, u: Tensor) -> Tensor:
        """(sequence, step, 1) to the same shape."""
        mask = nn.Transformer.generate_square_subsequent_mask(u.shape[1])
        return self.out(self.body(self.into(u), mask, is_causal=True))


def build(kind: str, width: int) -> nn.Module:
    """The network called `kind`."""
    recurrent = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
    if kind in recurrent:
        return Recurrent(recurrent[kind](1, width, batch_first=True))
    return Transformer(width) if kind == "transformer" else Convolutional(width)


STUDY = Study(
    name="sequence-low-first",
    family=Family.ORDER,
    claim="Recurrent, convolutional and attention networks over sequences learn low frequencies first.",
    source="Rahaman et al. 2019, On the spectral bias of neural networks (arXiv:1806.08734), carried over to sequences "
    "as in Spectral bias in time series forecasting 2025 (arXiv:2510.25800)",
    statistic="steps to learn 5 cycles over steps to learn 1 cycle of the same ramp, in octaves",
    criterion=AtLeast(1.0),
    conditions=(
        *(Condition(kind, {"kind": kind}) for kind in ("RNN", "GRU", "LSTM", "CNN", "transformer")),
        Condition("GRU, high tone 3 times as strong", {"kind": "GRU", "amplitude": 3.0}),
        Condition("transformer, high tone 3 times as strong", {"kind": "transformer", "amplitude": 3.0}),
    ),
    control=Condition("CNN that is handed the high tone", {"kind": "CNN", "handed": True}),
    measure=measure,
    axes=Axes("Steps", "Relative error", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"amplitude": 1.0, "steps": 20, "width": 8}),
        Size.QUICK: Effort(3, {"amplitude": 1.0, "steps": 400, "width": 32}),
        Size.FULL: Effort(20, {"amplitude": 1.0, "steps": 5000, "width": 128}),
    },
    depends="the network and the strength of the high tone",
    caveat="Two tones of one ramp, so that frequency in time is that of the map as well; forecasting is another "
    "matter. A tone counts as learned when its error is first below a half, even if it rises again; where it has "
    "to stay there, transformers can be last with the low one. A tone never learned counts as learned at the end.",
)
