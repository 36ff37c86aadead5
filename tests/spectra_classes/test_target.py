from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd.functional import hessian
from torch.nn.functional import cross_entropy, one_hot

from overtone.spectra import grid
from overtone.spectra.classes import ClassTarget, ClassWeights

some = settings(max_examples=30, deadline=None)
seeds = st.integers(0, 10_000)
classes = st.integers(2, 6)


def distributions(rows, columns, seed):
    return torch.from_numpy(np.random.default_rng(seed).dirichlet(np.ones(columns), size=rows))


def logits(rows, columns, seed):
    return torch.from_numpy(3 * np.random.default_rng(seed).normal(size=(rows, columns)))


def weighting(columns, seed):
    return ClassWeights.of(np.random.default_rng(seed).uniform(0.2, 5, size=columns))


def gradient(loss, z):
    z = z.clone().requires_grad_()
    return torch.autograd.grad(loss(z), z)[0]


def minimised(labels, columns, smoothing, weights):
    """Logits that torch's own loss ends at, sample by sample, by Newton's method."""
    found = []
    for label in labels:
        label = label[None]

        def loss(z, label=label):
            weight = None if weights is None else weights.values
            return cross_entropy(z[None], label, weight=weight, label_smoothing=smoothing, reduction="sum")

        z = torch.zeros(columns, dtype=torch.float64)
        for _ in range(60):
            slope = gradient(loss, z)
            bend = hessian(loss, z) + torch.ones(columns, columns, dtype=torch.float64)
            step = torch.linalg.solve(bend, slope)
            z = z - step / max(1.0, float(step.abs().max()))
            if float(step.abs().max()) < 1e-9:
                break
        found.append(z - z.mean())
    return torch.stack(found)


@given(columns=classes, seed=seeds, smoothing=st.floats(0.02, 0.8), weighted=st.booleans())
@settings(max_examples=8, deadline=None)
def test_the_target_is_where_the_loss_of_pytorch_ends(columns, seed, smoothing, weighted):
    labels = torch.arange(columns)
    weights = weighting(columns, seed) if weighted else None
    wanted = minimised(labels, columns, smoothing, weights)
    limit = ClassTarget.centred_logits(smoothing, weights).values(labels, columns)
    torch.testing.assert_close(limit, wanted, rtol=0, atol=1e-6)
    shares = ClassTarget.probabilities(smoothing, weights).values(labels, columns)
    torch.testing.assert_close(shares, wanted.softmax(1), rtol=0, atol=1e-6)


def test_another_smoothing_is_found_out():
    labels = torch.arange(3)
    wanted = minimised(labels, 3, 0.1, None)
    assert float((ClassTarget.centred_logits(0.2).values(labels, 3) - wanted).abs().max()) > 0.3


@given(columns=classes, seed=seeds, smoothing=st.floats(0, 0.9))
@some
def test_the_residual_is_the_gradient_of_the_loss(columns, seed, smoothing):
    z, target = logits(5, columns, seed), distributions(5, columns, seed + 1)

    def loss(given):
        return cross_entropy(given, target, label_smoothing=smoothing, reduction="sum")

    found = ClassTarget.probabilities(smoothing).residual(z, target)
    torch.testing.assert_close(found, gradient(loss, z), rtol=0, atol=1e-12)


@given(columns=classes, seed=seeds)
@some
def test_one_hot_labels_and_their_probabilities_are_one_target(columns, seed):
    labels = torch.from_numpy(np.random.default_rng(seed).integers(columns, size=7))
    table = one_hot(labels, columns).double()
    for target in (
        ClassTarget.one_hot(),
        ClassTarget.probabilities(),
        ClassTarget.probabilities(0.1),
        ClassTarget.centred_logits(0.1, weighting(columns, seed)),
    ):
        torch.testing.assert_close(target.values(labels, columns), target.values(table, columns))
    torch.testing.assert_close(ClassTarget.one_hot().values(labels, columns), table)
    assert torch.equal(ClassTarget.probabilities().values(labels.numpy(), columns), table)


@given(columns=classes, seed=seeds)
@some
def test_outputs_and_their_probabilities_are_one_prediction(columns, seed):
    """Probabilities of logits within 20 of each other are above e^-20: their logarithms err by e^20 u = 1e-7."""
    z = logits(6, columns, seed)
    p = z.softmax(1)
    for target in (ClassTarget.probabilities(), ClassTarget.centred_logits(0.1)):
        torch.testing.assert_close(
            target.predictions(z), target.predictions_from_probabilities(p), rtol=0, atol=1e-7
        )
    shifted = z + torch.from_numpy(np.random.default_rng(seed).normal(size=(6, 1)))
    for target in (ClassTarget.probabilities(), ClassTarget.centred_logits(0.1)):
        torch.testing.assert_close(target.predictions(shifted), target.predictions(z), rtol=0, atol=1e-12)
    assert torch.equal(ClassTarget.one_hot().predictions(z), z)
    labels = torch.zeros(6, dtype=torch.int64)
    torch.testing.assert_close(
        ClassTarget.probabilities().residual_from_probabilities(p, labels),
        ClassTarget.probabilities().residual(z, labels),
    )


@given(columns=classes, seed=seeds, smoothing=st.floats(0.01, 0.9))
@some
def test_the_limit_has_its_closed_form_and_both_targets_belong_together(columns, seed, smoothing):
    labels = torch.arange(columns)
    big = math.log(1 + columns * (1 - smoothing) / smoothing)
    closed = torch.full((columns, columns), -big / columns, dtype=torch.float64).fill_diagonal_(
        big * (1 - 1 / columns)
    )
    torch.testing.assert_close(
        ClassTarget.centred_logits(smoothing).values(labels, columns), closed, rtol=1e-9, atol=1e-12
    )
    weights = weighting(columns, seed)
    table = distributions(4, columns, seed) * 0.9 + 0.1 / columns
    limit = ClassTarget.centred_logits(smoothing, weights).values(table, columns)
    torch.testing.assert_close(
        limit.softmax(1), ClassTarget.probabilities(smoothing, weights).values(table, columns)
    )
    torch.testing.assert_close(limit.sum(1), torch.zeros(4, dtype=torch.float64), rtol=0, atol=1e-12)


def test_balanced_weights_undo_the_frequency_of_the_classes():
    """With densities p(x|k) and priors, labels have p(k|x) ~ prior p(x|k); weights 1 / prior leave p(x|k)."""
    given, prior = distributions(8, 3, 0), torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)
    posterior = prior * given
    posterior = posterior / posterior.sum(1, keepdim=True)
    labels = torch.repeat_interleave(torch.arange(3), torch.tensor([70, 20, 10]))
    weights = ClassWeights.balanced(labels, 3)
    torch.testing.assert_close(weights.values * prior * 3, torch.ones(3, dtype=torch.float64))
    wanted = given / given.sum(1, keepdim=True)
    torch.testing.assert_close(ClassTarget.probabilities(weights=weights).values(posterior, 3), wanted)
    assert float((ClassTarget.probabilities().values(posterior, 3) - wanted).abs().max()) > 0.1
    certain = ClassTarget.probabilities(weights=weights).values(labels, 3)
    torch.testing.assert_close(certain, one_hot(labels, 3).double(), rtol=0, atol=1e-15)


def test_the_residual_of_a_classifier_of_known_error_has_its_spectrum():
    """Three classes along a line, a network that misses 1 - 0.8 of a wave of 5 cycles in the second class's column."""
    x = (torch.arange(120, dtype=torch.float64) + 0.5) / 120
    wave = 0.2 * torch.cos(2 * torch.pi * 5 * x)
    p = torch.stack([0.3 - wave / 2, 0.4 + wave, 0.3 - wave / 2], 1)
    guess = torch.stack([0.3 - 0.4 * wave, 0.4 + 0.8 * wave, 0.3 - 0.4 * wave], 1)
    residual = ClassTarget.probabilities().residual(guess.log(), p)
    spectrum = grid(residual, channel_axis=-1, bands=[0, 4.75, 5.25, 60])
    wanted = torch.tensor([0.1**2, 0.2**2, 0.1**2], dtype=torch.float64) * 0.2**2 / 2
    torch.testing.assert_close(spectrum.power[1], wanted, rtol=1e-9, atol=0)
    torch.testing.assert_close(spectrum.mean_square, wanted, rtol=1e-9, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_any_precision_of_outputs_is_taken(dtype):
    z = logits(5, 3, 0).to(dtype)
    found = ClassTarget.probabilities().residual(z, torch.tensor([0, 1, 2, 0, 1]))
    assert found.dtype == torch.float64
    torch.testing.assert_close(found.sum(1), torch.zeros(5, dtype=torch.float64), rtol=0, atol=1e-12)
