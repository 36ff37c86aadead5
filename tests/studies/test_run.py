"""Studies are run, stored, resumed and shown."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from overtone._sweeps import Local
from overtone.errors import InputError
from overtone.studies import StudyResult, StudySize, catalogue, find_study, run_studies
from overtone.studies._criteria import SeedInterval, Verdict
from overtone.studies._page import draw_figure, figure_data, write_study_page
from overtone.studies._result import PACKAGED_RESULTS, evidence_folder
from overtone.studies._study import studies_in
from tests.studies import toy


def finish(study, folder, size=StudySize.SMOKE):
    steps = list(run_studies([study], size, folder, Local(1)))
    assert [s.done for s in steps] == list(range(1, len(steps) + 1))
    results = [s.result for s in steps if s.result is not None]
    assert len(results) == 1
    return steps, results[0]


def test_a_study_is_judged_kept_and_not_measured_again(tmp_path):
    steps, result = finish(toy.STUDY, tmp_path)
    assert len(steps) == steps[0].total == 8
    assert result.judgement.verdict is Verdict.SUPPORTED
    assert result.judgement.control_failed
    assert result.judgement.positive_passed
    assert result.intervals["second"].centre == 3.0
    again, same = finish(toy.STUDY, tmp_path)
    assert all(step.finished.stored for step in again)
    assert same.intervals == result.intervals
    stored = StudyResult.load(toy.STUDY, StudySize.SMOKE, tmp_path)
    assert stored is not None
    assert stored.judgement == result.judgement
    assert StudyResult.load(toy.STUDY, StudySize.QUICK, tmp_path) is None
    assert StudyResult.load(replace(toy.STUDY, revision=2), StudySize.SMOKE, tmp_path) is None


def test_damaged_results_say_so(tmp_path):
    _, result = finish(toy.STUDY, tmp_path)
    path = result.save(tmp_path)
    path.write_text(path.read_text()[:-9])
    with pytest.raises(InputError, match="expected an intact result, got a damaged one"):
        StudyResult.load(toy.STUDY, StudySize.SMOKE, tmp_path)


def test_the_figure_shows_means_and_ranges(tmp_path):
    _, result = finish(toy.STUDY, tmp_path)
    rows = {name: [dict(row) for row in seeds] for name, seeds in result.measurements.items()}
    rows["first"][1]["curves"] = {"": {"x": [0, 1, 2], "y": [4.0, 4.0, 4.0]}}
    lines = figure_data(replace(result, measurements=rows))
    assert lines.line.values.tolist() == ["first", "second", "low", "highest"]
    np.testing.assert_allclose(
        lines.sel(line="first")[["mean", "low", "high"]].to_array()[:, 0], [3.0, 2.0, 4.0]
    )
    drawn = draw_figure(lines, toy.STUDY.axes, "low")
    assert [t.line.dash for t in drawn.data if t.name] == ["solid", "solid", "dash", "solid"]


def test_the_short_form_has_everything_but_curves(tmp_path):
    _, result = finish(toy.STUDY, tmp_path / "full")
    result.save(tmp_path / "short", short=True)
    short = StudyResult.load(toy.STUDY, StudySize.SMOKE, tmp_path / "short")
    assert short is not None
    assert result.has_curves
    assert not short.has_curves
    assert short.intervals == result.intervals
    assert short.judgement == result.judgement
    assert short.to_json(short=True) == result.to_json(short=True)
    html = write_study_page([toy.STUDY], {"toy": short}, StudySize.SMOKE, tmp_path / "page.html").read_text()
    assert 'class="plot"' not in html
    assert "The curves of every measurement are in the folder evidence" in html


@pytest.mark.parametrize("name", list(catalogue()))
def test_the_packaged_result_of_every_study_is_the_short_form_of_its_evidence(name):
    study, evidence = find_study(name), evidence_folder()
    assert evidence is not None
    full = StudyResult.load(study, StudySize.QUICK, evidence)
    assert full is not None
    assert full.has_curves
    path = PACKAGED_RESULTS / "quick" / f"{name}.json"
    stored = json.loads(path.read_text())
    assert stored == full.to_json(short=True)
    # The verdict follows from the intervals, and these from the values of all seeds.
    assert [row["seed"] for row in stored["measurements"][study.control.name]] == list(
        study.seeds(StudySize.QUICK)
    )
    assert list(full.intervals) == [condition.name for condition in study.conditions]
    again = StudyResult.from_measurements(study, StudySize.QUICK, full.measurements)
    assert stored["verdict"] == again.judgement.verdict.value
    for name, written in stored["intervals"].items():
        assert SeedInterval(**written) == again.intervals[name]
    assert list(stored["measurements"]) == [situation.name for situation in study.situations]


def test_packaged_results_are_small():
    assert sum(path.stat().st_size for path in PACKAGED_RESULTS.rglob("*.json")) < 300_000


def test_the_catalogue_needs_no_optional_package():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['skimage', 'sklearn']));"
        "from overtone.studies import catalogue; print(len(catalogue()))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(out) == len(catalogue())


def test_runs_over_different_places_are_drawn_apart(tmp_path):
    _, result = finish(toy.STUDY, tmp_path)
    rows = {name: [dict(row) for row in seeds] for name, seeds in result.measurements.items()}
    rows["first"][1]["curves"] = {"": {"x": [0, 5], "y": [4.0, 4.0]}}
    lines = figure_data(replace(result, measurements=rows))
    assert lines.line.values.tolist() == ["first, run 1", "first, run 2", "second", "low", "highest"]
    assert math.isnan(lines.sel(line="first, run 2")["mean"].values[2])


def test_the_page_has_every_claim_its_verdict_and_its_evidence(tmp_path):
    _, result = finish(toy.STUDY, tmp_path)
    other = replace(toy.STUDY, name="other", claim="Nothing <is> known.")
    html = write_study_page(
        [toy.STUDY, other], {"toy": result}, StudySize.SMOKE, tmp_path / "page.html"
    ).read_text()
    assert "Nothing &lt;is&gt; known." in html
    assert '<b class="word supported">supported</b> Levels are high.' in html
    assert '<b class="word not run">not run</b>' in html
    assert html.count('class="plot"') == 1
    assert "overtone study run other --size smoke" in html


def test_the_catalogue_is_sound():
    every = catalogue()
    assert list(every) == [study.name for study in every.values()]
    for study in every.values():
        assert study in studies_in(study.module)
        assert study.measure.__name__ == f"measure_{study.name.replace('-', '_')}"
        assert re.search(r"\d{4}", study.source)
        assert study.claim.endswith(".")
        json.dumps([dict(c.settings) for c in study.situations])
    with pytest.raises(InputError, match=r"study: expected one of .*, got 'nothing'"):
        find_study("nothing")


# At smoke size the step of one trained network is too long; its outputs become a constant of 1e13.
@pytest.mark.filterwarnings("ignore:.*the target is lost in rounding")
@pytest.mark.parametrize("name", list(catalogue()))
def test_every_study_runs(name, tmp_path):
    study = find_study(name)
    measured = {}
    for condition in study.situations:
        settings = {**study.sizes[StudySize.SMOKE].settings, **condition.settings}
        result = study.measure(seed=0, **settings)
        assert isinstance(result.value, float)
        for x, y in result.curves.values():
            assert len(x) == len(y)
            assert np.isfinite(np.asarray(x, dtype=float)).all()
        measured[condition.name] = result.value
    assert any(math.isfinite(value) for value in measured.values())
