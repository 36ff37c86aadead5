import dataclasses

import numpy as np
import pytest
import torch

import overtone as ot
from overtone.comparing._measured import HELD_OUT, SamplesTask, classical_results, decibels_of
from overtone.comparing._statistics import MEAN
from overtone.errors import InputError
from overtone.planning import Budget
from tests.fitting.test_measured import kspace, picture, sinogram


@pytest.fixture(autouse=True)
def few_iterations(monkeypatch):
    """Total variation in no time: its quality is tested elsewhere."""
    monkeypatch.setattr("overtone.baselines._reconstruction.ITERATIONS", 15)


def test_candidates_never_get_what_they_are_judged_by():
    task = SamplesTask.of(kspace(), 0.2, 0)
    kept, held = (set(part.terms[0].data[:, 0].tolist()) for part in (task.fitted, task.held_out))
    assert not kept & held
    assert sum(task.sizes) == task.signal.terms[0].size


def test_the_mean_is_the_constant_that_fits_best():
    task = SamplesTask.of(sinogram(), 0.2, 0)
    results = classical_results(task, 0)
    constant = results[MEAN].outputs
    assert float(constant.std()) == 0

    def loss(level):
        return float(task.fitted.loss(lambda _: torch.full_like(constant, level)))

    level = float(constant[0, 0])
    assert loss(level) < min(loss(1.01 * level), loss(0.99 * level))
    assert set(results) == {
        MEAN,
        "scaled adjoint",
        "filtered back-projection",
        "SART, 3 passes",
        "total variation",
    }


def test_the_reference_judges_where_it_is_known_else_the_held_out_measurements():
    task = SamplesTask.of(sinogram(), 0.2, 0)
    truth = torch.from_numpy(picture()).reshape(-1, 1)
    assert float(task.errors(truth + 0.1).mean()) == pytest.approx(0.01)
    assert decibels_of(task, task.errors(truth + 0.1)) == pytest.approx(
        20 * np.log10(np.ptp(picture()) / 0.1)
    )
    unknown = SamplesTask.of(dataclasses.replace(sinogram(), reference=None), 0.2, 0)
    assert unknown.judged == HELD_OUT
    residual = unknown.held_out.residuals(lambda _: truth)[0].square().mean()
    assert float(unknown.errors(truth).mean()) == pytest.approx(float(residual))


def test_too_few_angles_are_refused():
    few = ot.signals.projections(np.ones((4, 8)), np.arange(0, 180, 45.0))
    with pytest.raises(InputError, match="at least 8 groups"):
        ot.compare(few)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"budget": Budget(parameters=100)}, "parameters"),
        ({"candidates": ["nothing"]}, "candidates out of"),
        ({"choose": "quick"}, "choose"),
    ],
)
def test_what_does_not_apply_is_refused_before_anything_is_written(tmp_path, options, words):
    with pytest.raises(InputError, match=words):
        ot.compare(kspace(), tmp_path / "comparison", **options)
    assert not (tmp_path / "comparison").exists()


def test_others_are_not_continued_in_the_same_place(tmp_path):
    options = {"candidates": [], "budget": Budget(steps=50), "seeds": 1}
    result = ot.compare(kspace(), tmp_path / "comparison", **options)
    assert result.winner in {"zero-filled", "total variation", "mlp"}
    assert "ComparisonResult on 'k-space'" in repr(result)
    with pytest.raises(InputError, match="the samples that the comparison began with"):
        ot.compare(sinogram(), tmp_path / "comparison", **options)
