"""Figures for papers show the numbers of the Plotly figures, and are files that a journal takes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from PIL import Image

from overtone import plots
from overtone.errors import InputError
from overtone.plots import _encode as encode
from overtone.plots._rendering import panels_of
from overtone.probes import Probe, views
from overtone.records import load, snapshots
from tests.records.toy import toy_record
from tests.reports import gallery

BANDS = ([0, 1, 2, 4], [1, 2, 4, 8])
GROUPS = {"data": [9, 2, 1, 0.3], "samples": [[9, 2, 0.5, 0.2], [8, 1.5, 0.4, 0.1], [10, 3, 0.7, 0.25]]}
CURVES = {"filter": [1.0, 0.5, 0.25], "student": [[0.9, 0.6, 0.2], [0.8, 0.5, 0.1], [1, 0.7, 0.3]]}
AXES = np.linspace(-0.4, 0.4, 9)


def predicted() -> plots.PredictedSteps:
    record = toy_record(bands=12)
    record.attrs["pilot"] = 20
    steps = plots.PredictedSteps(record).data.predicted.values
    early, late = (np.concatenate([[np.nan], steps * factor]) for factor in (0.8, 1.3))
    return plots.PredictedSteps(record, early, late, toy_record(bands=12, seed=2))


def of_snapshots(plot: type[plots.Plot], path: Path) -> plots.Plot:
    return plot(load(path), snapshots(path))


def of_fields(path: Path) -> Path:
    """Record a network from fields to fields at three steps."""
    clean = torch.rand(6, 2, 12, 16, generator=torch.Generator().manual_seed(0))
    network = torch.nn.Conv2d(2, 2, 3, padding=1)
    with Probe(views.fields(clean, clean), network, path) as probe:
        for step in (0, 5, 9):
            torch.nn.init.constant_(network.weight, 0.01 * step)
            probe(step)
    return path


PLOTS: dict[str, Callable[[Path], plots.Plot]] = {
    "LearningOrder": lambda _: plots.LearningOrder(toy_record(channels=3, bands=12)),
    "LearningStep": lambda _: plots.LearningStep([toy_record(seed=s, bands=16) for s in (1, 2, 3)]),
    "Loss": lambda _: plots.Loss(toy_record()),
    "PSNR": lambda _: plots.PSNR(toy_record()),
    "Spectra": lambda _: plots.Spectra(toy_record(value_unit="Pa")),
    "BandPower": lambda _: plots.BandPower(*BANDS, GROUPS, "cycles per pixel"),
    "ByFrequency": lambda _: plots.ByFrequency([1, 2, 4], CURVES, "Hz", "Gain"),
    "FourierHeatMap": lambda _: plots.FourierHeatMap(np.eye(9), AXES, AXES, 0.1, 1.0),
    "PredictedSteps": lambda _: predicted(),
    "Picture": lambda p: of_snapshots(plots.Picture, gallery.picture(p / "photo", 32, steps=50)),
    "Curve": lambda p: of_snapshots(plots.Curve, gallery.audio(p / "sound", 2000, 0.2)),
    "Spectrogram": lambda p: of_snapshots(plots.Spectrogram, gallery.audio(p / "tone", 2000, 0.2)),
    "FieldPictures": lambda p: of_snapshots(plots.FieldPictures, of_fields(p / "fields")),
    "Slices": lambda p: of_snapshots(plots.Slices, gallery.volume(p / "body", 8)),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, plots.Plot]:
    folder = tmp_path_factory.mktemp("runs")
    return {name: make(folder) for name, make in PLOTS.items()}


def pairs(x: Any, y: Any) -> np.ndarray:
    return np.stack([np.asarray(x, float), np.asarray(y, float)])


def shown(trace: Any) -> bool:
    return trace.visible not in (False, "legendonly")


def compare(screen: go.Figure, paper: Figure) -> None:
    """Every panel of both figures holds the same curves, areas, cells and pictures, at the same axes."""
    panels = panels_of(screen)
    axes = [a for a in paper.axes if a.get_label() != "<colorbar>"]
    assert len(panels) == len(axes)
    for panel, ax in zip(panels, axes, strict=True):
        traces = [t for t in screen.data if (t.xaxis or "x", t.yaxis or "y") == (panel.x, panel.y)]
        curves = [t for t in traces if t.type == "scatter" and t.fill != "toself" and shown(t)]
        lines = [line for line in ax.lines if line.get_label() != "_mark"]
        # Caps of intervals are lines as well: each curve has to be among them.
        data = [np.asarray(line.get_xydata()).T for line in lines]
        for trace in curves:
            assert any(np.array_equal(pairs(trace.x, trace.y), d, equal_nan=True) for d in data), trace.name
        meshes = [c for c in ax.collections if isinstance(c, QuadMesh)]
        heats = [t for t in traces if t.type == "heatmap"]
        assert len(meshes) == len(heats)
        for mesh, heat in zip(meshes, heats, strict=True):
            np.testing.assert_array_equal(mesh.get_array(), np.asarray(heat.z, float))
        assert len(ax.images) == sum(t.type == "image" for t in traces)
        for letter in "xy":
            layout, axis = panel.axis(screen, letter), getattr(ax, f"{letter}axis")
            if layout.type == "log":
                assert axis.get_scale() == "log"
                np.testing.assert_allclose(np.log10(axis.get_view_interval()), layout.range, atol=1e-9)


def test_every_plot_is_drawn_here() -> None:
    drawn = {name for name in dir(plots) if isinstance(getattr(plots, name), type)}
    assert drawn - {"Plot", "RunComparison"} == set(PLOTS)


@pytest.mark.parametrize("name", PLOTS)
def test_both_figures_show_the_same_numbers(name: str, made: dict[str, plots.Plot]) -> None:
    compare(made[name].plotly(), made[name].figure())


def test_a_difference_of_one_number_is_noticed() -> None:
    plot = plots.ByFrequency([1, 2, 4], CURVES, "Hz", "Gain")
    paper = plot.figure()
    paper.axes[0].lines[1].set_ydata([0.9, 0.6, 0.2000001])
    with pytest.raises(AssertionError, match="student"):
        compare(plot.plotly(), paper)


def test_curves_of_several_runs_and_predicted_against_measured_are_the_same() -> None:
    compared = plots.RunComparison([toy_record(bands=8), toy_record(bands=12, steps=500)], ["a", "b"])
    for screen in (
        compared.learning_steps(),
        compared.psnr_curves(),
        compared.final_spectra(),
        predicted().against(),
    ):
        compare(screen, plots.to_matplotlib(screen))
    page = compared.figure()
    assert page.get_size_inches()[0] == 7.2
    assert [len(ax.lines) for ax in page.axes] == [2, 2, 3]


def test_pictures_on_paper_have_every_pixel(tmp_path: Path) -> None:
    plot = of_snapshots(plots.Picture, gallery.picture(tmp_path / "photo", 160, steps=5))
    image = plot.figure().axes[0].images[0].get_array()
    np.testing.assert_array_equal(image, plot.data.target.values)
    # What a browser gets is compressed with loss, so that the comparison above could have failed.
    assert plot.plotly().data[0].source.startswith("data:image/webp")
    assert encode.exact_uri(plot.data.target.values).startswith("data:image/png")


def test_sizes_and_fonts_are_those_of_a_journal() -> None:
    figure = plots.Spectra(toy_record()).figure()
    assert figure.get_size_inches()[0] == plots.SINGLE_COLUMN == 3.5
    assert plots.Spectra(toy_record()).figure(width="double").get_size_inches()[0] == 7.2
    assert plots.Spectra(toy_record()).figure(width=5).get_size_inches()[0] == 5
    ax = figure.axes[0]
    assert (ax.xaxis.label.get_fontsize(), ax.get_xticklabels()[0].get_fontsize()) == (8, 7)
    assert ax.get_xlabel() == "Frequency (cycles per picture height)"
    assert ax.get_ylabel() == "Power in the band (value²)"


def test_curves_can_be_told_apart_in_grey(made: dict[str, plots.Plot]) -> None:
    for name in ("PSNR", "Spectra", "BandPower", "ByFrequency"):
        lines = [line for line in made[name].figure().axes[0].lines if line.get_label() != "_mark"]
        looks = {(str(line.get_linestyle()), line.is_dashed(), line.get_marker()) for line in lines}
        assert len(looks) == len(lines) > 1, name


def test_labels_lie_inside_the_figure(made: dict[str, plots.Plot]) -> None:
    for name, plot in made.items():
        figure = plot.figure()
        figure.draw_without_rendering()
        for ax in figure.axes:
            for text in (ax.xaxis.label, ax.yaxis.label, ax.title):
                box = text.get_window_extent()
                inside = figure.bbox.padded(1)
                assert not text.get_text() or (
                    inside.x0 <= box.x0
                    and box.x1 <= inside.x1
                    and inside.y0 <= box.y0
                    and box.y1 <= inside.y1
                ), (name, text.get_text())


def test_one_axes_or_one_for_each_panel_can_be_handed_in() -> None:
    loss, psnr = plots.Loss(toy_record()), plots.PSNR(toy_record())
    with plots.journal(size=7):
        page = Figure(figsize=(7.2, 3))
        left, upper, lower = page.subplot_mosaic([["a", "b"], ["a", "c"]]).values()
        assert psnr.figure(left) is page
        assert loss.figure([upper, lower]) is page
        assert left.xaxis.label.get_fontsize() == 7
    assert lower.get_xlabel() == "Training step"
    whole = Figure()
    ax = whole.subplots()
    assert loss.figure(ax) is whole
    assert len(ax.child_axes) == 2
    assert len(ax.child_axes[1].lines) == 3
    with pytest.raises(InputError, match="expected one axes, or 2 of them, got 3"):
        loss.figure(list(Figure().subplots(3)))


def test_files_are_written_whole_and_the_same_each_time(tmp_path: Path) -> None:
    plot = plots.LearningOrder(toy_record())
    contents = []
    for suffix in (".pdf", ".svg", ".PNG"):
        first, second = (plot.save(tmp_path / f"{i}{suffix}").read_bytes() for i in range(2))
        assert first == second
        contents.append(first)
    pdf, svg, _ = contents
    assert b"/TrueType" in pdf or b"/CIDFontType2" in pdf
    assert b"/Type3" not in pdf
    assert b"<svg" in svg
    assert Image.open(tmp_path / "0.PNG").width == pytest.approx(3.5 * 300, abs=1)
    assert not list(tmp_path.glob(".*"))


def test_other_suffixes_and_widths_are_refused(tmp_path: Path) -> None:
    plot = plots.ByFrequency([1, 2], {"a": [1, 2]}, "Hz", "Gain")
    with pytest.raises(
        InputError, match=r"expected a file name that ends in \.pdf, \.png or \.svg, got 'a\.jpg'"
    ):
        plot.save(tmp_path / "a.jpg")
    with pytest.raises(
        InputError, match="expected a width of 'single', 'double', or 1 to 40 inches, got 'wide'"
    ):
        plot.figure(width="wide")
    assert not list(tmp_path.iterdir())


def test_settings_of_the_user_come_back() -> None:
    before = dict(mpl.rcParams)
    with plots.journal(size=9, family="No Such Typeface"):
        assert mpl.rcParams["font.size"] == 9
        plots.PSNR(toy_record()).figure().draw_without_rendering()
    assert dict(mpl.rcParams) == before


def test_names_cannot_be_formulas() -> None:
    plot = plots.ByFrequency([1, 2], {"$\\frac$": [1, 2], "a<sup>2</sup>": [2, 1]}, "Hz", "Gain ($)")
    figure = plot.figure()
    figure.draw_without_rendering()
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert names == [r"\$\frac\$", "a<sup>2</sup>"]


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    plot = plots.ByFrequency([1, 2], {"a": [1, 2]}, "Hz", "Gain")
    for call in (plot.figure, lambda: plot.save(tmp_path / "a.pdf"), plots.journal().__enter__):
        with pytest.raises(InputError, match="pip install matplotlib plotly"):
            call()
    assert plot.plotly().data
