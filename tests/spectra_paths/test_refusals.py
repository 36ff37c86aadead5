from __future__ import annotations

import numpy as np
import pytest
import torch

from overtone.errors import InputError
from overtone.spectra.paths import Paths, path_spectrum

PATHS = Paths.straight(torch.zeros(2, 3), torch.ones(2, 3))


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: (x, x), "function: expected a function that returns one tensor or array, got a tuple of 2; select"),
        (lambda x: {"logits": x}, "got a dict of 1"),
        (lambda x: 1.0, "got a float"),
        (lambda x: x[:-1], r"expected outputs of shape \(32, channels\), one row per input, got \(31, 3\)"),
        (lambda x: x[:, None], r"got \(32, 1, 3\); flatten"),
        (lambda x: torch.full_like(x, torch.nan), "expected finite outputs, got NaN or infinity in 32 of 32 rows"),
        (lambda x: x / (x - x[3]), "first in row 3"),
        (lambda x: x.to(torch.complex64), "expected real values"),
        (lambda x: np.full(len(x), "cat"), "expected an array of numbers"),
        (lambda x: x - x.mean(0), "expected the same output for the same input, got outputs that differ by"),
        (torch.nn.Dropout(0.5), "disable dropout and batch statistics, for instance by network.eval"),
    ],
)  # fmt: skip
def test_functions_that_do_not_answer_as_they_should(function, said):
    with torch.random.fork_rng(devices=[]), pytest.raises(InputError, match=said):
        torch.manual_seed(0)
        path_spectrum(function, PATHS, 16)


def test_outputs_that_change_their_number():
    def function(x):
        return x[:, : len(x) % 4 + 1]

    with pytest.raises(InputError, match="expected 1 outputs per row, as in the previous call, got 3"):
        path_spectrum(function, PATHS, 9, batch=8)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: Paths.straight(torch.zeros(2, 3), torch.ones(3, 3)), r"ends: expected ends of the starts' shape"),
        (lambda: Paths.straight([[0.0, np.nan]], [[1.0, 2.0]]), "starts: expected finite samples, got NaN"),
        (lambda: Paths.straight([["a", "b"]], [["c", "d"]]), "starts: expected columns of numbers, got text in"),
        (lambda: Paths.straight([[0, 1], [2, 3]], [[1, 1], [2, 3]]), "got path 1 between equal inputs"),
        (lambda: Paths.straight([1.0, 2.0], [3.0, 4.0]), "expected samples with 2 or more axes"),
        (lambda: Paths.through(torch.zeros(2, 1, 3)), "expected at least two vertices per path, got 1"),
        (lambda: path_spectrum(lambda x: x, PATHS, 1), "expected at least two samples per path, got 1"),
        (lambda: path_spectrum(lambda x: x, PATHS, batch=0), "expected at least one row per call, got 0"),
        (lambda: path_spectrum(lambda x: x, PATHS, bands=[1, 2]), "expected band edges that start at 0"),
        (lambda: Paths.within_classes(torch.eye(4), [0, 1, 2], 1), "labels: expected 4 labels, one per sample"),
        (lambda: Paths.within_classes(torch.eye(4), [0, 0, 1, 1], 0), "the number of pairs of one class, got 0"),
        (lambda: Paths.to_noise(torch.eye(4), 5), "expected 1 to 4 paths, got 5"),
        (
            lambda: path_spectrum(lambda x: x, Paths.straight([[0.0]], [[1.0]])).interval(),
            "at least two rows for an interval, got 1",
        ),
        (lambda: path_spectrum(lambda x: x, PATHS).interval(level=1), "expected a level in"),
    ],
)  # fmt: skip
def test_arguments_that_make_no_sense(wrong, said):
    with pytest.raises(InputError, match=said):
        wrong()
