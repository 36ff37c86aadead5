"""Sentences against the facts of records that nobody chose: each figure they tell is found again by plain loops."""

from __future__ import annotations

import re

import numpy as np
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone import reports
from overtone._utils.text import number, percent
from overtone.records import metrics
from tests.records.toy import toy_record

ERRORS = (0.05, 0.4, 0.499, 0.5, 0.8, 1.0, 1.3)


@st.composite
def records(draw: st.DrawFn) -> tuple[xr.Dataset, np.ndarray]:
    """A record with any course of errors, any bands empty, any network kept; and its relative errors (step, band)."""
    steps, bands = draw(st.sampled_from([1, 2, 7, 30, 900])), draw(st.integers(3, 7))
    channels, noise = draw(st.sampled_from([1, 3])), draw(st.sampled_from([0.0, 1e-4, 0.3]))
    verdict = draw(st.sampled_from(["noise" if noise else "clean", "cannot_tell", None]))
    record = toy_record(steps, bands, channels, noise, noise_verdict=verdict, worth=draw(st.booleans()))
    rows, every = record.sizes["step"], record.sizes["band"]
    cells = st.lists(st.sampled_from(ERRORS), min_size=every, max_size=every)
    ends = np.array(
        draw(
            st.lists(cells, min_size=rows, max_size=rows)
            if rows < 4
            else st.lists(cells, min_size=3, max_size=3)
        )
    )
    error = ends[np.minimum(np.arange(rows) * len(ends) // rows, len(ends) - 1)]
    empty = np.array(draw(st.lists(st.booleans(), min_size=every, max_size=every)))
    record["target_power"] = record.target_power.where(~xr.DataArray(empty, dims="band"), 0.0)
    record["residual_power"] = xr.DataArray(error**2, dims=("step", "band")) * record.target_power
    for name in ("train_error", "held_out_error", "clean_error"):
        level = draw(st.sampled_from(["falls", "rises", "stays", "unknown"]))
        course = {
            "falls": np.linspace(1, 0.2, rows),
            "rises": np.linspace(0.2, 1, rows),
            "stays": np.full(rows, 0.5),
        }
        record[name] = ("step", course.get(level, np.full(rows, np.nan)))
    if draw(st.booleans()):
        record.attrs["kept"] = int(record.step[draw(st.integers(0, rows - 1))])
    return record, error


def shares(record: xr.Dataset) -> np.ndarray:
    """(band,) share of the power outside the mean."""
    power = record.target_power.sum("channel").values.copy()
    power[0] = 0
    return power / power.sum() if power.sum() > 0 else power


@settings(max_examples=60, deadline=None)
@given(records())
def test_every_figure_is_a_fact_of_the_record(case: tuple[xr.Dataset, np.ndarray]) -> None:
    record, error = case
    learned, missed, noise, advice = reports.verdict(record)
    whole = " ".join((learned, missed, noise, advice))
    assert not re.search(r"\bnan\b|\binf\b|unknown|None|\b1 (bands|steps)\b|\d{7}", whole), whole
    held = [b for b in range(1, record.sizes["band"]) if shares(record)[b] > 0]
    if not held:
        assert learned == "Nothing to learn: the target is constant."
        return
    row = int(np.flatnonzero(record.step.values == record.attrs.get("kept", int(record.step[-1])))[0])
    assert learned.startswith(f"At step {int(record.step[row]):,}")
    assert ("whose network was restored" in learned) == (row < record.sizes["step"] - 1)
    known = [b for b in held if error[row, b] < 0.5]
    count = len(known)
    if count == 0:
        assert re.search("nothing yet|only the mean", learned)
        assert "up to" not in learned
    elif count < len(held):
        assert f"{count} of {len(held)} bands" in learned
        assert percent(float(shares(record)[known].sum())) in learned
        assert percent(float(shares(record)[[b for b in held if b not in known]].sum())) in missed
    else:
        assert re.search(rf"all {count} bands?\b", learned)
    reach = up_to(record, error[row], held)
    said = re.search(r"every band up to ([\d.]+)", learned)
    assert (said is not None) == (0 < count < len(held) and reach > 0)
    assert said is None or said[1] == number(reach)
    lost = [b for b in held if b not in known and (error[:row, b] < 0.5).any()]
    told = re.search(r"(\d+) of them had been learned before", missed)
    assert (int(told[1]) if told else 0) == len(lost)
    check_trend(record, advice)


def up_to(record: xr.Dataset, error: np.ndarray, held: list[int]) -> float:
    """Upper edge of the last band before the first one that is not learned, the mean's included."""
    if record.target_power.values[0].sum() > 0 and error[0] >= 0.5:
        return 0.0
    reach = 0.0
    for band in held:
        if error[band] >= 0.5:
            break
        reach = float(record.band_high[band])
    return reach


def check_trend(record: xr.Dataset, advice: str) -> None:
    told = re.search(
        r"the error on ([a-z -]+?) (?:still fell|fell) by (?:only )?(\S+%) since step ([\d,]+)", advice
    )
    if told is None:
        return
    name = {
        "clean data": "clean_error",
        "held-out samples": "held_out_error",
        "training samples": "train_error",
    }[told[1]]
    curve = record[name].values
    then = float(record[name].sel(step=int(told[3].replace(",", ""))))
    if np.isfinite(curve).all():
        assert told[2] == percent(1 - float(curve[-1]) / then)
    assert name == metrics.stop(record).evidence.value or not np.isfinite(record.held_out_error).any()
