"""The notebooks run from top to bottom, show figures and tables, and warn of nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbclient
import nbformat
import pytest

DOCS = Path(__file__).parents[1] / "docs"
FOLDER = DOCS / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
COLAB = "https://colab.research.google.com/github/overtone-dev/overtone/blob/main/docs/notebooks/"

SAYS = {
    "first-look": ("What did it learn?", "learning-order.pdf"),
    "own-training-loop": (
        "What did it learn? At step 800, it has learned every band up to 3.5",
        "learning step",
    ),
    "bandwidth-and-noise": ("White noise of standard deviation", "bandwidths.pdf"),
    "predict-before-training": ("rank correlation 1.00", "Learned at step"),
    "why-low-frequencies-first": ("predicted step", "measured step"),
}
"""What has to stand in the outputs of each notebook, or among the files that it writes."""


def executed(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """Run a notebook in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "PYTHONPATH", os.pathsep.join([str(DOCS.parent / "src"), os.environ.get("PYTHONPATH", "")])
        )
        patch.setenv("PYTHONWARNINGS", "default")
        patch.setenv("OMP_NUM_THREADS", "1")
        client = nbclient.NotebookClient(
            notebook,
            timeout=120,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
        )
        return client.execute()


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def troubles(notebook: nbformat.NotebookNode) -> list[str]:
    """Errors, warnings, and anything else written to standard error."""
    return [
        str(output.get("text") or output.get("evalue"))
        for output in outputs(notebook)
        if output.output_type == "error" or output.get("name") == "stderr"
    ]


def shown(notebook: nbformat.NotebookNode) -> str:
    """All text of the outputs, pictures left out."""
    parts = [str(output.get("text", "")) for output in outputs(notebook)]
    for output in outputs(notebook):
        parts += [str(text) for kind, text in output.get("data", {}).items() if kind.startswith("text/")]
    return re.sub(r"base64,[^\"]+", "", "\n".join(parts))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_it_runs_and_shows_a_figure_and_a_table(path: Path, tmp_path: Path) -> None:
    notebook = executed(nbformat.read(path, as_version=4), tmp_path)
    assert troubles(notebook) == []
    kinds = [kind for output in outputs(notebook) for kind in output.get("data", {})]
    assert "image/png" in kinds
    text = shown(notebook)
    assert "<table" in text
    files = " ".join(file.name for file in tmp_path.iterdir())
    for sentence in SAYS[path.stem]:
        assert sentence in text + files
    if path.stem == "why-low-frequencies-first":
        rows = re.findall(r"^(\d) +(\d+) +([\d.]+)$", text, re.MULTILINE)
        assert [row[0] for row in rows] == ["1", "2", "4"]
        predicted, measured = ([float(row[i]) for row in rows] for i in (1, 2))
        assert predicted == sorted(predicted)
        assert measured == sorted(measured)
        # The page says within a factor of two.
        assert all(0.5 <= p / m <= 2 for p, m in zip(predicted, measured, strict=True))


@pytest.mark.filterwarnings("ignore")
def test_an_error_and_a_warning_would_be_noticed(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook()
    notebook.cells.append(nbformat.v4.new_code_cell("import warnings; warnings.warn('mind this')"))
    assert "mind this" in troubles(executed(notebook, tmp_path))[0]
    notebook.cells.append(nbformat.v4.new_code_cell("1 / 0"))
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="ZeroDivisionError"):
        executed(notebook, tmp_path)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_it_is_light_and_opens_in_colab(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < 100_000
    assert outputs(notebook) == []
    assert f"{COLAB}{path.name}" in notebook.cells[0].source
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert "except ModuleNotFoundError" in first.source
    assert "%pip install" in first.source
    links = re.findall(re.escape(COLAB) + r"([\w-]+\.ipynb)", "".join(cell.source for cell in notebook.cells))
    assert all((FOLDER / link).exists() for link in links)


def test_the_page_lists_every_notebook() -> None:
    page = (FOLDER / "index.md").read_text(encoding="utf-8")
    assert len(NOTEBOOKS) == 5
    for path in NOTEBOOKS:
        assert f"]({path.name})" in page
        assert f"{COLAB}{path.name}" in page
