"""Run what the README shows, in its order, with the overtone installed beside this Python: `python tools/readme.py`.

Meant for an environment that holds the wheel and nothing of the checkout. The commands run in an empty folder that
holds a photograph, a table and a pair of fields; limits of time are shortened as the README states. It needs no package
but those of overtone itself. The exit status is 1 if a line fails.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import netcdf_file

README = Path(__file__).parents[1] / "README.md"
SHARE = 0.01
"""Part of the limits of time that the page shows, as it states below its lines."""
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
JOB = re.compile(r"^\| .* \| `(overtone [^`]+)` \|$", re.MULTILINE)


def shortened(words: list[str]) -> list[str]:
    """Return a command line with a part of its limit of time; nothing else is changed."""
    limits = [before == "--time" for before in ["", *words[:-1]]]
    return [f"{SHARE * float(word):g}" if limit else word for word, limit in zip(words, limits, strict=True)]


def commands(page: str) -> list[list[str]]:
    """Return the words after `overtone` of each command line of the page, in its order."""
    lines = [
        line
        for language, text in BLOCK.findall(page)
        if language == "bash" and text.startswith("overtone ")
        for line in text.splitlines()
    ]
    return [shlex.split(line, comments=True)[1:] for line in lines if line]


def jobs(page: str) -> list[list[str]]:
    """Return the words after `overtone` of each command in the table of jobs."""
    return [shlex.split(line)[1:] for line in JOB.findall(page)]


def programs(page: str) -> str:
    """Return the Python of the page as one program."""
    return "\n".join(text for language, text in BLOCK.findall(page) if language == "python")


def write_data(folder: Path) -> None:
    """Write the files that the page names: a photograph, a table and a pair of fields."""
    y, x = np.mgrid[:24, :32] / 24
    noise = np.random.default_rng(0)
    colours = [np.sin(9 * x), np.cos(17 * y), np.sin(30 * x * y)]
    picture = np.stack(colours, -1) + 0.2 * noise.standard_normal((24, 32, 3))
    Image.fromarray((127 + 100 * picture).clip(0, 255).astype(np.uint8)).save(folder / "photo.jpg")
    rows = noise.random((60, 2)) * [8, 40]
    lines = "\n".join(f"{r:.2f},{a:.1f},{100 + 30 * r - a:.2f}" for r, a in rows)
    (folder / "houses.csv").write_text(f"rooms,age,price\n{lines}\n", encoding="utf-8")
    truth = noise.standard_normal((12, 24, 32)).cumsum(1).cumsum(2)
    for name, values in (("truth", truth), ("forecast", truth + noise.standard_normal(truth.shape))):
        with netcdf_file(folder / f"{name}.nc", "w") as file:
            for axis, size in zip(("time", "y", "x"), truth.shape, strict=True):
                file.createDimension(axis, size)
                file.createVariable(axis, "d", (axis,))[:] = np.arange(size)
            file.createVariable("height", "d", ("time", "y", "x"))[:] = values


def run(words: list[str], folder: Path) -> bool:
    """Run one command, print how it ended, and return whether it succeeded."""
    start = time.perf_counter()
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    ended = "ok" if done.returncode == 0 else f"exit status {done.returncode}"
    print(f"{ended:>8} {time.perf_counter() - start:6.1f} s  {shlex.join(words)[:110]}", flush=True)
    if done.returncode != 0:
        print(done.stdout, done.stderr, file=sys.stderr)
    return done.returncode == 0


def main() -> int:
    """Run everything and return 1 if anything failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("page", nargs="?", type=Path, default=README, help="default: the README")
    page = parser.parse_args().page.read_text(encoding="utf-8")
    command = str(Path(sys.executable).with_name("overtone"))
    # The table of jobs gets a folder of its own, since both groups write runs of the same names.
    table = [["lab", "--out", "lab.html"] if words == ["lab"] else words for words in jobs(page)]
    groups = (
        [[command, *shortened(words)] for words in table],
        [*([command, *shortened(words)] for words in commands(page)), [sys.executable, "-c", programs(page)]],
    )
    succeeded = []
    for group in groups:
        with tempfile.TemporaryDirectory() as name:
            write_data(Path(name))
            succeeded += [run(words, Path(name)) for words in group]
    print(f"{sum(succeeded)} of {len(succeeded)} succeeded")
    return int(not all(succeeded))


if __name__ == "__main__":
    sys.exit(main())
