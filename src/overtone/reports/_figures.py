"""The figures of a page as files for papers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from overtone.errors import RunError
from overtone.plots import (
    PSNR,
    Curve,
    FieldPictures,
    LearningOrder,
    LearningStep,
    Loss,
    Picture,
    Plot,
    RunComparison,
    Slices,
    Spectra,
    Spectrogram,
    save_figure,
    to_matplotlib,
)
from overtone.plots import _snapshots as reconstruction
from overtone.plots._paper import checked_path
from overtone.records import Snapshots, load, snapshots
from overtone.records.metrics._bands import without_unmeasured
from overtone.reports._page import distinct, record_paths
from overtone.reports._sections import title_of


def save_figures(
    paths: str | Path | Sequence[str | Path], folder: str | Path, file_format: str = "pdf"
) -> list[Path]:
    """Write every figure of a page as a file for papers, with Matplotlib and without a browser.

    Files have the names of the page's figures: `learning-order.pdf`, `spectra.pdf`, ... of one run,
    `compared-psnr.pdf`, ... of several.

    Args:
        paths: Run directories, `.sqlite` or `.nc` records; one or several.
        folder: Where the files go; made as needed.
        file_format: "pdf", "png" or "svg".

    Returns:
        The paths of the files, in the order of the page.

    Raises:
        InputError: If there are no paths, a record is missing, damaged or without rows, the format is another one, or
            Matplotlib is not installed.
        RunError: If a file cannot be written.

    Example:
        >>> import tempfile
        >>> from overtone import records, reports
        >>> header = records.Header([0, 1], [1, 2], ["value"], {"target_power": [[0], [1]]})
        >>> folder = tempfile.mkdtemp()
        >>> with records.Writer.create(folder + "/record.sqlite", header) as writer:
        ...     writer.append(0, {"residual_power": [[0], [1]]})
        >>> [path.name for path in reports.save_figures(folder, folder, "svg")]
        ['learning-order.svg', 'learning-step.svg', 'spectra.svg', 'loss.svg']
    """
    sources = record_paths(paths, "figures")
    checked_path(f"figure.{file_format}")
    records = [without_unmeasured(load(path))[0] for path in sources]
    if len(sources) == 1:
        plots = run_plots(records[0], snapshots(sources[0]))
        saving: Mapping[str, Callable[[Path], Path]] = {name: plot.save for name, plot in plots.items()}
    else:
        compared = RunComparison(records, distinct([title_of(path) for path in sources]))
        saving = {
            "compared-psnr": _saved(compared.psnr_curves()),
            "compared-steps": _saved(compared.learning_steps()),
            "compared-spectra": _saved(compared.final_spectra()),
        }
    try:
        return [save(Path(folder) / f"{name}.{file_format}") for name, save in saving.items()]
    except OSError as refused:
        raise RunError(
            "a folder that figures can be written to",
            f"{refused.strerror or refused}",
            "free some space or choose another folder",
            str(folder),
        ) from refused


def run_plots(record: xr.Dataset, arrays: Snapshots) -> dict[str, Plot]:
    """Return the plots of the page of one run, by the names of their figures.

    Args:
        record: A record with at least one row.
        arrays: Its snapshots; there may be none.
    """
    plots: dict[str, Plot] = {"learning-order": LearningOrder(record), **_reconstruction(record, arrays)}
    plots |= {"learning-step": LearningStep(record), "spectra": Spectra(record)}
    quality = PSNR(record)
    if any(np.isfinite(values).any() for values in quality.data.data_vars.values()):
        plots["psnr"] = quality
    return plots | {"loss": Loss(record)}


def _reconstruction(record: xr.Dataset, arrays: Snapshots) -> dict[str, Plot]:
    if "target" not in arrays.names or "prediction" not in arrays.names:
        return {}
    shape = reconstruction.snapshot_shape(record, arrays)
    if len(shape) == 3:
        return {"reconstruction-slices": Slices(record, arrays)}
    if len(shape) == 2 and isinstance(record.attrs.get("fields"), dict):
        return {"fields": FieldPictures(record, arrays)}
    if len(shape) == 2:
        return {"reconstruction-pictures": Picture(record, arrays)}
    curve: dict[str, Plot] = {"reconstruction-curve": Curve(record, arrays)}
    if record.attrs.get("kind") == "audio" and shape[0] >= 16:
        return {"reconstruction-spectrogram": Spectrogram(record, arrays)} | curve
    return curve


def _saved(figure: go.Figure) -> Callable[[Path], Path]:
    return lambda path: save_figure(to_matplotlib(figure), path)
