"""The tools: each takes a box to its power per band, or a field on the sphere to its power per degree.

Every adapter calls the tool as its documentation says, with the settings that suit the field best, and converts what it
returns by the tool's documented convention into powers that add up to the mean square. The settings and conversions are
written into the results.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import distribution, version
from types import ModuleType

import numpy as np

from benchmarks.conformance.fields import Answer, Box, Globe, Latitudes, Spectrum


class NotOfferedError(Exception):
    """The tool's documentation names no such geometry."""


@dataclass(frozen=True)
class Tool:
    """A tool and how it is called.

    Attributes:
        name: Name of the distribution, or of a recipe.
        call: The function called, in words.
        settings: Settings, and the conversion to mean squares.
        measure: From the field to its spectrum.
        boxes: Whether it measures boxes.
        globes: Whether it measures fields on the sphere.
        module: Module that must be there; the distribution's name by default.
    """

    name: str
    call: str
    settings: str
    measure: Callable[[Box | Globe], Answer]
    boxes: bool = True
    globes: bool = False
    module: str = ""

    @property
    def installed(self) -> bool:
        """Whether the tool can be imported here."""
        return importlib.util.find_spec(self.module or self.name) is not None

    @property
    def version(self) -> str:
        """Version of the distribution."""
        return version("numpy" if self.name.startswith("numpy") else self.name)


def _axes(box: Box) -> dict[str, np.ndarray]:
    return {
        name: np.arange(n) * step
        for name, n, step in zip("yx", box.values.shape[1:], box.spacing, strict=True)
    }


def _overtone(data: Box | Globe) -> Answer:
    import xarray as xr

    import overtone.verification  # noqa: F401

    if isinstance(data, Globe):
        rows, columns = data.values.shape
        latitude, longitude = data.latitudes.degrees(rows), np.arange(columns) * (360 / columns)
        field = xr.DataArray(data.values, {"lat": latitude, "lon": longitude}, ("lat", "lon"))
        return field.overtone.spectrum(dims=("lat", "lon")).power.values
    field = xr.DataArray(data.values, _axes(data), ("sample", "y", "x"))
    result = field.overtone.spectrum(dims=("y", "x"), periodic=data.periodic)
    return Spectrum(result.low.values, result.high.values, result.power.mean("sample").values)


def _numpy(data: Box | Globe) -> Answer:
    """Integer rings about the centre of the shifted FFT, as in many notebooks: no window, one index per axis."""
    assert isinstance(data, Box)
    values = data.values - data.values.mean((1, 2), keepdims=True)
    rows, columns = values.shape[1:]
    power = (np.abs(np.fft.fftshift(np.fft.fft2(values), (1, 2)) / (rows * columns)) ** 2).mean(0)
    y, x = np.indices((rows, columns))
    ring = np.hypot(y - rows // 2, x - columns // 2).astype(int)
    sums = np.bincount(ring.ravel(), power.ravel())
    edges = np.arange(len(sums) + 1) / min(data.lengths)
    return Spectrum(edges[:-1], edges[1:], sums)


def _xrft(data: Box | Globe) -> Answer:
    import pandas as pd
    import xarray as xr
    import xrft

    assert isinstance(data, Box)
    field = xr.DataArray(data.values, _axes(data), ("sample", "y", "x"))
    open_borders = {"window": "hann", "window_correction": True, "detrend": "linear"}
    options = {"detrend": "constant"} if data.periodic else open_borders
    result = xrft.isotropic_power_spectrum(field, dim=["y", "x"], truncate=False, nfactor=2, **options)
    # Its bands are those of pandas.cut. In which of two bands a mode on their edge is counted is a matter of rounding,
    # so the modes are counted as it does, from its own frequencies.
    modes = xrft.fft(field[0], dim=["y", "x"])
    radius = np.ravel(np.sqrt(modes.freq_x**2 + modes.freq_y**2))
    bands, edges = pd.cut(radius, result.sizes["freq_r"], retbins=True)
    mean = (result / result.freq_r).mean("sample").values
    count = np.bincount(bands.codes, minlength=len(mean))
    power = mean * count / (data.lengths[0] * data.lengths[1])
    return Spectrum(edges[:-1], edges[1:], power, count)


def _powerbox(data: Box | Globe) -> Answer:
    from powerbox import get_power

    assert isinstance(data, Box)
    if not data.periodic:
        raise NotOfferedError("periodic boxes only")
    step = 2 * np.pi / min(data.lengths)
    edges = step * (np.arange(int(data.radius().max() * min(data.lengths)) + 2) - 0.5)
    result = get_power(
        data.values[0] - data.values[0].mean(), data.lengths, bins=edges, dimensionless=False, nthreads=1
    )
    power = np.nan_to_num(result.power * result.nsamples) / np.prod(data.lengths)
    if np.isnan(data.values).any():
        power = result.power
    return Spectrum(edges[:-1] / (2 * np.pi), edges[1:] / (2 * np.pi), power)


def _the_well(data: Box | Globe) -> Answer:
    import torch
    from the_well.benchmark.metrics.spectral import power_spectrum

    assert isinstance(data, Box)
    if not data.periodic:
        raise NotOfferedError("periodic boxes only")
    meta = type("Metadata", (), {"n_spatial_dims": 2})()
    step = 2 * np.pi / (min(data.values.shape[1:]) * data.spacing[0])
    top = 2 * np.pi * data.radius().max()
    bins = torch.from_numpy((np.arange(int(top / step) + 3) - 0.5) * step)
    bins[0] = 0.0
    values = torch.from_numpy(data.values)[..., None]
    edges, mean, _, counts = power_spectrum(
        values, meta, bins=bins, sample_spacing=data.spacing[0], return_counts=True
    )
    power = (mean[..., 0].mean(0) * counts[:-1]).numpy() / data.values[0].size ** 2
    return Spectrum(edges[:-1].numpy() / (2 * np.pi), edges[1:].numpy() / (2 * np.pi), power)


def _physicsnemo(data: Box | Globe) -> Answer:
    import torch

    assert isinstance(data, Box)
    if not data.periodic:
        raise NotOfferedError("periodic boxes only")
    values = torch.from_numpy(data.values - data.values.mean((1, 2), keepdims=True))
    centre, mean = _file_of(
        "nvidia-physicsnemo", "physicsnemo/metrics/general/power_spectrum.py"
    ).power_spectrum(values)
    width = float(centre[1] - centre[0])
    # Frequencies are in cycles per array.
    low = (centre.double().numpy() - width / 2) / data.lengths[0]
    high = (centre.double().numpy() + width / 2) / data.lengths[0]
    modes = Spectrum(low, high, np.zeros(len(low))).counts(data)
    return Spectrum(low, high, mean.mean(0).numpy() * modes / data.values[0].size)


def _neuraloperator(data: Box | Globe) -> Answer:
    import torch
    from neuralop.utils import spectrum_2d

    assert isinstance(data, Box)
    rows, columns = data.values.shape[1:]
    if not data.periodic:
        raise NotOfferedError("periodic boxes only")
    if rows != columns:
        raise NotOfferedError("square grids only")
    values = torch.from_numpy(data.values - data.values.mean((1, 2), keepdims=True))
    power = 2 * spectrum_2d(values.reshape(len(values), -1), rows).double().numpy() / (rows * columns)
    number = np.arange(1, rows + 1)
    return Spectrum((number - 0.5) / data.lengths[0], (number + 0.5) / data.lengths[0], power)


def _file_of(name: str, path: str) -> ModuleType:
    """Import one file of a distribution whose package needs more than it to be imported."""
    location = distribution(name).locate_file(path)
    spec = importlib.util.spec_from_file_location("conformance_tool", str(location))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _pyshtools(data: Box | Globe) -> Answer:
    import pyshtools

    assert isinstance(data, Globe)
    if data.latitudes is Latitudes.CELLS:
        raise NotOfferedError("grids with a row at the north pole and Gauss grids only")
    if data.latitudes is Latitudes.POLES:
        # Driscoll and Healy's grid has no row at the south pole.
        grid = pyshtools.SHGrid.from_array(data.values[:-1], grid="DH")
    else:
        grid = pyshtools.SHGrid.from_array(data.values, grid="GLQ")
    return grid.expand(normalization="4pi").spectrum(unit="per_l")


def _torch_harmonics(data: Box | Globe) -> Answer:
    import torch
    import torch_harmonics

    assert isinstance(data, Globe)
    rows, columns = data.values.shape
    # Its grid "equiangular" has rows at both poles; the coordinates cannot be passed.
    grid = "legendre-gauss" if data.latitudes is Latitudes.GAUSS else "equiangular"
    transform = torch_harmonics.RealSHT(rows, columns, grid=grid, norm="ortho").double()
    coefficients = transform(torch.from_numpy(data.values))
    squares = coefficients.abs() ** 2
    return ((2 * squares.sum(1) - squares[:, 0]) / (4 * np.pi)).numpy()


def _ducc0(data: Box | Globe) -> Answer:
    import ducc0

    assert isinstance(data, Globe)
    rows, columns = data.values.shape
    geometry = {Latitudes.POLES: "CC", Latitudes.CELLS: "F1", Latitudes.GAUSS: "GL"}[data.latitudes]
    top = rows - 2 if data.latitudes is Latitudes.POLES else rows - 1
    top = min(top, (columns - 1) // 2)
    coefficients = ducc0.sht.analysis_2d(
        map=data.values[None], spin=0, lmax=top, mmax=top, geometry=geometry
    )[0]
    squares, power, first = np.abs(coefficients) ** 2, np.zeros(top + 1), 0
    for order in range(top + 1):
        count = top + 1 - order
        power[order:] += squares[first : first + count] * (2 if order else 1)
        first += count
    return power / (4 * np.pi)


def _cosine_weights(data: Box | Globe) -> Answer:
    """Sum over the grid with weights cos(latitude), as in many notebooks."""
    from scipy.special import sph_harm_y

    assert isinstance(data, Globe)
    rows, columns = data.values.shape
    latitude = np.radians(data.latitudes.degrees(rows))
    weights = np.cos(latitude) / np.cos(latitude).sum()
    orders = np.fft.rfft(data.values, axis=1) / columns
    power = np.zeros(32)
    for order in range(32):
        for degree in range(order, 32):
            function = np.sqrt(4 * np.pi) * sph_harm_y(degree, order, np.pi / 2 - latitude, 0.0).real
            power[degree] += abs((weights * function * orders[:, order]).sum()) ** 2 * (2 if order else 1)
    return power


TOOLS = (
    Tool(
        "overtone",
        "DataArray.overtone.spectrum",
        "`periodic` as the box is; nothing else",
        _overtone,
        globes=True,
    ),
    Tool(
        "xrft",
        "isotropic_power_spectrum",
        "detrend='constant', truncate=False, nfactor=2; for open borders window='hann', window_correction=True, "
        "detrend='linear'. Divided by the radial frequency (its formula multiplies by it, without 2 pi), which leaves "
        "the mean density over modes; times their number over the area",
        _xrft,
    ),
    Tool(
        "powerbox",
        "get_power",
        "bands of whole cycles, dimensionless=False, mean taken off; times the number of modes over the volume",
        _powerbox,
    ),
    Tool(
        "the_well",
        "benchmark.metrics.spectral.power_spectrum",
        "bands of whole cycles; mean over modes, times its number of modes",
        _the_well,
    ),
    Tool(
        "nvidia-physicsnemo",
        "metrics.general.power_spectrum.power_spectrum",
        "mean taken off; mean over modes, times the number of modes between the band's edges; frequencies in cycles "
        "per array",
        _physicsnemo,
        module="physicsnemo",
    ),
    Tool(
        "neuraloperator",
        "utils.spectrum_2d",
        "normalize=True, mean taken off; times 2, because symmetric components are left out, over the number of "
        "samples",
        _neuraloperator,
        module="neuralop",
    ),
    Tool(
        "numpy, integer rings",
        "fft.fft2 and bincount of the integer radius",
        "a recipe of many notebooks: sums over rings of one cycle per array; mean taken off, no window",
        _numpy,
        module="numpy",
    ),
    Tool(
        "pyshtools",
        "SHGrid.expand, spectrum",
        "normalization='4pi', unit='per_l'; the row at the south pole left out, as its grid has none",
        _pyshtools,
        boxes=False,
        globes=True,
    ),
    Tool(
        "torch-harmonics",
        "RealSHT",
        "float64, norm='ortho'; orders above 0 counted twice, over 4 pi; rows at centres of cells as 'equiangular'",
        _torch_harmonics,
        boxes=False,
        globes=True,
        module="torch_harmonics",
    ),
    Tool(
        "ducc0",
        "sht.analysis_2d",
        "geometry CC, F1 or GL; orders above 0 counted twice, over 4 pi",
        _ducc0,
        boxes=False,
        globes=True,
    ),
    Tool(
        "numpy, cos(latitude)",
        "fft.rfft and a sum with weights cos(latitude)",
        "a recipe of many notebooks",
        _cosine_weights,
        boxes=False,
        globes=True,
        module="scipy",
    ),
)
"""The tools, overtone first."""


def measure(tool: Tool, data: tuple[Box | Globe, ...]) -> list[Answer]:
    """Return the spectra of the data; warnings of the tool are no answer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [tool.measure(part) for part in data]
