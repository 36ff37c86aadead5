"""The conformance kit: overtone is right on every field, wrong spectra are noticed, the tables show the answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.conformance.__main__ import RESULTS, ask, page
from benchmarks.conformance.fields import FIELDS, Box, Spectrum
from benchmarks.conformance.tools import TOOLS, NotOfferedError, Tool, measure

STORED = json.loads((RESULTS / "conformance.json").read_text(encoding="utf-8"))
NAMES = {field.name: field for field in FIELDS}


def test_overtone_is_right_on_every_field_and_the_stored_answers_are_its():
    answers = ask(TOOLS[0])
    assert list(answers) == list(NAMES)
    for name, answer in answers.items():
        # Missing cells are refused in a sentence that says so.
        right = answer.get("right") or "cells missing" in answer.get("raises", "")
        assert right, (name, answer)
    for name, answer in STORED["overtone"]["answers"].items():
        assert answer.get("raises") == answers[name].get("raises")
        stored, now = answer.get("figures", []), answers[name].get("figures", [])
        np.testing.assert_allclose(stored, now, rtol=1e-5)


@pytest.mark.parametrize("name", ["white noise", "even size", "tones per mm", "transposed"])
def test_a_spectrum_of_half_the_power_or_shifted_by_a_cycle_is_not_right(name):
    field = NAMES[name]
    data = field.data()
    answers = measure(TOOLS[0], data)
    assert field.is_right(field.read(data, answers))
    half = [Spectrum(a.low, a.high, a.power / 2) for a in answers]
    assert not field.is_right(field.read(data, half))
    if name != "white noise":
        shifted = [Spectrum(a.low + 0.06 * a.high[-1], a.high + 0.06 * a.high[-1], a.power) for a in answers]
        assert not field.is_right(field.read(data, shifted))


def test_a_missing_factor_of_two_on_the_sphere_is_not_right():
    for name in ("zonal harmonic", "harmonic", "cell centres", "Gauss grid"):
        field = NAMES[name]
        data = field.data()
        (power,) = measure(TOOLS[0], data)
        assert field.is_right(field.read(data, [power]))
        assert not field.is_right(field.read(data, [power / 2]))
        leaked = power + 1e-3
        assert not field.is_right(field.read(data, [leaked]))


def test_values_cut_out_without_a_window_leak_into_high_frequencies():
    (recipe,) = (tool for tool in TOOLS if tool.name == "numpy, integer rings")
    field = NAMES["cut box"]
    data = field.data()
    figures = field.read(data, measure(recipe, data))
    assert not field.is_right(figures)
    assert figures[-1] > 2


def test_tools_that_raise_or_offer_no_such_grid_have_that_as_their_answer():
    def decline(data):
        if isinstance(data, Box):
            raise NotOfferedError("the sphere only")
        raise ValueError("no")

    answers = ask(Tool("nobody", "nothing", "", decline, globes=True))
    assert answers["even size"] == {"not_offered": "the sphere only"}
    assert answers["zonal harmonic"] == {"raises": "ValueError: no"}


def test_the_tables_are_those_of_the_stored_answers():
    assert list(STORED) == [tool.name for tool in TOOLS]
    assert (RESULTS / "conformance.md").read_text(encoding="utf-8") == page(STORED)
    assert "{include} ../../benchmarks/results/conformance.md" in Path(
        __file__, "../../../docs/results/conformance.md"
    ).resolve().read_text(encoding="utf-8")
