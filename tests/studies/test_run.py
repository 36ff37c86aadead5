"""Studies are run, kept, resumed and shown."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from overtone._sweeps import Local
from overtone.errors import InputError
from overtone.studies import Result, Size, Verdict, find, run, studies
from overtone.studies.figure import data, figure
from overtone.studies.page import write
from tests.studies import toy


def finish(study, folder, size=Size.SMOKE):
    steps = list(run([study], size, folder, Local(1)))
    assert [s.done for s in steps] == list(range(1, len(steps) + 1))
    results = [s.result for s in steps if s.result is not None]
    assert len(results) == 1
    return steps, results[0]


def test_a_study_is_judged_kept_and_not_measured_again(tmp_path):
    steps, result = finish(toy.STUDY, tmp_path)
    assert len(steps) == steps[0].total == 6
    assert result.judgement.verdict is Verdict.SUPPORTED
    assert result.control_failed
    assert result.intervals["second"].mean == 3.0
    again, same = finish(toy.STUDY, tmp_path)
    assert all(step.finished.stored for step in again)
    assert same.intervals == result.intervals
    kept = Result.load(toy.STUDY, Size.SMOKE, tmp_path)
    assert kept is not None
    assert kept.judgement == result.judgement
    assert Result.load(toy.STUDY, Size.QUICK, tmp_path) is None
    assert Result.load(replace(toy.STUDY, revision=2), Size.SMOKE, tmp_path) is None


def test_damaged_results_say_so(tmp_path):
    _, result = finish(toy.STUDY, tmp_path)
    path = result.save(tmp_path)
    path.write_text(path.read_text()[:-9])
    with pytest.raises(InputError, match="expected an intact result, got a damaged one"):
        Result.load(toy.STUDY, Size.SMOKE, tmp_path)


def test_the_figure_shows_means_and_ranges(tmp_path):
    _, result = finish(toy.STUDY, tmp_path)
    rows = {name: [dict(row) for row in found] for name, found in result.measurements.items()}
    rows["first"][1]["curves"] = {"": {"x": [0, 1, 2], "y": [4.0, 4.0, 4.0]}}
    shown = data(replace(result, measurements=rows))
    assert shown.line.values.tolist() == ["first", "second", "low"]
    np.testing.assert_allclose(
        shown.sel(line="first")[["mean", "low", "high"]].to_array()[:, 0], [3.0, 2.0, 4.0]
    )
    drawn = figure(shown, toy.STUDY.axes, "low")
    assert [t.line.dash for t in drawn.data if t.name] == ["solid", "solid", "dash"]


def test_runs_over_different_places_are_drawn_apart(tmp_path):
    _, result = finish(toy.STUDY, tmp_path)
    rows = {name: [dict(row) for row in found] for name, found in result.measurements.items()}
    rows["first"][1]["curves"] = {"": {"x": [0, 5], "y": [4.0, 4.0]}}
    shown = data(replace(result, measurements=rows))
    assert shown.line.values.tolist() == ["first, run 1", "first, run 2", "second", "low"]
    assert math.isnan(shown.sel(line="first, run 2")["mean"].values[2])


def test_the_page_has_every_claim_its_verdict_and_its_evidence(tmp_path):
    _, result = finish(toy.STUDY, tmp_path)
    other = replace(toy.STUDY, name="other", claim="Nothing <is> known.")
    html = write([toy.STUDY, other], {"toy": result}, Size.SMOKE, tmp_path / "page.html").read_text()
    assert "Nothing &lt;is&gt; known." in html
    assert '<b class="word supported">supported</b> Levels are high.' in html
    assert '<b class="word not run">not run</b>' in html
    assert html.count('class="plot"') == 1
    assert "overtone study run other --size smoke" in html


def test_the_catalogue_is_sound():
    every = studies()
    assert list(every) == [study.name for study in every.values()]
    for study in every.values():
        assert study.module.rpartition(".")[2].replace("_", "-") == study.name
        assert re.search(r"\d{4}", study.source)
        assert study.claim.endswith(".")
        json.dumps([dict(c.settings) for c in (*study.conditions, study.control)])
    with pytest.raises(InputError, match=r"study: expected one of .*, got 'nothing'"):
        find("nothing")


@pytest.mark.parametrize("name", list(studies()))
def test_every_study_runs(name, tmp_path):
    study = find(name)
    measured = {}
    for condition in (*study.conditions, study.control):
        settings = {**study.efforts[Size.SMOKE].settings, **condition.settings}
        found = study.measure(seed=0, **settings)
        assert isinstance(found.value, float)
        for x, y in found.curves.values():
            assert len(x) == len(y)
            assert np.isfinite(np.asarray(x, dtype=float)).all()
        measured[condition.name] = found.value
    assert any(math.isfinite(value) for value in measured.values())
