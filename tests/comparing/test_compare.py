"""Comparisons from end to end: what takes part, what is kept, and what is refused."""

import json
import re
import shutil

import numpy as np
import pytest
import torch

import overtone as ot
from overtone._config import EncodingKind, ModelConfig
from overtone._sweeps import Local
from overtone.comparing._candidates import (
    ALWAYS,
    Attempt,
    NetworkCandidate,
    all_candidates,
    network_candidates,
    validation_observer,
)
from overtone.comparing._compare import mark_undertrained
from overtone.comparing._directory import stored_size_limits
from overtone.comparing._statistics import ComparisonVerdict, Margin, Score
from overtone.comparing._task import ComparisonTask
from overtone.comparing._wording import verdict_sentences
from overtone.comparing._worker import run_candidate
from overtone.early_stopping import BestWeights
from overtone.early_stopping._monitor import LowestError
from overtone.errors import InputError, RunError
from overtone.planning import Budget, ReasonCode
from overtone.planning._run_size import step_seconds
from overtone.signals import masks, synthetic
from tests.comparing.small import QUICK, Nobody, waves, white

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """One comparison, to look at from several sides."""
    folder = tmp_path_factory.mktemp("comparison") / "out"
    return ot.compare(waves(), folder, **QUICK)


def test_everything_takes_part_and_is_ranked(once):
    assert {score.name for score in once.scores} == {*ALWAYS, "gaussian"}
    levels = [score.mean for score in once.scores]
    assert levels == sorted(levels, reverse=True)
    for score in once.scores:
        drawn = score.name in ("mlp", "gaussian", "kernel-twin")
        assert len(score.psnr) == (2 if drawn else 1)
        assert (score.low < score.mean < score.high) == drawn
        assert score.trained == (score.name in ("mlp", "gaussian"))
        assert (score.parameters is not None) == score.trained
        assert score.parameters is None or score.parameters <= QUICK["budget"].parameters
    assert once.winner in levels_of(once)
    assert once.scores[-1].name == "mean" or levels_of(once)["mean"] < 20


def levels_of(found):
    return {score.name: score.mean for score in found.scores}


def test_scores_are_the_errors_of_the_predictions(once):
    held = once.task.signal.held_out_index
    for score in once.scores:
        wrong = once.predictions[score.name][held] - once.task.reference[held].double().numpy()
        level = 10 * np.log10(once.task.signal.peak**2 / np.square(wrong).mean())
        assert score.psnr[0] == pytest.approx(level, abs=0.01 if level < 80 else 3)


def test_it_goes_on_where_it_was(once, capsys):
    again = ot.compare(waves(), once.path, workers=Nobody(), progress=True, **QUICK)
    assert levels_of(again) == levels_of(once)
    assert capsys.readouterr().err.count("from an earlier run") == 11
    with pytest.raises(AssertionError, match="gaussian, seed 0"):
        ot.compare(
            waves(), once.path, workers=Nobody(), **{**QUICK, "budget": Budget(steps=51, parameters=6000)}
        )


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["results", "predictions", "comparison.part", "predictions/own.part"])
def test_nothing_is_written_or_deleted_through_links(once, tmp_path, name, overwrite):
    folder, mine = tmp_path / "copy", tmp_path / "mine"
    shutil.copytree(once.path, folder)
    mine.mkdir()
    (mine / "thesis.txt").write_text("precious")
    link = folder / name
    if link.is_dir():
        shutil.rmtree(link)
        link.symlink_to(mine)
    else:
        link.symlink_to(mine / "thesis.txt")
    with pytest.raises(
        InputError, match=r"expected a comparison without links to other places, got a link .*cp -rL"
    ):
        ot.compare(waves(), folder, workers=Nobody(), overwrite=overwrite, **QUICK)
    assert [path.read_text() for path in mine.iterdir()] == ["precious"]


def test_other_samples_are_not_mixed_in(once):
    with pytest.raises(
        InputError,
        match="expected the samples that the comparison began with, got different ones; pass the same",
    ):
        ot.compare(waves(noise=0.1), once.path, workers=Nobody(), **QUICK)
    with pytest.raises(InputError, match="expected the samples that the comparison began with"):
        ot.compare(waves(), once.path, workers=Nobody(), seed=1, **QUICK)


def test_worker_processes_find_the_same(once, tmp_path):
    found = ot.compare(waves(), tmp_path / "out", workers=Local(1), **{**QUICK, "seeds": 1})
    assert {score.name for score in found.scores} == {score.name for score in once.scores}
    first = {score.name: score.psnr[0] for score in once.scores}
    for score in found.scores:
        # The same arithmetic in the same order, but for the number of threads a sum is split among.
        assert score.psnr[0] == pytest.approx(first[score.name], abs=0.1 if score.mean < 80 else 3)


def test_the_page_shows_all(once, tmp_path):
    text = once.report(tmp_path / "page.html").read_text(encoding="utf-8")
    for score in once.scores:
        assert score.name in text
    for sentence in once.verdict:
        assert sentence.split("(")[0].strip() in text
    assert "http://" not in text.replace("http://www.w3.org", "")


@pytest.mark.parametrize("shape", [(60,), (6, 8, 7)], ids=str)
def test_lines_and_volumes_are_compared_too(tmp_path, shape):
    signal = ot.signals.array(np.sin(sum(np.indices(shape)) / 4.0))
    found = ot.compare(
        signal,
        tmp_path / "out",
        candidates=[],
        budget=Budget(steps=50, parameters=2000),
        seeds=1,
        held_out=0.2,
    )
    assert {score.name for score in found.scores} == set(ALWAYS)
    assert found.report().stat().st_size > 10_000


def test_white_noise_is_not_to_be_fitted(tmp_path):
    found = ot.compare(white(), tmp_path / "out", **QUICK)
    assert (found.winner, found.decision.network_recommended) == ("mean", False)
    assert found.verdict[0].startswith("Do not fit this signal")


def test_noise_is_stopped_before_it_is_learned():
    noisy = synthetic.add_noise(waves(), fraction_of_range=0.2, seed=0)
    noisy = noisy.with_held_out(masks.random(noisy.geometry, 0.1, 0))
    wild = NetworkCandidate(ModelConfig(EncodingKind.GAUSSIAN, features=64), lr=1e-2)
    found = wild.attempt(ComparisonTask.of(noisy), Budget(steps=300, parameters=20_000), 0, CPU)
    assert found.reason.code is ReasonCode.BEST_STEP
    assert 0 < found.reason.values["step"] < 300
    assert found.reason.values["samples"] > 0
    clean = waves().with_held_out(masks.random(waves().geometry, 0.1, 0))
    assert NetworkCandidate(ModelConfig()).attempt(
        ComparisonTask.of(clean), Budget(steps=50, parameters=5000), 0, CPU
    ).reason.values == {"steps": 50}


def test_the_best_weights_come_back():
    problem = ComparisonTask.of(waves().with_held_out(masks.random(waves().geometry, 0.1, 0)))
    field = NetworkCandidate(ModelConfig()).field(problem, 8, 0)
    best = BestWeights(LowestError(), field)
    observe = validation_observer(field, problem.signal, best)
    observe(0)
    before = {name: value.clone() for name, value in field.state_dict().items()}
    with torch.no_grad():
        for parameter in field.parameters():
            parameter += 10
    observe(1)
    assert best.restore() == 0
    assert all(torch.equal(value, before[name]) for name, value in field.state_dict().items())


def test_the_width_is_the_most_that_the_budget_allows():
    problem = ComparisonTask.of(waves().with_held_out(masks.random(waves().geometry, 0.1, 0)))
    network, budget = network_candidates()["gaussian"], Budget(steps=50, parameters=30_000)
    width = network.width(problem, budget)
    sizes = [sum(p.numel() for p in network.field(problem, w, 0).parameters()) for w in (width, width + 1)]
    assert sizes[0] <= 30_000 < sizes[1]


REFUSED = {
    "steps": (
        {"budget": Budget(steps=10)},
        "steps: expected at least 50 steps, so that a network can learn, got 10",
    ),
    "seconds": (
        {"budget": Budget(seconds=1e-5)},
        r"seconds: expected at least \S+ s, the time of one step, got 1e-05 s; allow \S+ s for a first result",
    ),
    "parameters": (
        {"budget": Budget(parameters=20)},
        r"parameters: expected a budget of at least \S+ parameters, got 20; increase it",
    ),
    "seeds": ({"seeds": 0}, "seeds: expected at least one seed, got 0"),
    "candidates": (
        {"candidates": ["sirene"]},
        "candidates: expected candidates out of mlp, .*gaussian.*, got 'sirene'",
    ),
    "held_out": (
        {"held_out": 0},
        "compare: expected held-out samples, which are needed to evaluate candidates, got none",
    ),
    "device": ({"device": "tpu9"}, "device: expected a device that is there"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_said_before_anything_is_written(tmp_path, name):
    options, sentence = REFUSED[name]
    with pytest.raises(InputError, match=sentence):
        ot.compare(waves((10, 12)), tmp_path / "out", workers=Nobody(), **options)
    assert not (tmp_path / "out").exists()


def test_directories_of_others_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(
        InputError, match="expected an empty directory or an earlier comparison, got other files"
    ):
        ot.compare(waves(), tmp_path, workers=Nobody(), **QUICK)
    with pytest.raises(InputError, match="expected a directory to write to, got a file"):
        ot.compare(waves(), tmp_path / "notes.txt", workers=Nobody(), **QUICK)


def test_an_interrupted_training_is_no_result(monkeypatch, tmp_path):
    from overtone.comparing import _candidates as network

    def interrupted(*_, **__):
        return network.Outcome(7, 0.1, network.Ending.INTERRUPTED)

    monkeypatch.setattr(network, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ot.compare(waves((10, 12)), tmp_path / "out", **QUICK)
    kept = [json.loads(f.read_text())["name"] for f in (tmp_path / "out/results").glob("*.json")]
    assert "linear" in kept
    assert not any(name.startswith(("mlp", "gaussian")) for name in kept)


def test_a_failure_is_told_and_the_others_go_on(monkeypatch, tmp_path):
    def broken(self, task, width, seed):
        if self.settings.encoding is EncodingKind.GAUSSIAN:
            raise RunError("a network", "none", "try again")
        return field(self, task, width, seed)

    field = NetworkCandidate.field
    monkeypatch.setattr(NetworkCandidate, "width", lambda *_: 8)
    monkeypatch.setattr(NetworkCandidate, "field", broken)
    found = ot.compare(waves((10, 12)), tmp_path / "out", **QUICK)
    assert set(found.failed) == {"gaussian", "kernel-twin"}
    assert found.failed["gaussian"] == "expected a network, got none; try again."
    assert "mlp" in levels_of(found)


def test_lost_predictions_are_noticed(tmp_path):
    found = ot.compare(waves((10, 12)), tmp_path / "out", **{**QUICK, "seeds": 1, "candidates": []})
    next((found.path / "predictions").glob("cubic*")).unlink()
    with pytest.raises(
        InputError, match="expected a stored prediction, got a missing or damaged file; restart with"
    ):
        ot.compare(waves((10, 12)), tmp_path / "out", **{**QUICK, "seeds": 1, "candidates": []})


def test_a_prediction_that_is_not_finite_is_no_result(once, monkeypatch):
    monkeypatch.setattr(
        "overtone.comparing._candidates.BaselineCandidate.attempt",
        lambda self, problem, *_: Attempt(problem.reference * np.nan),
    )
    with pytest.raises(RunError, match="linear: expected a finite prediction, got NaN or infinity"):
        run_candidate(str(once.path), "", "linear", 0, 50, None, None, "cpu")


def test_every_network_can_be_asked_for():
    known = all_candidates()
    assert {"mlp", "gaussian", "siren", "hash-grid", "gabor", "positional"} <= set(known)
    problem = ComparisonTask.of(waves().with_held_out(masks.random(waves().geometry, 0.1, 0)))
    for name, network in network_candidates().items():
        if name == "triplane":
            continue
        field = network.field(problem, 8, 0)
        assert field(problem.signal.coords[:3]).shape == (3, 1), name


def test_a_budget_in_seconds_is_taken_as_fit_takes_it(tmp_path, capsys):
    """In twenty steps of a full-sized network nothing is learned: it is narrowed, as `fit` does, and not refused."""
    signal = waves()
    problem = ComparisonTask.of(signal.with_held_out(masks.random(signal.geometry, 0.1, 0)))
    seconds = 20 * step_seconds(network_candidates()["gaussian"].field(problem, 256, 0), problem.signal, CPU)
    few = {"candidates": ["gaussian"], "budget": Budget(seconds=seconds), "seeds": 1}
    found = ot.compare(signal, tmp_path / "c", **few, progress=True)
    first, second = capsys.readouterr().err.splitlines()[:2]
    assert first == f"compare {signal.name}: choosing the bandwidth from the training samples"
    assert re.search(
        r"^bandwidth .+ cycles per array, 8 parts, 2 of them trainings with .+ s each -> ", second
    )
    extent = stored_size_limits(tmp_path / "c", found.budget)
    assert extent is not None
    assert extent.width == 128
    assert {score.name for score in found.scores if score.trained} == {"mlp", "gaussian"}
    sizes = {score.name: score.parameters for score in found.scores}
    assert sizes["gaussian"] == sum(
        p.numel() for p in network_candidates()["gaussian"].field(problem, 128, 0).parameters()
    )
    again = ot.compare(signal, tmp_path / "c", **few, workers=Nobody())
    assert again.scores == found.scores


def test_networks_without_time_to_learn_are_not_judged_in_silence():
    decision = ComparisonVerdict("linear", False, "mlp", "mlp", "linear")
    results = {"linear": {0: {"steps": None}}, "mlp": {0: {"steps": 3}, 1: {"steps": 900}}}
    marked = mark_undertrained(decision, results, {"mlp"})
    assert marked.undertrained == {"mlp": 3}
    scores = [Score(name, name == "mlp", (3.0,), 3.0, 3.0, 1.0, None, "") for name in ("linear", "mlp")]
    words = verdict_sentences(marked, scores, {("linear", "mlp"): Margin(0.5, 0.3, 0.7)})
    assert len(words) == 3
    assert words[-1].endswith("Networks with too few steps for a verdict: mlp 3 steps. Allow more time.")
    plenty = {"mlp": {0: {"steps": 900}}}
    assert mark_undertrained(decision, plenty, {"mlp"}) == decision
