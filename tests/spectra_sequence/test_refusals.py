from __future__ import annotations

import numpy as np
import pytest
import torch

from overtone.errors import InputError
from overtone.spectra.sequence import SequenceTransform, TemporalEstimator

X = np.random.default_rng(0).normal(size=(4, 20, 2))


def broken():
    changed = X.copy()
    changed[2:, 7, 1] = np.nan
    return changed


SHORT = {
    TemporalEstimator.even_extension(): 1,
    TemporalEstimator.periodic(): 1,
    TemporalEstimator.multitaper(4.0): 8,
    TemporalEstimator.multitaper(2.0, 9): 9,
    TemporalEstimator.welch(16): 15,
}


@pytest.mark.parametrize("estimator", SHORT, ids=lambda e: e.name)
def test_too_short_sequences(estimator):
    with pytest.raises(
        InputError, match=rf"steps: expected sequences of at least {SHORT[estimator] + 1} steps"
    ):
        SequenceTransform(SHORT[estimator], estimator=estimator)
    SequenceTransform(SHORT[estimator] + 1, estimator=estimator)


VALUES = {
    "NaN": (
        broken(),
        "values: expected finite .*, got NaN or infinity in 2 of 4 sequences, first in sequence 2 at step 7",
    ),
    "one axis fewer": (
        X[0],
        r"values: expected an array of shape .sequences, steps, channels., got shape .20, 2.",
    ),
    "other length": (
        X[:, :10],
        "values: expected sequences of 20 steps, got 10; cut the sequences to one length",
    ),
    "complex": (X + 1j, "values: expected real values"),
    "text": (X.astype(str), "values: expected an array of numbers"),
    "none": (X[:0], "values: expected values to analyse, got an empty array"),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_that_are_no_sequences(name):
    values, sentence = VALUES[name]
    with pytest.raises(InputError, match=sentence):
        SequenceTransform(20).spectrum(values)


def test_references_and_coefficients_of_others():
    transform = SequenceTransform(20)
    with pytest.raises(InputError, match=r"reference: expected a reference of the values' shape .4, 20, 2."):
        transform.spectrum(X, X[:, :, :1])
    own = transform.coefficients(X)
    with pytest.raises(InputError, match=r"coefficients of shape .sequences, 20, channels., equal for both"):
        transform.power(own[:, 1:])
    with pytest.raises(InputError, match="equal for both"):
        transform.cross(own, own[:2])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"rate": float("nan")}, "rate: expected a positive sampling rate, got nan"),
        (
            {"estimator": TemporalEstimator.welch(3)},
            "estimator: expected segments of at least 4 steps, got 3",
        ),
        (
            {"estimator": TemporalEstimator.multitaper(0.5)},
            "estimator: expected a time-bandwidth of at least 1 and a number of tapers of 0 or more",
        ),
        ({"bands": [1, 2]}, "bands: expected band edges that start at 0"),
    ],
)
def test_impossible_arguments(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        SequenceTransform(20, **arguments)


def test_whole_numbers_are_numbers():
    spectrum = SequenceTransform(20).spectrum(torch.ones(3, 20, 1, dtype=torch.int64))
    assert spectrum.power.sum() == 1
    assert spectrum.power[0] == 1
