"""The gallery keeps its form: each script asks one question and draws figures whose axes have units."""

import ast
import contextlib
import io
import random
import tempfile
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from docs._extensions.figure_labels import figure_faults

GALLERY = Path(__file__).parents[2] / "docs/gallery"
SECTIONS = ("measure", "predict", "steer", "networks", "signals", "compare")
SCRIPTS = sorted(GALLERY.glob("*/plot_*.py"))


def form_faults(source: str) -> list[str]:
    """Return what is wrong with a script before it is run."""
    lines = (ast.get_docstring(ast.parse(source), clean=False) or "").strip().splitlines()
    if len(lines) < 4:
        return ["no title and introduction"]
    faults = []
    if not lines[0].endswith("?"):
        faults.append("the title is not a question")
    if lines[1] != "=" * len(lines[0]):
        faults.append("the title is not underlined to its end")
    if "\n# %%\n# " not in source:
        faults.append("no text on what the figure shows")
    drawing = [block for block in source.split("\n# %%\n") if "plt.subplots(" in block]
    if any("\nplt.show()\n" not in f"{block}\n" for block in drawing):
        faults.append("a figure is not shown")
    if len(source.splitlines()) > 70:
        faults.append("longer than 70 lines")
    return faults


def draw(source: str, name: str) -> list:
    """Run a script and return its figures; the global random generators are left as they were."""
    from matplotlib import pyplot

    states = torch.random.get_rng_state(), np.random.get_state(), random.getstate()
    pyplot.close("all")
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            # A backend without windows says at `plt.show()` that it shows nothing.
            warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")
            exec(compile(source, name, "exec"), {"__name__": "__main__"})  # noqa: S102
        return [pyplot.figure(number) for number in pyplot.get_fignums()]
    finally:
        torch.random.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])


@pytest.fixture(autouse=True)
def runs_in_a_temporary_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mpl.use("Agg")
    yield
    from matplotlib import pyplot

    pyplot.close("all")


def test_the_gallery_is_complete():
    assert len(SCRIPTS) >= 24
    assert {path.parent.name for path in SCRIPTS} == set(SECTIONS)
    for folder in (GALLERY, *(GALLERY / name for name in SECTIONS)):
        assert (folder / "GALLERY_HEADER.rst").read_text(encoding="utf-8").splitlines()[1].strip("=-") == ""
    names = [path.name for path in SCRIPTS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.stem[5:]}")
def test_an_example_keeps_its_form(path):
    assert form_faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.browser
@pytest.mark.timeout(900)
def test_the_site_shows_one_or_two_figures_of_each_example(site):
    # The build runs the examples; it fails if one fails or draws axes without labels.
    for path in SCRIPTS:
        figures = list((site / "_images").glob(f"sphx_glr_{path.stem}_0*.png"))
        assert 1 <= len(figures) <= 2, path.name


GOOD = '''"""
Is it good?
===========

It is.
"""

import matplotlib.pyplot as plt

# %%
# A line that rises.
fig, ax = plt.subplots()
ax.plot([1, 2])
ax.set(xlabel="Step", ylabel="Power (value²)")
plt.show()
'''


def test_faults_of_form_are_found():
    assert form_faults(GOOD) == []
    assert form_faults("x = 1\n") == ["no title and introduction"]
    assert form_faults(GOOD.replace("good?", "good.")) == ["the title is not a question"]
    assert form_faults(GOOD.replace("===\n", "=\n")) == ["the title is not underlined to its end"]
    assert form_faults(GOOD.replace("# %%", "#")) == ["no text on what the figure shows"]
    assert form_faults(GOOD.replace("plt.show()\n", "")) == ["a figure is not shown"]
    assert form_faults(GOOD + "\n" * 70) == ["longer than 70 lines"]


@pytest.mark.parametrize(
    ("line", "faults"),
    [
        ("", []),
        ("ax.set_xlabel('')", ["an axis without a label: x"]),
        ("ax.set_ylabel('Power')", ["a label without a unit: Power"]),
        ("ax.set_axis_off()", ["a picture without a title"]),
        ("fig.colorbar(ax.scatter([1], [1], c=[1]))", ["an axis without a label: y"]),
        ("fig.colorbar(ax.scatter([1], [1], c=[1]), label='Error (%)')", []),
    ],
)
def test_missing_labels_are_found(line, faults):
    (figure,) = draw(f"{GOOD}{line}\n", "example.py")
    assert figure_faults(figure) == faults


def test_an_empty_figure_is_a_fault():
    (figure,) = draw(GOOD.replace("ax.plot([1, 2])\n", ""), "example.py")
    assert figure_faults(figure) == ["a figure without content"]
