"""The page of a verification."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from markupsafe import escape

import overtone as ot
from overtone.errors import InputError
from overtone.reports._blocks import AnswersBlock, FoldedBlock, PlotBlock
from overtone.reports._field_page import error_block, verification_page
from overtone.verification._page import page_of
from tests.verification import fields, globes


@pytest.fixture(scope="module")
def blurred() -> ot.verification.Verification:
    truth = fields.truth(30)
    return ot.verify(fields.blurred(truth), truth, spacing=25, unit="km", periodic=True)


@pytest.fixture(scope="module")
def leads() -> ot.verification.Verification:
    truth = globes.globe(globes.harmonics(12))
    hours = ("step", [0, 6, 12, 18], {"units": "hours"})
    forecasts = [globes.globe(globes.harmonics(12, keep=keep)) for keep in (20, 12, 8, 5)]
    return ot.verify(
        xr.concat(forecasts, "step").assign_coords(step=hours),
        xr.concat([truth] * 4, "step").assign_coords(step=hours),
        lead="step",
    )


def test_the_page_holds_every_sentence_and_fetches_nothing(
    blurred: ot.verification.Verification, tmp_path: Path
) -> None:
    text = blurred.report(tmp_path / "deep" / "verify.html").read_text(encoding="utf-8")
    first = text.partition("<section")[0]
    for sentence in blurred.sentences:
        words = sentence.removeprefix("Values: ")
        assert f"<li>{escape(words[:1].upper() + words[1:])}</li>" in first
    assert "src=" not in text.partition('<script type="text/plain"')[0]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["verify.html"]


def test_the_error_ratio_is_drawn_with_interval_and_threshold(blurred: ot.verification.Verification) -> None:
    (score,) = blurred.scores
    figure = error_block(blurred, score, "error").figure
    line = next(trace for trace in figure.data if trace.name == "error ratio")
    assert np.allclose(line.y, score.error_ratio[score.reported])
    assert any(trace.fill == "toself" for trace in figure.data)
    assert {shape.y0 for shape in figure.layout.shapes} >= {0.5}
    (resolution,) = blurred.effective_resolution
    assert resolution.wavelength in {shape.x0 for shape in figure.layout.shapes}


def test_lead_times_have_a_heat_map_and_later_ones_are_folded(leads: ot.verification.Verification) -> None:
    page = verification_page(leads)
    parts = {section.anchor: section.blocks for section in page.sections}
    (block,) = parts["lead-times"]
    assert isinstance(block, PlotBlock)
    (heat,) = block.figure.data
    assert list(heat.y) == ["0 h", "6 h", "12 h", "18 h"]
    last = leads.scores[-1]
    assert np.allclose(heat.z[-1], last.error_ratio[last.reported])
    assert [b.title for b in parts["others"] if isinstance(b, FoldedBlock)] == [
        "t2m at lead time 6 h",
        "t2m at lead time 12 h",
        "t2m at lead time 18 h",
    ]
    (words,) = parts["words"]
    assert isinstance(words, AnswersBlock)
    for name, text in words.entries:
        own = [x.removeprefix(f"{name}: ") for x in leads.sentences if x.startswith(f"{name}: ")]
        assert own
        assert [sentence[1:] for sentence in own] == [item[1:] for item in text]
    assert "effective resolution is" in dict(page.answers)["t2m at lead time 18 h"][0]


def test_names_are_escaped_and_a_constant_truth_has_a_page(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    name = "</script><b>x"
    noise = rng.standard_normal((3, 16, 16))
    result = ot.verify({name: noise, "flat": noise}, {name: 2 * noise, "flat": 0 * noise}, periodic=True)
    text = result.report(tmp_path / "a.html").read_text(encoding="utf-8")
    assert name not in text
    flat = ot.verify({"flat": noise}, {"flat": 0 * noise}, periodic=True)
    assert "the truth is constant" in flat.report(tmp_path / "b.html").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="a folder"):
        flat.report(tmp_path)


def test_ensembles_and_other_forecasts_have_their_sections(tmp_path: Path) -> None:
    truth = fields.truth(12)
    members = np.stack([fields.noisy(fields.noisy(truth, 0.1, 9), 0.04, seed) for seed in range(3)], axis=1)
    result = ot.verify(members, truth, member=1, against={"rival": fields.blurred(truth)}, periodic=True)
    parts = {section.anchor: section.blocks for section in page_of(result).sections}
    ensemble, words = parts["ensemble"]
    assert isinstance(ensemble, PlotBlock)
    (score,) = result.ensembles
    spread = next(trace for trace in ensemble.figure.data if trace.name == "spread / error")
    assert np.allclose(spread.y, score.spread_ratio[score.reported])
    assert spread.y.max() < 1
    assert isinstance(words, AnswersBlock)
    against, _ = parts["against"]
    assert isinstance(against, PlotBlock)
    names = [trace.name for trace in against.figure.data if trace.mode == "lines+markers"]
    assert names == ["forecast", "rival"]
    text = result.report(tmp_path / "c.html").read_text(encoding="utf-8").partition("<section")[0]
    assert all(
        escape(line[9:]) in text for line in result.sentences if line.startswith("Values: the ensemble")
    )
    assert "time mean kept" in text


def test_displacement_is_said_beside_what_is_in_the_wrong_place() -> None:
    truth = fields.truth(24, exponent=2.0)
    moved = np.roll(truth, (5, -3), (2, 3))
    one = page_of(ot.verify(moved, truth, periodic=True))
    assert any("is displaced" in text for text in dict(one.answers)["Values"])
    pair = page_of(ot.verify(np.repeat(moved, 2, 1), np.repeat(truth, 2, 1), periodic=True))
    assert len(dict(pair.answers)["channel 0"]) == 1
    words = next(section.blocks[0] for section in pair.sections if section.anchor == "words")
    assert isinstance(words, AnswersBlock)
    assert any("is displaced" in text for text in dict(words.entries)["channel 1"])


def test_the_lead_time_since_which_a_defect_is_there_is_said(leads: ot.verification.Verification) -> None:
    (since,) = [line for line in leads.sentences if "at all lead times" in line]
    assert since.startswith("t2m: the forecast is blurred at all lead times: first below")
    first = page_of(leads).answers[0]
    assert first == ("By lead time", [since])
    truth = globes.globe(globes.harmonics(12))
    hours = ("step", [0, 6, 12], {"units": "hours"})
    forecasts = [globes.globe(globes.harmonics(12, keep=keep)) for keep in (1e9, 8, 5)]
    forecast = xr.concat(forecasts, "step").assign_coords(step=hours)
    result = ot.verify(forecast, xr.concat([truth] * 3, "step").assign_coords(step=hours), lead="step")
    assert any("blurred since lead time 6 h: first below" in line for line in result.sentences)
