"""Predicted against measured: learning steps per band, and closed-form loss curves. Writes benchmarks/accuracy.md.

Every case is reported, good or bad. `python -m benchmarks accuracy`, or `python -m benchmarks.accuracy --full` for
longer runs over three seeds.
"""

from __future__ import annotations

import itertools
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from overtone import rng
from overtone.errors import RunError
from overtone.nn import MLP, Activation, Field, Frame, Restore, Sine, encodings
from overtone.observe import LogSchedule, Probe
from overtone.signals import Grid, Normalisation, Signal
from overtone.theory.agreement import Agreement, agreement
from overtone.theory.dynamics import Descent, Linearised, Pilot, Prediction, predict, propagate
from overtone.theory.dynamics.prediction import Normalised
from overtone.theory.ntk import infinite
from overtone.training import Ending, Optimizer, Options, train

TONES = (1, 2, 4, 6, 8, 12, 16, 20, 24, 32)
RATIO = 1.05
SEEDS = (1, 2, 3)
HERE = Path(__file__).parent


def tones(seed: int = 0) -> Signal:
    """Ten cosines of equal amplitude and random phase on 256 periodic samples."""
    grid = Grid.unit_box((256,), periodic=True)
    phases = rng.generator(seed, "phases").uniform(0, 2 * np.pi, len(TONES))
    angle = 2 * np.pi * grid.coords()
    values = sum(
        (torch.cos(k * angle + p) for k, p in zip(TONES, phases, strict=True)), torch.zeros_like(angle)
    )
    values = values.float()
    peak = float(values.max() - values.min())
    return Signal(values, grid, "synthetic", "ten tones", ("value",), "", peak, Normalisation.of(values))


class Scaled(nn.Module):
    """A dense layer in NTK parameterisation: y = W x sigma_w / sqrt(n), W ~ N(0, 1), no bias."""

    def __init__(
        self, inputs: int, outputs: int, source: torch.Generator, gain: float = math.sqrt(2)
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.gain = gain / math.sqrt(inputs)
        with torch.no_grad():
            self.linear.weight.copy_(torch.randn(outputs, inputs, generator=source))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x * self.gain)


def ntk_mlp(inputs: int, width: int, seed: int) -> nn.Sequential:
    """Three hidden ReLU layers in NTK parameterisation."""
    source = torch.Generator().manual_seed(seed)
    sizes = [inputs, width, width, width, 1]
    layers: list[nn.Module] = []
    for n, m in itertools.pairwise(sizes):
        layers += [Scaled(n, m, source), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@dataclass(frozen=True)
class Case:
    """One network under one optimizer.

    Attributes:
        name: For the table.
        build: A field for a signal and a seed.
        optimizer: Adam, or full-batch gradient descent.
        rate: Learning rate; for gradient descent, in units of 1 / (largest eigenvalue of the loss's kernel).
        steps: Steps measured and predicted.
        target: What is aimed at, as (median factor, pilot needed).
    """

    name: str
    build: Callable[[Signal, int], Field]
    optimizer: Optimizer
    rate: float
    steps: int
    target: float | None
    pilots: tuple[float, ...] = (0.01, 0.05)


def network(
    activation: Activation | list[nn.Module], fourier: bool, width: int = 256
) -> Callable[[Signal, int], Field]:
    """PyTorch's default initialisation, three hidden layers, on (cos, sin) or on 64 frequencies of sigma 4."""

    def build(signal: Signal, seed: int) -> Field:
        encoding = (
            encodings.Gaussian(1, 64, 4.0, rng.derive(seed, "encoding")) if fourier else encodings.Basic(1)
        )
        body = MLP(encoding.out_features, 1, width, 3, activation, seed=seed)
        return Field(encoding, body, restore=_restore(signal))

    return build


def siren(signal: Signal, seed: int) -> Field:
    """Sine activations with omega 30 on the plain coordinate in [-1, 1)."""
    body = MLP(1, 1, 256, 3, [Sine(30.0), Sine(30.0), Sine(30.0)], seed=seed)
    return Field(encodings.Identity(1), body, Frame((0.0,), (2.0,), (-1.0,)), _restore(signal))


def wide(signal: Signal, seed: int) -> Field:
    """Width 1,024 in NTK parameterisation after Fourier features."""
    encoding = encodings.Gaussian(1, 64, 4.0, rng.derive(seed, "encoding"))
    return Field(encoding, ntk_mlp(encoding.out_features, 1024, seed), restore=_restore(signal))


def _restore(signal: Signal) -> Restore:
    return Restore(signal.normalisation.offset, signal.normalisation.scale)


ADAM, SGD = Optimizer.ADAM, Optimizer.SGD
RELU, TANH, GELU = Activation.RELU, Activation.TANH, Activation.GELU
CASES = (
    Case("Fourier, ReLU, NTK parameterisation, 1,024 wide", wide, SGD, 1.0, 250, 1.3, ()),
    Case("Fourier, ReLU", network(RELU, True), SGD, 1.0, 600, 1.3),
    Case("Fourier, ReLU, slow", network(RELU, True), SGD, 0.2, 1200, 1.3),
    Case("Fourier, ReLU", network(RELU, True), ADAM, 1e-3, 200, 1.3),
    Case("Fourier, tanh", network(TANH, True), ADAM, 1e-3, 300, 2.0),
    Case("Fourier, GELU", network(GELU, True), ADAM, 1e-3, 300, 2.0),
    Case("plain, ReLU", network(RELU, False), SGD, 1.0, 4000, 1.5),
    Case("plain, ReLU", network(RELU, False), ADAM, 1e-3, 2000, 1.5),
    Case("plain, tanh", network(TANH, False), ADAM, 1e-3, 2500, 2.0),
    Case("plain, GELU", network(GELU, False), ADAM, 1e-3, 2000, 2.0),
    Case("SIREN", siren, ADAM, 1e-4, 200, 2.0),
)


def rate_of(case: Case, signal: Signal, field: Field) -> float:
    """The learning rate itself."""
    if case.optimizer is ADAM:
        return case.rate
    y = signal.normalisation.apply(signal.values)
    pilot = Pilot(Normalised(field), torch.optim.SGD(field.parameters(), 1.0), signal.coords, y)
    linear = pilot.linearise(signal.coords, y)
    return case.rate / (linear.gain * float(linear.eigenvalues[-1]))


def run(case: Case, seed: int) -> list[dict[str, object]]:
    """Train once, predict with every pilot, and compare."""
    signal = tones(seed)
    field = case.build(signal, seed)
    lr = rate_of(case, signal, field)
    made = {ADAM: torch.optim.Adam, SGD: torch.optim.SGD}[case.optimizer]
    predictions, seconds = [], []
    pilots = [round(share * case.steps) for share in case.pilots]
    for pilot in pilots if case.optimizer is ADAM else [0, *pilots]:
        began = time.perf_counter()
        optimizer = made(field.parameters(), lr)
        predictions.append(predict(signal, field, optimizer, case.steps, pilot=pilot, ratio=RATIO))
        seconds.append(time.perf_counter() - began)
    began = time.perf_counter()
    options = Options(case.steps, lr=lr, optimizer=case.optimizer)
    with Probe(signal, field, schedule=LogSchedule(RATIO)) as probe:

        def observe(step: int, loss: float, rate: float, last: bool) -> None:
            probe(step, loss, rate, force=last)

        outcome = train(field, signal, options, observe, wants=probe.schedule.due)
        measured = probe.record
    if outcome.ending is not Ending.STEPS:
        raise RunError(
            f"{case.steps} measured steps", f"{outcome.step}", "run again: a part says nothing", case.name
        )
    trained = time.perf_counter() - began
    rows = []
    for prediction, spent in zip(predictions, seconds, strict=True):
        found = agreement(prediction.record, measured)
        row = describe(case, prediction, found)
        rows.append(row | {"seed": seed, "predict s": spent, "train s": trained})
        print(row, flush=True)
    return rows


def describe(case: Case, prediction: Prediction, found: Agreement) -> dict[str, object]:
    """A row of the table."""
    counted, pilot = found.counted, prediction.pilot
    between = (found.measured >= prediction.earliest / 1.1) & ~(found.measured > 1.1 * prediction.latest)
    steps = ", ".join(
        f"{round((low + high) / 2)}: {_step(p)}/{_step(m)}"
        for low, high, p, m in zip(
            found.low[counted],
            found.high[counted],
            found.predicted[counted],
            found.measured[counted],
            strict=True,
        )
    )
    limit = (
        "end"
        if found.limit is None
        else f"step {found.limit.step}, k = {(found.limit.low + found.limit.high) / 2:.0f}"
    )
    target = "" if case.target is None else f"{case.target:g}"
    stated = pilot > 0 or case.build is wide
    good = found.median_factor <= (case.target or math.inf) and found.told == 1
    return {
        "network": case.name,
        "optimizer": f"{case.optimizer.value} {case.rate:g}" + ("" if case.optimizer is ADAM else " / max"),
        "pilot / steps": f"{pilot} / {case.steps}",
        "bands": f"{int(np.isfinite(found.factor).sum())} of {int(counted.sum())}",
        "in span": f"{int((between & counted).sum())} of {int(counted.sum())}" if pilot else "",
        "median factor": found.median_factor,
        "rank": found.rank_correlation,
        "aim": target if stated else "",
        "met": ("yes" if good else "no") if stated and target else "",
        "holds until": limit,
        "k: predicted/measured": steps,
    }


def _step(value: float) -> str:
    return "?" if math.isnan(value) else f"{value:.0f}"


def loss_curve_error(width: int, power: float, seed: int = 0) -> float:
    """Largest |log10 predicted - log10 measured loss| until the measured loss is 5 % of its start.

    1-D, 32 samples, frequencies b = 1..16 with amplitudes b^-p (only b = 1 for infinity), three hidden ReLU
    layers without bias in NTK parameterisation, gradient descent at half of 1 / (largest eigenvalue). Predicted
    from the closed-form kernel of infinite width and the network's own initial output.
    """
    x = torch.arange(32, dtype=torch.float64)[:, None] / 32
    b = torch.arange(1, 2 if math.isinf(power) else 17, dtype=torch.float64)
    amplitude = torch.ones_like(b) if math.isinf(power) else b**-power
    amplitude = amplitude / amplitude.norm()
    source = torch.Generator().manual_seed(seed)
    k = torch.arange(1, 13, dtype=torch.float64)
    wave = torch.cos(2 * math.pi * x * k + 6 * torch.rand(12, generator=source, dtype=torch.float64))
    y = (wave / (1 + k)).sum(1, keepdim=True)
    angle = 2 * math.pi * x * b
    features = torch.cat([amplitude * angle.cos(), amplitude * angle.sin()], 1)
    inputs = infinite.Fourier(b[:, None], amplitude)
    limit = infinite.fully_connected([infinite.Dense.ntk()] * 4, infinite.relu(), inputs)
    kernel = limit(x).ntk
    body = ntk_mlp(features.shape[1], width, seed).double()
    optimizer = torch.optim.SGD(body.parameters(), 1.0)
    pilot = Pilot(body, optimizer, features, y)
    linear = Linearised.of(pilot.outputs(features), y, kernel)
    rate = 0.5 / (linear.gain * float(linear.eigenvalues[-1]))
    pilot.optimizer.param_groups[0]["lr"] = rate
    pilot = Pilot(body, torch.optim.SGD(body.parameters(), rate), features, y)
    error, start = 0.0, None
    for moment in propagate(linear, Descent(), lambda _: rate, range(2000)):
        pilot.advance(moment.step - pilot.step)
        loss = float((pilot.outputs(features) - y).square().mean())
        start = loss if start is None else start
        error = max(error, abs(math.log10(moment.loss / loss)))
        if loss < 0.05 * start:
            return error
    return math.nan


def curves(widths: tuple[int, ...] = (256, 1024)) -> list[dict[str, object]]:
    """Closed-form loss curves of Fourier-feature networks at two widths."""
    rows = []
    for power in (0.0, 1.0, math.inf):
        errors = [
            float(np.mean([loss_curve_error(width, power, seed) for seed in SEEDS])) for width in widths
        ]
        row = {"p": power, **{f"width {w}": e for w, e in zip(widths, errors, strict=True)}}
        row |= {"ratio": errors[-1] / errors[0]}
        row |= {"met": "yes" if errors[-1] <= 0.1 and errors[-1] < 0.7 * errors[0] else "no"}
        print(row, flush=True)
        rows.append(row)
    return rows


def markdown(rows: list[dict[str, object]]) -> str:
    """A table of rows with equal keys."""
    columns = list(rows[0])

    def cell(value: object) -> str:
        return f"{value:.3g}" if isinstance(value, float) else str(value)

    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(cell(row[c]) for c in columns) + " |" for row in rows)])


INTRODUCTION = """# Predicted and measured

Made by `python -m benchmarks.accuracy`{full}. Every case is shown, good or bad.

Ten tones on 256 periodic samples, three hidden layers of 256 units and PyTorch's default initialisation unless
said, full batches. "plain" is the input (cos, sin); "Fourier" are 64 Gaussian features of sigma 4. `sgd 1 / max` is
gradient descent at 1 over the largest eigenvalue of the loss's kernel. A learning step is the first recorded one
from which the relative error stays below 0.5, on steps 5 % apart, in the prediction as in the measurement.

Counted are bands not yet learned when the pilot ends. "bands": how many of them were predicted; "?" is "cannot
tell" or "not within the steps". "in span": measured between the predicted earliest and latest step, give or take
10 %. The factor is predicted / measured or its inverse, whichever is above 1, and its median is over the bands that
were predicted. "met" asks for the aim *and* for a prediction of every counted band.

Read with care. {seeds}. The share of growth that is continued, its cap and the ratio beyond which a band is not told
were chosen among some ten variants while looking at rows of this table (seeds 1 and 2), so the table is not an
independent test of them; other seeds and signals may do worse. Of the same seed, another run without a fixed thread
count gave 1.28 instead of 1.10 for "plain, ReLU" under Adam with the longer pilot; why was not established.

## Learning steps
"""

CURVES = """
## Closed-form loss curves

Largest difference in log10 of the loss until it has fallen to 5 % of its start, from the kernel of infinite width
and the network's own initial output, mean of three seeds; 32 samples, features cos and sin of 1..16 cycles with
amplitudes b^-p, NTK parameterisation. Aim: 0.10 at width 1,024, and below 0.7 of the error at width 256.
"""


def main(full: bool = False) -> list[dict[str, object]]:
    """Run every case, write accuracy.md, return the rows of the learning steps."""
    rows = []
    for seed in SEEDS if full else SEEDS[:1]:
        for case in CASES:
            longer = (
                replace(case, steps=16000)
                if full and case.name == "plain, ReLU" and case.optimizer is SGD
                else case
            )
            rows += run(longer, seed)
    text = [
        INTRODUCTION.format(full=" --full" if full else "", seeds="Three seeds" if full else "Seed 1 only"),
        markdown(rows),
        CURVES,
        markdown(curves()),
    ]
    (HERE / "accuracy.md").write_text("\n".join(text) + "\n", encoding="utf-8")
    return rows


if __name__ == "__main__":
    main("--full" in sys.argv[1:])
