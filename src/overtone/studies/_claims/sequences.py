"""Sequences, streams of tokens and real time series: whether slow structure is learned before fast structure."""

from __future__ import annotations

import math

import numpy as np
import pywt.data
import torch
from torch import Tensor, nn

import overtone as ot
from overtone._utils.seeding import derive_seed
from overtone.records import metrics
from overtone.records.metrics._bands import mean_bands
from overtone.signals import Signal
from overtone.spectra.sequence import SequenceTransform, TemporalEstimator
from overtone.studies._claims._shared import first_below, first_reaching, log_spaced_indices, torch_seed
from overtone.studies._criteria import AtLeast
from overtone.studies._study import (
    MET_BY_A_CONDITION,
    Condition,
    FigureAxes,
    Measurement,
    SizeSettings,
    Study,
    StudySize,
    Tested,
    Topic,
)

_LENGTH, _COUNT = 32, 4
_LOW, _HIGH = 1, 5
"""Cycles of the two tones in a sequence."""


def measure_sequence_low_first(
    seed: int, kind: str, amplitude: float, steps: int, width: int, tone_input: str = ""
) -> Measurement:
    """Measure log2 of the steps to the high tone over those to the low one."""
    with torch_seed(seed, kind):
        network, offset = _sequence_network(kind, width), torch.rand(_COUNT, 1, 1)
    u = torch.arange(_LENGTH)[:, None] / _LENGTH + offset
    target = torch.sin(2 * math.pi * _LOW * u) + amplitude * torch.sin(2 * math.pi * _HIGH * u)
    # A ramp, from which either tone has to be made; in the controls one of them is there already.
    tone = {"high": _HIGH, "low": _LOW}.get(tone_input)
    inputs = 2 * u - 2 if tone is None else torch.sin(2 * math.pi * tone * u)
    errors = _tone_errors(network, inputs, target, steps)
    positions = np.arange(1, steps + 1)
    learned = [first_below(positions, error) for error in errors.T]
    drawn_at = log_spaced_indices(steps, 40)
    curves = {
        name: (positions[drawn_at], errors[drawn_at, i]) for i, name in enumerate(("low tone", "high tone"))
    }
    return Measurement(math.log2(learned[1] / learned[0]), curves)


def _tone_errors(network: nn.Module, inputs: Tensor, target: Tensor, steps: int) -> np.ndarray:
    """Return the (step, tone) relative errors while Adam fits the target."""
    # Bands 1 and 3 hold one tone each, half a cycle to either side of it.
    edges = [0.0, *((k + d) / _LENGTH for k in (_LOW, _HIGH) for d in (-0.5, 0.5)), 0.5]
    transform = SequenceTransform(_LENGTH, bands=edges, estimator=TemporalEstimator.periodic())
    target_power = transform.power(transform.coefficients(target))[[1, 3], 0]
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    errors = np.empty((steps, 2))
    for step in range(steps):
        out = network(inputs)
        power = transform.power(transform.coefficients(target - out.detach()))[[1, 3], 0]
        errors[step] = (power / target_power).sqrt().numpy()
        optimizer.zero_grad()
        (out - target).square().mean().backward()
        optimizer.step()
    return errors


class _RecurrentNetwork(nn.Module):
    """Recurrent layer and a linear read-out."""

    def __init__(self, body: nn.RNNBase) -> None:
        super().__init__()
        self.body, self.out = body, nn.Linear(body.hidden_size, 1)

    def forward(self, u: Tensor) -> Tensor:
        """Map (sequence, step, 1) to the same shape."""
        return self.out(self.body(u)[0])


class _CausalConvolutions(nn.Module):
    """Three causal convolutions of 5 steps and a linear read-out."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv1d(a, width, 5) for a in (1, width, width)])
        self.out = nn.Linear(width, 1)

    def forward(self, u: Tensor) -> Tensor:
        """Map (sequence, step, 1) to the same shape."""
        x = u.mT
        for layer in self.layers:
            x = torch.relu(layer(nn.functional.pad(x, (4, 0), mode="replicate")))
        return self.out(x.mT)


class _CausalTransformer(nn.Module):
    """Two causal layers of attention with four heads; the input's own ramp gives the positions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, batch_first=True)
        self.embedding, self.out = nn.Linear(1, width), nn.Linear(width, 1)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, u: Tensor) -> Tensor:
        """Map (sequence, step, 1) to the same shape."""
        mask = nn.Transformer.generate_square_subsequent_mask(u.shape[1])
        return self.out(self.body(self.embedding(u), mask, is_causal=True))


def _sequence_network(kind: str, width: int) -> nn.Module:
    """Return the network of that kind."""
    recurrent = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
    if kind in recurrent:
        return _RecurrentNetwork(recurrent[kind](1, width, batch_first=True))
    return _CausalTransformer(width) if kind == "transformer" else _CausalConvolutions(width)


SEQUENCE_LOW_FIRST = Study(
    name="sequence-low-first",
    topic=Topic.ORDER,
    claim="Recurrent, convolutional and attention networks over sequences learn low frequencies first.",
    source=(
        "Rahaman et al. 2019, On the spectral bias of neural networks (arXiv:1806.08734), applied to "
        "sequences as in Spectral bias in time series forecasting 2025 (arXiv:2510.25800)"
    ),
    statistic="steps to learn 5 cycles over steps to learn 1 cycle of the same ramp, in octaves",
    criterion=AtLeast(1.0),
    conditions=(
        *(Condition(kind, {"kind": kind}) for kind in ("RNN", "GRU", "LSTM", "CNN", "transformer")),
        Condition("GRU, high tone 3 times as strong", {"kind": "GRU", "amplitude": 3.0}),
        Condition("transformer, high tone 3 times as strong", {"kind": "transformer", "amplitude": 3.0}),
    ),
    control=Condition("CNN with the high tone as its input", {"kind": "CNN", "tone_input": "high"}),
    positive=Condition("CNN with the low tone as its input", {"kind": "CNN", "tone_input": "low"}),
    measure=measure_sequence_low_first,
    axes=FigureAxes("Steps", "Relative error", log_x=True, log_y=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"amplitude": 1.0, "steps": 20, "width": 8}),
        StudySize.QUICK: SizeSettings(3, {"amplitude": 1.0, "steps": 400, "width": 32}),
        StudySize.FULL: SizeSettings(20, {"amplitude": 1.0, "steps": 5000, "width": 128}),
    },
    factor="the network and the strength of the high tone",
    tested=Tested.CASE,
    caveat=(
        "Two tones of one ramp, so that frequency in time is that of the map as well; forecasting was not "
        "tested. A tone counts as learned when its error is first below a half, even if it rises again; if "
        "it had to stay below, transformers could learn the low tone last. A tone that is never learned "
        "counts as learned at the end."
    ),
)


_FLIP = 1 / 16
"""Probability that a hidden state changes from one token to the next."""

_SIGNS = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
"""The two signs that each of the four tokens stands for."""


def measure_token_structure(
    seed: int, kind: str, noise: float, both_slow: bool, length: int, batch: int, steps: int, width: int
) -> Measurement:
    """Measure log2 of the steps to the fast structure over those to the slow one."""
    with torch_seed(seed, kind):
        network = _NextToken(kind, width, length)
    source = torch.Generator().manual_seed(derive_seed(seed, "tokens"))
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    fractions = []
    for _ in range(steps):
        streams = [_SignStream(batch, length, noise, source) for _ in range(2)]
        # Every second sign reversed: a stream that was constant for 16 tokens then alternates.
        turn = torch.ones(length) if both_slow else 1 - 2.0 * (torch.arange(length) % 2)
        signs = torch.stack([streams[0].signs, streams[1].signs * turn], -1)
        expected = torch.stack([streams[0].expected, streams[1].expected * turn], -1)
        tokens = ((signs + 1) / 2 @ torch.tensor([2.0, 1.0])).long()
        logits = network(tokens[:, :-1])
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            # Projected on the best prediction there is: 1 where the network predicts as well as the forward algorithm.
            predicted, best = logits.softmax(-1) @ _SIGNS, expected[:, 1:]
            fractions.append((predicted * best).mean((0, 1)) / best.square().mean((0, 1)))
    # Smoothed over five steps, because each has a batch of its own.
    learned = torch.stack(fractions).numpy()
    learned = np.stack([np.convolve(f, np.ones(5) / 5, "same") for f in learned.T])
    steps_to_half = [next((i for i, f in enumerate(fraction, 1) if f >= 0.5), steps) for fraction in learned]
    drawn_at = log_spaced_indices(steps, 60)
    curves = {name: (drawn_at + 1, f[drawn_at]) for name, f in zip(("slow", "fast"), learned, strict=True)}
    return Measurement(math.log2(steps_to_half[1] / steps_to_half[0]), curves)


class _SignStream:
    """Signs that follow a hidden state, and the best prediction of each from those before it.

    Attributes:
        signs: (sequence, step) signs: the state's, some of them reversed by noise.
        expected: (sequence, step) mean of the next sign given all before, by the forward algorithm.
    """

    def __init__(self, batch: int, length: int, noise: float, source: torch.Generator) -> None:
        flips = torch.rand(batch, length, generator=source) < _FLIP
        flips[:, 0] = torch.rand(batch, generator=source) < 0.5
        state = 1 - 2.0 * (flips.cumsum(1) % 2)
        wrong = torch.rand(batch, length, generator=source) < noise
        self.signs = torch.where(wrong, -state, state)
        # The belief is the mean of the state: a flip shrinks it, and a sign updates it by Bayes' rule.
        belief, expected = torch.zeros(batch), []
        for sign in self.signs.T:
            belief = (1 - 2 * _FLIP) * belief
            expected.append((1 - 2 * noise) * belief)
            belief = (belief + sign * (1 - 2 * noise)) / (1 + sign * belief * (1 - 2 * noise))
        self.expected = torch.stack(expected, 1)


class _NextToken(nn.Module):
    """Logits of the next token at every step, by a transformer with causal attention or by a recurrent layer."""

    def __init__(self, kind: str, width: int, length: int) -> None:
        super().__init__()
        self.tokens, self.out = nn.Embedding(4, width), nn.Linear(width, 4)
        self.positions = nn.Parameter(0.02 * torch.randn(length - 1, width))
        self.kind = kind
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, batch_first=True)
        self.body: nn.Module = (
            nn.GRU(width, width, batch_first=True)
            if kind == "GRU"
            else nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (sequence, step) tokens to (sequence, step, 4) logits of the next."""
        x = self.tokens(tokens)
        if self.kind == "GRU":
            return self.out(self.body(x)[0])
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        return self.out(self.body(x + self.positions, mask, is_causal=True))


TOKEN_STRUCTURE = Study(
    name="token-structure",
    topic=Topic.FIELDS,
    claim=(
        "Networks over tokens learn slow structure, such as the topic, before fast structure, such as the "
        "order of words."
    ),
    source=(
        "Spectral bias in time series forecasting 2025 (arXiv:2510.25800), applied to tokens instead of "
        "numbers"
    ),
    statistic="steps to learn the fast of two structures over those to learn the slow one, in octaves",
    criterion=AtLeast(1.0),
    conditions=(
        Condition("GRU, visible in the last token", {"kind": "GRU", "noise": 0.0, "both_slow": False}),
        Condition("GRU, averaged over tokens", {"kind": "GRU", "noise": 0.25, "both_slow": False}),
        Condition(
            "transformer, visible in the last token",
            {"kind": "transformer", "noise": 0.0, "both_slow": False},
        ),
        Condition(
            "transformer, averaged over tokens",
            {"kind": "transformer", "noise": 0.25, "both_slow": False},
        ),
    ),
    control=Condition("GRU, both structures slow", {"kind": "GRU", "noise": 0.25, "both_slow": True}),
    positive=MET_BY_A_CONDITION,
    measure=measure_token_structure,
    axes=FigureAxes("Step", "Learned fraction", log_x=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"length": 8, "batch": 4, "steps": 8, "width": 8}),
        StudySize.QUICK: SizeSettings(5, {"length": 16, "batch": 32, "steps": 350, "width": 32}),
        StudySize.FULL: SizeSettings(20, {"length": 128, "batch": 64, "steps": 10_000, "width": 256}),
    },
    factor="the network, and on whether the structure has to be averaged over tokens",
    tested=Tested.CASE,
    caveat=(
        "Tokens are pairs of signs. One sign stays the same for 16 tokens in the mean, the other alternates "
        "with equal regularity. Both carry equal information about the next token, so that they differ in "
        "speed alone; in language the two differ in information as well. Half of a structure can be "
        "predicted from the last token alone, also where averaging predicts more; transformers then stay at "
        "that half of the fast structure, while the slow one reaches 0.9."
    ),
)


def measure_real_series(
    seed: int, series: str, encoding: str, bandwidth_share: float, samples: int, steps: int, width: int
) -> Measurement:
    """Measure log2 of the steps to the fast half of the power over those to the slow half.

    The bandwidth is a share of the Nyquist frequency.
    """
    signal = _series(series, samples)
    run = ot.fit(
        signal,
        encoding=encoding,
        bandwidth=None if encoding == "none" else bandwidth_share * signal.geometry.nyquist[0],
        width=width,
        depth=3,
        features=128,
        steps=steps if encoding == "gaussian" else 4 * steps,
        held_out=0,
        seed=seed,
    )
    record = metrics.combine_channels(run.record)
    varying = ~mean_bands(record)
    power = record.target_power.where(varying, 0.0).values
    cross = record.cross_power.where(varying, 0.0).transpose("step", "band").values
    # The band at which the cumulative power passes one half divides slow from fast.
    border = int(np.searchsorted(np.cumsum(power), power.sum() / 2)) + 1
    positions = record.step.values
    curves, times = {}, []
    for name, part in (("slow half", slice(border)), ("fast half", slice(border, None))):
        fraction = cross[:, part].sum(1) / power[part].sum()
        curves[name] = positions, fraction
        times.append(first_reaching(positions, fraction))
    return Measurement(math.log2(times[1] / times[0]), curves)


def _series(name: str, samples: int) -> Signal:
    """Return an electrocardiogram, 360 samples a second, or the tropical Pacific's surface temperature, 4 a year.

    The temperature is the departure from the season's mean.
    """
    if name == "heart":
        return ot.signals.array(pywt.data.ecg()[:samples].astype(float), 1 / 360, unit="s")
    return ot.signals.array(pywt.data.nino()[1][:samples], 0.25, unit="year")


REAL_SERIES = Study(
    name="real-series",
    topic=Topic.FIELDS,
    claim="In real time series the slow part is learned first and the fast part late.",
    source="Spectral bias in time series forecasting 2025 (arXiv:2510.25800), the claim for any series",
    statistic=(
        "steps to learn half of the faster half of a series' power over those for its slower half, in octaves"
    ),
    criterion=AtLeast(1.0),
    conditions=(
        Condition("electrocardiogram, plain network", {"series": "heart", "encoding": "none"}),
        Condition("electrocardiogram, Fourier features", {"series": "heart", "encoding": "gaussian"}),
        Condition("sea temperature, Fourier features", {"series": "sea", "encoding": "gaussian"}),
    ),
    control=Condition(
        "sea temperature, Fourier features far beyond Nyquist",
        {"series": "sea", "encoding": "gaussian", "bandwidth_share": 20.0},
    ),
    positive=MET_BY_A_CONDITION,
    measure=measure_real_series,
    axes=FigureAxes("Step", "Learned fraction", log_x=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"samples": 64, "steps": 5, "width": 16, "bandwidth_share": 0.2}),
        StudySize.QUICK: SizeSettings(5, {"samples": 360, "steps": 200, "width": 64, "bandwidth_share": 0.2}),
        StudySize.FULL: SizeSettings(
            20, {"samples": 1024, "steps": 20_000, "width": 256, "bandwidth_share": 0.2}
        ),
    },
    factor="the ratio of the bandwidth to that of the series",
    tested=Tested.CASE,
    caveat=(
        "One series of each kind, fitted as a function of time; forecasting and prices were not tested, the "
        "latter because no library comes with such a series. Fourier features have a bandwidth of a fifth of "
        "the Nyquist frequency. A plain network learns little of the sea temperature within a thousand "
        "steps, and is left out for that reason."
    ),
)


STUDIES = (
    SEQUENCE_LOW_FIRST,
    TOKEN_STRUCTURE,
    REAL_SERIES,
)
