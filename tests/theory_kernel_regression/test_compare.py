from __future__ import annotations

import pytest
import torch

from overtone.errors import InputError, RunError
from overtone.theory import kernel_regression
from overtone.theory.kernel_regression._compare import comparison_tiles
from tests.theory_kernel_regression.slow import gaussian, picture

SIGMAS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


def models(signal):
    return [kernel_regression.NTKModel.from_encoding(gaussian(s), signal.geometry) for s in SIGMAS]


def test_the_winner_is_the_best_fit():
    signal = picture(32, 2, noise=0.2)
    found = kernel_regression.compare(signal, models(signal))
    alone = torch.stack(
        [torch.tensor(kernel_regression.fit(signal, m).held_out_error) for m in models(signal)]
    )
    assert torch.allclose(found.error, alone.double(), rtol=0.03)
    assert found.loss_db[found.best] == 0
    assert float(found.loss_db[-1]) > 3
    assert found.samples == 1024


def test_the_middle_of_the_tied_is_taken():
    signal = picture(32, 1, noise=0.2)
    same = [kernel_regression.NTKModel.from_encoding(gaussian(2.0), signal.geometry)] * 5
    found = kernel_regression.compare(
        signal, [*same, kernel_regression.NTKModel.from_encoding(gaussian(30.0), signal.geometry)]
    )
    assert found.tied == (0, 1, 2, 3, 4)
    assert found.middle == 2
    assert kernel_regression.compare(signal, same[:4]).middle == 1


def test_tiles_see_what_the_whole_sees():
    signal = picture(96, 1, noise=0.2)
    whole = kernel_regression.compare(signal, models(signal), samples=96 * 96)
    parts = kernel_regression.compare(signal, models(signal), samples=1024)
    assert parts.samples == 4096
    assert whole.samples == 9216
    assert abs(parts.best - whole.best) <= 1
    assert float(parts.loss_db[-1]) > 3


@pytest.mark.parametrize(
    ("shape", "samples"), [((100,), 10), ((64, 200), 100), ((5, 50, 50), 1000), ((9, 9), 200)]
)
def test_tiles_lie_inside_and_apart(shape, samples):
    seen = torch.zeros(shape, dtype=torch.int64)
    for box in comparison_tiles(shape, samples):
        seen[box] += 1
    assert int(seen.max()) == 1
    assert int(seen.sum()) <= max(2 * samples, 2 ** len(shape) * samples * 1.3)


def test_wrong_input_is_named():
    signal = picture(16)
    with pytest.raises(InputError, match="at least one candidate"):
        kernel_regression.compare(signal, [])
    with pytest.raises(InputError, match="no tile with both; hold out a random tenth"):
        kernel_regression.compare(signal.with_held_out(None), models(signal))
    with pytest.raises(RunError, match="a candidate that converges, got none"):
        kernel_regression.compare(signal, models(signal), options=kernel_regression.SolverOptions(vectors=2))
