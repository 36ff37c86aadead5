"""Power per band of a picture's grid, against the bare transform."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import scipy.fft
import torch

from overtone.spectra import grid

SIDE = 4096
CHANNELS = 3
REPEATS = 5
NAMES = {True: "periodic", False: "even"}


def picture(side: int) -> torch.Tensor:
    return torch.rand(side, side, CHANNELS, generator=torch.Generator().manual_seed(0))


def bare(values: torch.Tensor, periodic: bool) -> object:
    if periodic:
        return torch.fft.rfft2(values, dim=(0, 1))
    return scipy.fft.dctn(values.numpy(), axes=(0, 1), norm="ortho", workers=torch.get_num_threads())


def best(calls: list[Callable[[], object]]) -> list[float]:
    """Least processor seconds of each call, in turns and on one thread, so that a busy machine hits all alike."""
    times = [float("inf")] * len(calls)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(REPEATS):
            for i, call in enumerate(calls):
                start = time.process_time()
                call()
                times[i] = min(times[i], time.process_time() - start)
    finally:
        torch.set_num_threads(threads)
    return times


def resident() -> int:
    """Bytes of memory this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def extra_memory(side: int, periodic: bool) -> float:
    """Highest memory of the call on top of the input, as a multiple of the input, in a fresh process."""
    code = f"from benchmarks.spectrum import peak; print(peak({side}, {periodic}))"
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    return float(done.stdout)


def peak(side: int, periodic: bool) -> float:
    grid(picture(64), periodic=periodic, channel_axis=-1)
    values = picture(side)
    before = resident()
    grid(values, periodic=periodic, channel_axis=-1)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return (after - before) / (values.numel() * values.element_size())


def main() -> list[dict[str, object]]:
    """Rows of time and memory; besides the transform the input is read three times and written once."""
    values = picture(SIDE)
    megabytes = values.numel() * values.element_size() / 1e6
    rows: list[dict[str, object]] = []
    for periodic, name in NAMES.items():
        what = f"grid {SIDE} x {SIDE} x {CHANNELS} float32, {name}"
        ours, theirs = best(
            [
                lambda p=periodic: grid(values, periodic=p, channel_axis=-1),  # type: ignore[misc]
                lambda p=periodic: bare(values, p),  # type: ignore[misc]
            ]
        )
        rows.append(
            {
                "name": f"{what}: time",
                "ours": ours,
                "theirs": theirs,
                "ratio": ours / theirs,
                "target": 2.0,
                "unit": "s",
                "note": f"processor time against {'torch.fft.rfft2' if periodic else 'scipy.fft.dctn'}; floor: "
                f"the transform and {4 * megabytes:.0f} MB moved (input read twice, written and read once)",
            }
        )
        extra = extra_memory(SIDE, periodic)
        rows.append(
            {
                "name": f"{what}: extra peak memory",
                "ours": extra * megabytes,
                "theirs": megabytes,
                "ratio": extra,
                "target": 4.0,
                "unit": "MB",
                "note": "against the size of the input; resident memory of a fresh process",
            }
        )
    return rows


if __name__ == "__main__":
    for row in main():
        figures = f"{row['ours']:9.3f} {row['theirs']:9.3f} {row['unit']:3s}"
        print(f"{row['name']:55s} {figures} x{row['ratio']:.2f} <= {row['target']}")
