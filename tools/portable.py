"""Run the numerical tests as other processors would: `python tools/portable.py [--part]`.

PyTorch picks its vector instructions from `ATEN_CPU_CAPABILITY`, and MKL, where torch is built with it, its own from
`MKL_CBWR`. Each run below rounds differently; a comparison that holds in all of them does not rest on rounding. A
machine that lacks an instruction set runs the best that it has instead, which PyTorch says in a warning.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
NUMERICAL = (
    "baselines",
    "comparing",
    "contract_estimators",
    "fitting",
    "nn",
    "probes",
    "signals",
    "spectra*",
    "theory*",
    "training",
    "planning",
    "early_stopping",
    "controller",
)
PART = ("contract_estimators", "nn", "spectra*", "theory/ntk")
"""What a continuous integration run can afford besides the whole suite."""


@dataclass(frozen=True)
class Processor:
    """The rounding of one run: vector instructions of PyTorch and of MKL, and threads."""

    name: str
    environment: dict[str, str]
    threads: int


PROCESSORS = (
    Processor("default", {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}, 1),
    Processor("avx2", {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "AVX2"}, 1),
    Processor("own", {}, 1),
    Processor("own, two threads", {}, 2),
)


def folders(names: tuple[str, ...]) -> list[str]:
    """Test folders that match the names; every name must match one."""
    folder_names = []
    for name in names:
        matching = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "tests").glob(name) if p.is_dir())
        if not matching:
            raise SystemExit(f"portable: expected a folder tests/{name}, found none")
        folder_names += matching
    return folder_names


def run(processor: Processor, paths: list[str], options: list[str]) -> int:
    """The exit status of the tests on one processor."""
    environment = {**os.environ, **processor.environment, "OMP_NUM_THREADS": str(processor.threads)}
    workers = max(1, (os.cpu_count() or 1) // processor.threads)
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), *paths, *options]
    print(
        f"== {processor.name}: {' '.join(f'{k}={v}' for k, v in processor.environment.items())}", flush=True
    )
    begun = time.monotonic()
    status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    print(f"== {processor.name}: exit {status} after {time.monotonic() - begun:.0f} s", flush=True)
    return status


def main() -> int:
    """Run the tests on each processor; return 1 if any run failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--part", action="store_true", help="the first processor alone, and fewer tests")
    parser.add_argument("options", nargs="*", help="options of pytest, after --")
    arguments = parser.parse_args()
    processors = PROCESSORS[:1] if arguments.part else PROCESSORS
    paths = folders(PART if arguments.part else NUMERICAL)
    statuses = [run(processor, paths, arguments.options) for processor in processors]
    return int(any(statuses))


if __name__ == "__main__":
    sys.exit(main())
