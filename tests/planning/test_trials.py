"""What a trial leaves to learn, by the kernel of its network."""

import math

import numpy as np
import pytest
import torch

from overtone import signals
from overtone._config import EncodingKind, ModelConfig
from overtone._training import TrainingConfig
from overtone.nn._build import build_field
from overtone.planning._trials import RIDGES, Trial, TrialRunner

MODEL = ModelConfig(EncodingKind.GAUSSIAN, (3.0,), width=8, depth=2, features=8)


def runner(signal):
    return TrialRunner(signal, TrainingConfig(steps=10, compile=False), 0, torch.device("cpu"))


def waves():
    t = np.arange(60) / 60
    held = torch.zeros(60, dtype=torch.bool)
    held[3::6] = True
    values = np.stack([np.cos(2 * np.pi * 2 * t), np.sin(2 * np.pi * 3 * t)], 1)
    return signals.points(t, values).with_held_out(held)


def outputs_and_gradients(field, coords):
    """Outputs (N, C) and the gradient of each by every parameter (N, C, P), one after another."""
    outputs = field.normalised(coords)
    rows = []
    for value in outputs.reshape(-1):
        gradients = torch.autograd.grad(value, list(field.parameters()), retain_graph=True, allow_unused=True)
        rows.append(torch.cat([g.reshape(-1) for g in gradients if g is not None]))
    return outputs.detach().double(), torch.stack(rows).reshape(*outputs.shape, -1).double()


def test_the_outlook_is_the_least_error_of_kernel_regressions_of_the_residual():
    signal = waves()
    field = build_field(signal, MODEL, 0)
    places = signal.geometry
    f, j = outputs_and_gradients(field, places.coords(signal.train_index))
    g, k = outputs_and_gradients(field, places.coords(signal.held_out_index))
    y = signal.normalisation.apply(signal.values.double())
    kernel = torch.einsum("ncp,mcp->nm", j, j)
    largest = torch.linalg.eigvalsh(kernel)[-1]
    errors = []
    for ridge in RIDGES:
        shifted = kernel + ridge * largest * torch.eye(len(kernel), device="cpu", dtype=torch.float64)
        weights = torch.linalg.solve(shifted, y[signal.train_index] - f)
        predicted = g + torch.einsum("ncp,mcp->nm", k, j) @ weights
        errors.append(float((predicted - y[signal.held_out_index]).square().mean()))
    followed = runner(signal).extrapolate(field, Trial(math.inf, 0.0, 0, math.inf))
    # Gradients in single precision: 1e-7 relative, over ridges of 1e-5 of the largest eigenvalue.
    assert followed.outlook == pytest.approx(min(errors), rel=0.05)
    assert min(errors) < 0.7 * max(errors)


def test_an_outlook_is_never_worse_than_the_trial():
    signal = waves()
    field = build_field(signal, MODEL, 0)
    trial = runner(signal).run(field, 10)
    assert trial.outlook == trial.error
    followed = runner(signal).extrapolate(field, trial)
    assert followed.outlook <= trial.error
    assert followed[:3] == trial[:3]
    assert runner(signal).extrapolate(field, trial._replace(error=0.0)).outlook == 0.0


def test_many_held_out_samples_are_judged_by_some_of_them(monkeypatch):
    signal = waves()
    everything = runner(signal)
    assert len(everything._judges) == len(signal.held_out_index)
    monkeypatch.setattr("overtone.planning._trials.JUDGES", 7)
    some = runner(signal)
    assert len(some._judges) == len(some._truth) == 7
    assert set(some._judges.tolist()) < set(signal.held_out_index.tolist())
