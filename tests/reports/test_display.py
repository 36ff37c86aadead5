"""What notebooks show: table, picture and sentences of each result, escaped, light, and never long to make."""

from __future__ import annotations

import base64
import dataclasses
import importlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import overtone as ot
from overtone._utils.display import Displayed
from overtone.planning import Budget
from overtone.reports import _display_pictures as pictures
from overtone.theory.barron import CosineSum
from tests.records.toy import toy_record

LIMIT = 60_000


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("results")
    waves = ot.signals.synthetic.harmonics([3, 9], samples=64)
    split = waves.with_held_out(np.arange(64) % 8 == 3)
    noisy = ot.signals.synthetic.add_noise(
        ot.signals.synthetic.power_law((32, 32), 3.0, seed=0), fraction_of_range=0.1, seed=0
    )
    rng = np.random.default_rng(0)
    settings = {"width": 16, "features": 8, "steps": 60}
    return {
        "curve": waves,
        "channels": ot.signals.array(rng.random((50, 3)), channel_axis=-1),
        "picture": ot.signals.array(rng.random((40, 30, 3))),
        "volume": ot.signals.array(rng.random((12, 10, 8))),
        "points": ot.signals.points(rng.random((5000, 2)), rng.random(5000)),
        "points on a line": ot.signals.points(rng.random((50, 1)), rng.random(50)),
        "Scan": ot.scan(noisy),
        "Spectrum": ot.scan(noisy).spectrum,
        "Plan": ot.plan(split, Budget(steps=50), seed=0),
        "Run": ot.fit(waves, out=folder / "run", **settings),
        "Forecast": ot.predict(waves, **settings),
        "ComparisonResult": ot.compare(
            split,
            folder / "comparison",
            candidates=["linear", "mean", "siren"],
            budget=Budget(steps=50),
            seeds=1,
        ),
        "PSNR": ot.plots.PSNR(toy_record()),
    }


NAMES = (
    *("curve", "channels", "picture", "volume", "points", "points on a line"),
    *("Scan", "Spectrum", "Plan", "Run", "Forecast", "ComparisonResult", "PSNR"),
)


def picture(html: str) -> Image.Image:
    uri = re.search(r'<img src="data:image/\w+;base64,([^"]+)"', html)
    assert uri is not None
    return Image.open(io.BytesIO(base64.b64decode(uri[1])))


@pytest.mark.parametrize("name", NAMES)
def test_each_result_has_table_picture_and_one_line(name: str, results: dict[str, Any]) -> None:
    html = results[name]._repr_html_()
    assert len(html) < LIMIT
    assert ("<table" in html) == (name != "PSNR")
    assert picture(html).width > 60
    assert "<script" not in html
    assert "nan" not in re.sub(r'src="[^"]*"', "", html).lower()
    line = repr(results[name])
    assert "\n" not in line
    assert len(line) < 160
    assert line.startswith("<")


def test_sentences_are_those_of_the_results(results: dict[str, Any]) -> None:
    for name in ("Run", "Forecast", "ComparisonResult"):
        html = results[name]._repr_html_()
        sentences = getattr(results[name], "verdict", None) or results[name].sentences
        for sentence in sentences:
            assert sentence.replace("'", "&#x27;").replace('"', "&quot;") in html
    reasons = results["Plan"].reasons
    assert all(str(reason)[1:].replace("'", "&#x27;") in results["Plan"]._repr_html_() for reason in reasons)


def test_the_plan_shows_its_choice_among_what_it_was_compared_with(results: dict[str, Any]) -> None:
    plan = results["Plan"]
    html = plan._repr_html_()
    assert html.count("(chosen)") == 1
    assert f"{plan.encoding.value}, " in html
    level = next(one.psnr for one in plan.candidates if one.chosen)
    assert f"{level:.1f} dB" in html


def test_reprs_say_what_it_is(results: dict[str, Any]) -> None:
    assert repr(results["curve"]) == "<Signal 'harmonics': synthetic, 64 samples, 1 channel>"
    assert repr(results["picture"]) == "<Signal 'array': array, 40 x 30 samples, 3 channels>"
    assert repr(results["Run"]).startswith("<Run on 'harmonics': 60 steps, in '")
    assert repr(results["Spectrum"]).endswith("1 channel>")


def test_names_from_files_are_data(results: dict[str, Any]) -> None:
    evil = "<img src=x onerror=alert(1)>$x_{"
    signal = dataclasses.replace(
        results["points"], name=evil, value_unit=evil, channels=(evil,), notes=(evil,), kind=evil
    )
    for shown in (
        signal,
        dataclasses.replace(results["curve"], name=evil, value_unit=evil, channels=(evil,)),
    ):
        html = shown._repr_html_()
        assert "<img src=x" not in html
        assert "&lt;img src=x onerror=alert(1)&gt;" in html
    scan = dataclasses.replace(results["Scan"], signal=dataclasses.replace(results["Scan"].signal, name=evil))
    assert "<img src=x" not in scan._repr_html_()


def test_a_name_of_any_length_stays_light(results: dict[str, Any]) -> None:
    signal = dataclasses.replace(results["curve"], name="n" * 10**6)
    assert len(signal._repr_html_()) < LIMIT


def test_large_signals_are_thinned_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    large = ot.signals.array(np.eye(2048, dtype=np.float32))
    copied: list[int] = []
    copy = torch.Tensor.numpy
    monkeypatch.setattr(torch.Tensor, "numpy", lambda t, **k: copied.append(t.numel()) or copy(t, **k))
    assert picture(large._repr_html_()).width <= pictures.PIXELS
    series = ot.signals.array(np.sin(np.arange(2_000_000, dtype=np.float32)))
    copied.clear()
    assert len(series._repr_html_()) < LIMIT
    assert copied
    assert max(copied) <= pictures.PIXELS**2


def test_a_curve_keeps_the_extremes_of_each_stretch() -> None:
    values = np.zeros(100_000)
    values[54_321] = 7.0
    figure = pictures._curve(ot.signals.array(values))
    assert max(figure.axes[0].lines[0].get_ydata()) == 7.0


def test_blocks_are_averaged_so_that_no_false_waves_appear() -> None:
    fine = np.indices((1024, 1024)).sum(0) % 2.0
    html = ot.signals.array(fine)._repr_html_()
    assert np.ptp(np.asarray(picture(html).convert("L"), float)[2:-2, 2:-2]) <= 20


def test_without_matplotlib_table_and_sentences_remain(
    monkeypatch: pytest.MonkeyPatch, results: dict[str, Any]
) -> None:
    monkeypatch.setattr(pictures, "missing_packages", lambda extra: ("matplotlib",))
    for name in NAMES:
        html = results[name]._repr_html_()
        assert "<table" in html or name == "PSNR"
        assert ("<img" in html) == (name in ("picture", "volume"))
    assert "What did it learn?" in results["Run"]._repr_html_()


def test_constant_and_broken_values_are_shown(tmp_path: Path) -> None:
    for values in (np.eye(2), np.eye(8), np.arange(9.0)):
        assert "Samples" in ot.signals.array(values)._repr_html_()
    constant = ot.spectra.grid(np.ones(16), periodic=True)
    assert "<img" not in constant._repr_html_()
    broken = dataclasses.replace(ot.signals.array(np.eye(8)), values=torch.full((64, 1), torch.nan))
    assert "<img" in broken._repr_html_()


def test_colours_suit_light_and_dark_paper(results: dict[str, Any]) -> None:
    html = results["Run"]._repr_html_()
    assert "color:inherit" in html
    assert not re.search(r"background:(?!transparent)", html)
    assert np.asarray(picture(html).convert("RGBA"))[0, 0, 3] == 0


DATA = re.compile(r"Tensor|NDArray|Dataset|FieldScore|SeedInterval")
"""Types of fields that make a dataclass a result, and not a setting."""

SETTINGS = {"BandErrors", "Header"}
"""Arguments that hold arrays."""


def public_dataclasses():
    """Every dataclass behind a public door."""
    root = Path(ot.__file__).parent
    doors = {".".join(("overtone", *p.parent.relative_to(root).parts)) for p in root.rglob("__init__.pyi")}
    for door in map(importlib.import_module, sorted(doors)):
        for value in (getattr(door, name) for name in dir(door) if not name.startswith("_")):
            module = isinstance(value, type) and issubclass(value, torch.nn.Module)
            if isinstance(value, type) and dataclasses.is_dataclass(value) and not module:
                yield value


def test_every_public_result_has_a_display_and_a_short_form():
    results = {
        one
        for one in public_dataclasses()
        if one.__name__ not in SETTINGS and any(DATA.search(str(f.type)) for f in dataclasses.fields(one))
    }
    assert {"Prediction", "NoiseFloor", "Signal", "Verification"} <= {one.__name__ for one in results}
    assert [one.__name__ for one in results if not issubclass(one, Displayed)] == []
    # The form that dataclasses make by themselves prints whole arrays.
    assert [one.__name__ for one in results if one.__dataclass_params__.repr] == []
    assert issubclass(ot.plots.RunComparison, Displayed)


def test_other_results_show_their_fields(results):
    noise = results["Scan"].noise
    assert len(repr(noise)) <= 160
    assert repr(noise).startswith("<NoiseFloor: std ")
    assert "Verdict" in noise._repr_html_()
    sum_of_cosines = CosineSum(torch.ones(9, 2), torch.ones(9), torch.zeros(9))
    assert repr(sum_of_cosines) == (
        "<CosineSum: frequencies array of 9 x 2, amplitudes array of 9, phases array of 9>"
    )
    html = sum_of_cosines._repr_html_()
    # Columns of one length are a table.
    assert html.count("<tr") >= 9 + 3
    assert len(html) < LIMIT
    prediction = results["Forecast"].prediction
    assert len(repr(prediction)) <= 160
    assert "Earliest" in prediction._repr_html_()


def test_a_choice_and_its_kernel_solution_show_errors_and_trust():
    def residual(x, u):
        (du,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        return du - torch.cos(x)

    problem = ot.operators.equation(
        {"equation": (residual, 30), "start": (lambda x, u: u, [[0.0]])}, [(0, 1)]
    )
    choice = ot.operators.choose_bandwidth(problem, cycles=(0.5, 4), steps=20)
    html = choice._repr_html_()
    assert len(html) < LIMIT
    assert html.count("(chosen)") == 1
    assert "Error to the kernel solution" in html
    assert picture(html).width > 60
    assert repr(choice) == f"<Choice: sigma {choice.sigma[0]:.3g} cycles per unit, {choice.verdict.value}>"
    assert repr(choice.kernel).startswith("<KernelSolution: trusted, held-out residual ")
    assert "Undetermined fields" in choice.kernel._repr_html_()


def test_records_side_by_side_are_shown_with_their_figures(results):
    record = results["Run"].record
    compared = ot.plots.RunComparison([record, record], ["first", "<second>"])
    assert repr(compared) == "<RunComparison of 2 records: first, <second>>"
    html = compared._repr_html_()
    assert "data:image/png" in html
    assert "&lt;second&gt;" in html
    assert "<second>" not in html
    assert "Bands learned to a relative error below 0.5" in html
