"""A wheel and a source distribution built from the checkout, and an environment with the core packages alone."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def closure(requirements: list[str]) -> set[str]:
    """Names of the distributions that the requirements need here, with all that those need."""
    open_, names = [Requirement(line) for line in requirements], set()
    while open_:
        requirement = open_.pop()
        name = requirement.name.lower().replace("_", "-")
        if name in names:
            continue
        names.add(name)
        for line in importlib.metadata.requires(requirement.name) or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                open_.append(needed)
    return names


def link_distributions(names: set[str], folder: Path) -> None:
    """Link all that the distributions installed at the top of site-packages into an empty folder."""
    packages = Path(sysconfig.get_path("purelib"))
    for name in names:
        files = importlib.metadata.files(name) or []
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            if (packages / top).exists():
                (folder / top).symlink_to(packages / top)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that tools/dist.py built into, twice and checked."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "dist.py"), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and the packages that it depends on; those of extras cannot be imported there."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    (folder / "core").mkdir()
    link_distributions(closure(project()["dependencies"]), folder / "core")
    install = [
        "-m",
        "pip",
        "--python",
        str(folder / "venv"),
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        str(wheel),
    ]
    subprocess.run([sys.executable, *install], check=True)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "core.pth").write_text(f"{folder / 'core'}\n")
    return folder / "venv" / "bin"
