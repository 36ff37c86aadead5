"""A network on a real table of pictures learns what is smooth on it first; shuffled labels take the order away."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from overtone.spectra.clouds import GaussianFilter, GraphTransform

EPOCHS = 14
SHARES = (0.75, 0.5, 0.25)


@pytest.fixture(scope="module")
def digits():
    pixels, labels = load_digits(return_X_y=True)
    return torch.from_numpy(pixels[:900] / 16).float(), torch.from_numpy(labels[:900])


def one_hot(labels):
    return torch.nn.functional.one_hot(labels, 10).double()


def train(pixels, labels, seed=0):
    """Class probabilities of a 64-200-10 network before each epoch."""
    source = torch.Generator().manual_seed(seed)
    sizes = [(64, 200), (200, 10)]
    weights = [torch.randn(*s, generator=source) / math.sqrt(s[0]) for s in sizes] + [
        torch.zeros(s[1]) for s in sizes
    ]
    for weight in weights:
        weight.requires_grad_()
    one, two, first, second = weights
    optimiser = torch.optim.Adam(weights, 3e-3)
    seen = []
    for _ in range(EPOCHS):
        with torch.no_grad():
            seen.append(((pixels @ one + first).tanh() @ two + second).softmax(1))
        for rows in torch.randperm(len(pixels), generator=source).split(128):
            outputs = (pixels[rows] @ one + first).tanh() @ two + second
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(outputs, labels[rows]).backward()
            optimiser.step()
    return seen


def ladder(pixels, labels, ladder_widths):
    target = one_hot(labels)
    apply = GaussianFilter(pixels, ladder_widths)
    found = [apply.errors(target, seen) for seen in train(pixels, labels)]
    return torch.stack([f.e_low for f in found]), torch.stack([f.e_high for f in found]), found[0].low_share


def test_low_parts_are_learned_first_and_shuffling_shrinks_the_gap(digits):
    pixels, labels = digits
    chosen = GaussianFilter.widths_for(pixels, one_hot(labels), SHARES, at_most=900)
    low, high, share = ladder(pixels, labels, chosen)
    np.testing.assert_allclose(share, SHARES, rtol=0.02)
    assert ((low < high).double().mean(0) >= 0.9).all()
    shuffled = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))]
    control_low, control_high, _ = ladder(pixels, shuffled, chosen)
    assert ((control_high - control_low).mean(0) < 0.8 * (high - low).mean(0)).all()


def test_labels_lie_low_on_the_graph_and_shuffled_ones_do_not(digits):
    pixels, labels = digits
    transform = GraphTransform(pixels, 24)
    target = one_hot(labels)
    target = target - target.mean(0)
    shuffled = target[torch.randperm(len(target), generator=torch.Generator().manual_seed(1))]
    shares = [
        float(s.missing.sum() / s.mean_square.sum()) for s in map(transform.spectrum, (target, shuffled))
    ]
    assert shares[0] < 0.35
    assert shares[1] > 0.9
