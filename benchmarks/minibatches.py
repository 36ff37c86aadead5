"""Predicted against measured learning steps on minibatches: `python -m benchmarks.minibatches`, some minutes.

Writes benchmarks/minibatches.md: cases of Adam of benchmarks/accuracy.md with 32 of 256 samples a step.
"""

from __future__ import annotations

import copy
import time
from pathlib import Path

import torch

from benchmarks.accuracy import ADAM, CASES, HELD_OUT, RATIO, Case, Outcome, markdown, tones, with_late_bands
from overtone._training import train
from overtone.fitting import TrainingConfig
from overtone.probes import LogSchedule, Probe
from overtone.signals import Signal
from overtone.theory.dynamics import Agreement, PredictionOptions, predict

BATCH = 32
NAMES = ("Fourier, ReLU", "Fourier, tanh", "Fourier, GELU", "plain, ReLU")
CHOSEN = tuple(case for case in CASES if case.optimizer is ADAM and case.name in NAMES)
HERE = Path(__file__).parent

INTRODUCTION = f"""# Predicted and measured on minibatches

Made by `python -m benchmarks.minibatches`. The signal, networks and pilots are those of [accuracy.md](accuracy.md),
with {BATCH} of the 256 samples a step, drawn with replacement; the measured run draws other batches than the predicted
one.
The factor is predicted over measured learning step or the inverse, median over the bands not learned when the pilot
ended. The method was chosen while looking at seeds 1 and 2; these are 3 to 5. Seconds are processor seconds.
"""


def measure(case: Case, signal: Signal, seed: int) -> Outcome:
    """Train once, predict, and compare."""
    field = case.build(signal, seed)
    trained = copy.deepcopy(field)
    options = TrainingConfig(case.steps, batch=BATCH, lr=case.rate, optimizer=ADAM, seed=seed + 100)
    with Probe(signal, trained, schedule=LogSchedule(RATIO)) as probe:

        def observe(step: int, loss: float, rate: float, last: bool) -> None:
            probe(step, loss, rate, force=last)

        start = time.process_time()
        train(trained, signal, options, observe, wants=probe.schedule.due)
        train_seconds, measured = time.process_time() - start, probe.record
    start = time.process_time()
    adam = torch.optim.Adam(field.parameters(), case.rate)
    pilot = round(case.pilot * case.steps)
    prediction = predict(
        signal,
        field,
        adam,
        case.steps,
        pilot=pilot,
        batch=BATCH,
        seed=seed,
        options=PredictionOptions(ratio=RATIO),
    )
    predict_seconds = time.process_time() - start
    return Outcome(
        with_late_bands(Agreement.between(prediction.record, measured), prediction),
        predict_seconds,
        train_seconds,
    )


def main() -> list[dict[str, object]]:
    """Run every case, write minibatches.md, return its rows."""
    rows: list[dict[str, object]] = []
    for case in CHOSEN:
        for seed in HELD_OUT:
            outcome = measure(case, tones(seed), seed)
            rows.append(
                {
                    "network": case.name,
                    "optimizer": f"{case.optimizer.value} {case.rate:g}",
                    "seed": seed,
                    "median factor": outcome.agreement.median_factor,
                    "bands predicted": outcome.agreement.predicted_share,
                    "predict s": outcome.predict,
                    "train s": outcome.train,
                    "k: predicted/measured": outcome.pairs,
                }
            )
            print(rows[-1], flush=True)
    (HERE / "minibatches.md").write_text("\n".join([INTRODUCTION, markdown(rows)]) + "\n", encoding="utf-8")
    return rows


if __name__ == "__main__":
    main()
