from __future__ import annotations

import numpy as np
import pytest
import torch

from overtone.errors import InputError
from overtone.spectra.classes import ClassTarget, ClassWeights, NoisyLabels, Wave

one_hot, probabilities = ClassTarget.one_hot, ClassTarget.probabilities
centred_logits = ClassTarget.centred_logits
LOGITS = torch.zeros(3, 2)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: one_hot().values([0, 1, 2], 2), "labels: expected whole labels from 0 to 1, got 2 for sample 2"),
        (lambda: one_hot().values([-1, 1], 2), r"got -1 for sample 0 \(1 invalid labels\)"),
        (lambda: one_hot().values([0.0, np.nan], 2), "got nan for sample 1"),
        (lambda: one_hot().values(["a", "b"], 2), "expected labels that are numbers from 0, got <U1"),
        (lambda: one_hot().values([], 2), "expected one label per sample"),
        (lambda: one_hot().values([0, 0], 1), "expected at least two classes, got 1"),
        (lambda: one_hot().values([[0.5, 0.6]], 2), "sum to 1 in each row, got row 0 with the sum 1.1"),
        (lambda: one_hot().values([[1.5, -0.5]], 2), "and the minimum -0.5"),
        (lambda: one_hot().values([[0.5, 0.5]], 3), "expected probabilities of 3 classes, got 2"),
        (lambda: probabilities().residual(LOGITS, [0, 1]), "expected 3 labels, one per row of the outputs, got 2"),
        (lambda: probabilities().residual(LOGITS[:, :1], [0, 0, 0]), "for a single logit z pass two columns"),
        (lambda: probabilities().residual(LOGITS * np.nan, [0, 0, 0]), "outputs: expected finite numbers in every row"),
        (lambda: probabilities().residual([["a", "b"]], [0]), "expected columns of numbers, got text in column 0"),
        (lambda: probabilities().residual_from_probabilities(LOGITS, [0, 0, 0]), "apply softmax to logits"),
        (lambda: probabilities(1.0), "expected label smoothing in"),
        (lambda: centred_logits(-0.1), "expected label smoothing in"),
        (lambda: centred_logits(0).values([0, 1], 2), "every class, so that logits have a limit, got a"),
        (lambda: centred_logits(0.1).predictions_from_probabilities([[1.0, 0.0]]), "probability of 0 in 1 of 1 rows"),
        (lambda: probabilities(weights=ClassWeights.of([1, 2])).values([0, 1, 2], 3), "expected 3 weights, one per"),
        (lambda: ClassWeights.of([1, 0]), "expected a positive weight for each"),
        (lambda: ClassWeights.balanced([0, 0, 2], 3), "expected samples of every class, got none of class 1"),
        (lambda: Wave.radial(-1.0), "expected a frequency of 0 or more, got -1"),
        (lambda: Wave.plane(1.0, [0.0, 0.0]), "expected a direction that is not all 0"),
        (lambda: Wave.plane(1.0, [1.0]).values(LOGITS), "direction: expected 2 numbers, one per feature, got 1"),
        (lambda: Wave.radial(1.0, [1.0]).values(LOGITS), "centre: expected 2 numbers, one per feature, got 1"),
        (lambda: Wave.radial(1.0).values(LOGITS + np.inf), "coords: expected finite numbers in every row"),
        (
            lambda: NoisyLabels.along_wave([0, 1], 2, LOGITS, Wave.radial(1.0)),
            "expected 2 inputs, one per label, got 3",
        ),
        (lambda: NoisyLabels.along_wave([0, 1, 5], 2, LOGITS, Wave.radial(1.0)), "got 5 for sample 2"),
        (lambda: NoisyLabels.at_random([0, 1], 2, 1.5), "expected a rate in"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_one_sentence(wrong, said):
    with pytest.raises(InputError, match=said) as refusal:
        wrong()
    assert "\n" not in str(refusal.value)
