"""Build the wheel and the source distribution, check them and print their sizes: `python tools/dist.py [FOLDER]`.

Each is built twice, and the two must be the same byte for byte. The time stamp in them is SOURCE_DATE_EPOCH, or a fixed
date if it is not set. The build backend has to be installed already (`pip install hatchling`): nothing is downloaded.
"""

from __future__ import annotations

import argparse
import email
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIMITS = {".whl": 2_000_000, ".gz": 2_000_000}
"""Largest size of a file in bytes."""
STUDY_RESULTS = 300_000
"""Largest size of the short results of studies in the wheel, in bytes."""
REQUIRED_FIELDS = (
    "Name",
    "Version",
    "Summary",
    "License-Expression",
    "Requires-Python",
    "Keywords",
    "Classifier",
)
WHEEL_FILES = (
    "overtone/py.typed",
    "overtone/__init__.pyi",
    "overtone/nn/__init__.pyi",
    "overtone/reports/templates/page.html",
)
SDIST_FILES = (
    "pyproject.toml",
    "hatch_build.py",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "CITATION.cff",
    "src/overtone/__init__.py",
)
SDIST_FOLDERS = {"src"}


def build(folder: Path) -> list[Path]:
    """Build both files twice and return those of `folder`.

    Raises:
        ValueError: If the two builds differ.
    """
    environment = {"SOURCE_DATE_EPOCH": "1767225600"} | os.environ
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d"]
    with tempfile.TemporaryDirectory() as again:
        for target in (folder, Path(again)):
            subprocess.run(
                [*command, str(target)], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL
            )
        names = sorted(path.name for path in Path(again).iterdir())
        for name in names:
            if (folder / name).read_bytes() != (Path(again) / name).read_bytes():
                raise ValueError(f"{name}: two builds of the same files differ")
    return [folder / name for name in names]


def problems(path: Path) -> list[str]:
    """Return what is wrong with a wheel or a source distribution; an empty list if nothing is."""
    size = path.stat().st_size
    heavy = [f"{size} bytes, more than {LIMITS[path.suffix]}"] if size > LIMITS[path.suffix] else []
    return heavy + (wheel_problems(path) if path.suffix == ".whl" else sdist_problems(path))


def wheel_problems(path: Path) -> list[str]:
    """Return what is missing from a wheel and what does not belong in it."""
    with zipfile.ZipFile(path) as wheel:
        sizes = {entry.filename: entry.file_size for entry in wheel.infolist()}
        info = next(name.partition("/")[0] for name in sizes if ".dist-info/" in name)
        fields = email.message_from_bytes(wheel.read(f"{info}/METADATA"))
        entry_points = wheel.read(f"{info}/entry_points.txt").decode()
    wrong = [f"{name} is missing" for name in (*WHEEL_FILES, f"{info}/licenses/LICENSE") if name not in sizes]
    wrong += [f"{name} does not belong" for name in sizes if name.split("/")[0] not in ("overtone", info)]
    wrong += [f"{name} does not belong" for name in sizes if "__pycache__" in name]
    # Each typed door has its stub beside it, as in the checkout.
    stubs = {
        f"overtone/{p.relative_to(ROOT / 'src/overtone').as_posix()}"
        for p in (ROOT / "src/overtone").rglob("*.pyi")
    }
    wrong += [f"{name} is missing" for name in sorted(stubs - set(sizes))]
    results = sum(size for name, size in sizes.items() if name.startswith("overtone/studies/results/"))
    if not 0 < results < STUDY_RESULTS:
        wrong.append(f"results of studies take {results} bytes, not less than {STUDY_RESULTS}")
    wrong += [f"the metadata have no {name}" for name in REQUIRED_FIELDS if not fields.get(name)]
    relative = re.findall(r"\]\((?![a-z]+:|#)([^)\s]+)\)", str(fields.get_payload()))
    wrong += [f"the page of the package index has the relative link {target}" for target in relative]
    if "overtone = overtone.cli:main" not in entry_points:
        wrong.append("the command overtone is missing")
    return wrong


def sdist_problems(path: Path) -> list[str]:
    """Return what is missing from a source distribution and what does not belong in it."""
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wrong = [f"{name} is missing" for name in SDIST_FILES if name not in names]
    return wrong + [
        f"{name} does not belong"
        for name in sorted(names)
        if ("/" in name and name.partition("/")[0] not in SDIST_FOLDERS) or "__pycache__" in name
    ]


def main() -> int:
    """Build, check and print; return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist", help="default: dist/")
    parser.add_argument("--tag", help="the tag of a release; refused unless it names the version")
    options = parser.parse_args()
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    wrong = 0
    for path in build(folder):
        if options.tag is not None and f"-{options.tag.removeprefix('v')}." not in path.name.replace(
            "-py3", "."
        ):
            print(f"{path.name}: not the version of the tag {options.tag}", file=sys.stderr)
            wrong = 1
        print(f"{path}  {path.stat().st_size:,} bytes")
        for line in problems(path):
            print(f"{path.name}: {line}", file=sys.stderr)
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main())
