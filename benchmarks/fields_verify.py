"""Verifying fields on the sphere, against the bare transforms of the same fields; memory by the number of samples.

The fields are white noise in single precision, read from files. Times are processor seconds of one thread, which hardly
depend on what else the machine does (threads that wait for each other would count); a minute of two cores has 120.
Memory is the largest resident size of a process of its own that reads NetCDF.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import xarray as xr

import overtone as ot
from overtone.spectra import SphereGrid, SphereTransform

LARGE, SMALL = (721, 1440), (181, 360)
MEMORY, PAIRS = "1GB", 100

CHILD = """
import re, sys, json, xarray
import overtone as ot
count, folder = int(sys.argv[1]), sys.argv[2]
forecast, truth = (xarray.open_dataset(f"{folder}/{name}.nc").isel(time=slice(count)) for name in ("forecast", "truth"))
ot.verify(forecast, truth, memory="100MB")
# Not getrusage: its peak is that of the parent, if that was larger.
print(json.dumps(int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024))
"""


def coordinates(shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """Latitudes with poles and longitudes."""
    return {
        "latitude": np.linspace(90, -90, shape[0]),
        "longitude": np.arange(shape[1]) * 360 / shape[1],
    }


def fields(folder: str, shape: tuple[int, int], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Forecast and truth (sample, channel, latitude, longitude), written to files and mapped."""
    generator, paths = np.random.default_rng(0), []
    for name in ("forecast", "truth"):
        paths.append(Path(folder) / f"{name}.npy")
        array = np.lib.format.open_memmap(paths[-1], "w+", np.float32, (count, 1, *shape))
        for index in range(count):
            array[index, 0] = generator.standard_normal(shape, np.float32)
        array.flush()
    return tuple(np.load(path, mmap_mode="c") for path in paths)  # type: ignore[return-value]


def processor_seconds(work: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def bare(transform: SphereTransform, arrays: tuple[np.ndarray, np.ndarray], at_once: int) -> None:
    """The transforms alone, of as many fields at a time."""
    for array in arrays:
        for first in range(0, len(array), at_once):
            part = torch.from_numpy(array[first : first + at_once, 0]).movedim(0, -1)
            transform.power(transform.coefficients(part))


def main() -> list[dict]:
    """Return the rows of the table."""
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        arrays, where = fields(folder, LARGE, PAIRS), coordinates(LARGE)
        transform = SphereTransform(SphereGrid.of(**where))
        # About as many fields at a time as verification reads with this memory.
        theirs = processor_seconds(lambda: bare(transform, arrays, 20))
        ours = processor_seconds(lambda: ot.verify(*arrays, **where, memory=MEMORY))
        rows.append(
            row(
                f"{PAIRS} pairs of 721 x 1440",
                ours,
                theirs,
                1.5,
                "processor s",
                "against the bare transforms",
            )
        )
    with tempfile.TemporaryDirectory() as folder:
        arrays, where = fields(folder, SMALL, 2000), coordinates(SMALL)
        taken = processor_seconds(lambda: ot.verify(*arrays, **where, memory=MEMORY))
        note = "against a minute of two cores"
        rows.append(row("2,000 pairs of 181 x 360", taken, 120.0, 1.0, "processor s", note))
        for name, array in zip(("forecast", "truth"), arrays, strict=True):
            axes = {"time": np.arange(1000), **where}
            data = xr.Dataset({"t": (tuple(axes), array[:1000, 0])}, axes)
            data.to_netcdf(
                f"{folder}/{name}.nc", engine="h5netcdf", encoding={"t": {"chunksizes": (1, *SMALL)}}
            )
        peaks = [
            json.loads(
                subprocess.run(
                    [sys.executable, "-c", CHILD, str(count), folder],
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
            )
            for count in (1000, 250)
        ]
        note = "peak of a process with 1,000 samples of 0.5 MB against 250; memory=100MB"
        rows.append(row("memory of 1,000 samples", peaks[0], peaks[1], 1.05, "MB", note))
    return rows


def row(name: str, ours: float, theirs: float, target: float, unit: str, note: str) -> dict:
    """One row of the table."""
    return {
        "name": name,
        "ours": ours,
        "theirs": theirs,
        "ratio": ours / theirs,
        "target": f"<= {target}",
        "unit": unit,
        "note": note,
    }
