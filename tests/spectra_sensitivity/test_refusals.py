from __future__ import annotations

import numpy as np
import pytest
import torch

from overtone.errors import InputError
from overtone.spectra.sensitivity import (
    InputNormalisation,
    ScoreGradient,
    filtered_accuracy,
    gradient_spectrum,
    heat_map,
    low_pass,
)

X = np.random.default_rng(0).random((3, 1, 4, 4))
LABELS = [0, 1, 1]

DIFFERENTIABLE, OUTSIDE = "logits that PyTorch can diff", "expected whole labels from 0 to 1, got 2"
loss_gradient = ScoreGradient.of_loss
AS_GIVEN = InputNormalisation.none()


def scores(x):
    return x.reshape(len(x), -1)[:, :2]


def mapped(classify=scores, pictures=X, labels=LABELS, norm=0.1, normalise=None, **rest):
    return heat_map(classify, pictures, labels, norm, normalise=normalise or AS_GIVEN, **rest)


def filtered(cutoffs):
    return filtered_accuracy(scores, X, LABELS, cutoffs, normalise=AS_GIVEN)


def graded(gradient, pictures=X, labels=LABELS, **rest):
    return gradient_spectrum(gradient, pictures, labels, **rest)


TENSORS = torch.from_numpy(X)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: mapped(lambda x: (scores(x), None)), "function: expected a function that returns one tensor"),
        (lambda: mapped(lambda x: scores(x)[:, 0]), "expected one score per class, two or more, got 1"),
        (lambda: mapped(lambda x: scores(x).argmax(1)), "expected one score per class, two or more, got 1"),
        (lambda: mapped(lambda x: scores(x)[:2]), r"outputs of shape \(3, channels\), one row per input, got \(2, 2\)"),
        (lambda: mapped(lambda x: scores(x) * np.nan), "expected finite outputs"),
        (lambda: mapped(lambda x: x - x.mean()), "flatten the outputs of each input"),
        (lambda: mapped(lambda x: scores(x) - scores(x).mean()), "expected the same output for the same input"),
        (lambda: mapped(labels=[0, 1, 2]), "labels: expected whole labels from 0 to 1, got 2 for sample 2"),
        (lambda: mapped(labels=[0, -1, 1]), "got -1 for sample 1"),
        (lambda: mapped(labels=[0, 0.5, 1]), "got 0.5 for sample 1"),
        (lambda: mapped(labels=["cat", "dog", "cat"]), "expected labels that are numbers from 0, got <U3 such as"),
        (lambda: mapped(labels=[0, 1]), "expected 3 labels, one per sample"),
        (lambda: mapped(pictures=X[:, 0]), r"expected pictures of shape \(pictures, channels, height, width\)"),
        (lambda: mapped(pictures=X * np.inf), "pictures: expected finite samples"),
        (lambda: mapped(pictures=np.full((3, 1, 4, 4), "a")), "expected columns of numbers, got text in column"),
        (lambda: mapped(norm=0), "norm: expected a positive norm, got 0"),
        (lambda: mapped(norm=np.nan), "expected a positive norm, got nan"),
        (lambda: mapped(batch=0), "expected at least one row per call, got 0"),
        (lambda: mapped(highest=-0.1), "expected a highest frequency of 0 or more, got -0.1"),
        (
            lambda: mapped(normalise=InputNormalisation.standardise([0, 0], [1, 1])),
            "expected 1 or 1 numbers, one per channel of the pictures",
        ),
        (lambda: InputNormalisation.standardise(0.5, 0), "expected finite means and positive standard deviations"),
        (lambda: mapped().radial(level=0), "expected a level in"),
        (lambda: filtered([]), "expected cut-off frequencies of 0 or more"),
        (lambda: filtered([0.1, -0.1]), "expected cut-off frequencies of 0 or more"),
        (lambda: low_pass(X[0], 0.1), r"expected pictures of shape \(pictures"),
        (lambda: graded(lambda x, _: x[:, 0]), r"gradients of the pictures' shape \(3, 1, 4, 4\), got \(3, 4, 4\)"),
        (lambda: graded(lambda x, _: (x,)), "gradient: expected gradients of the pictures' shape .* got a tuple"),
        (lambda: graded(lambda x, _: x * np.nan), "expected finite outputs"),
        (lambda: graded(lambda x, _: x, batch=0), "expected at least one picture per call"),
        (lambda: graded(loss_gradient(lambda x: scores(x).detach(), AS_GIVEN), TENSORS), DIFFERENTIABLE),
        (lambda: graded(loss_gradient(scores, AS_GIVEN), TENSORS, [0, 1, 2]), OUTSIDE),
        (lambda: graded(loss_gradient(lambda x: [scores(x)], AS_GIVEN), TENSORS), "got a list of 1; select one output"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_one_sentence(wrong, said):
    with pytest.raises(InputError, match=said) as refusal:
        wrong()
    assert "\n" not in str(refusal.value)


def test_normalisation_has_to_be_said():
    with pytest.raises(TypeError, match="normalise"):
        heat_map(scores, X, LABELS, 0.1)
