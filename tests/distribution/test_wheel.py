"""The wheel works by itself: outside the checkout, with the packages it depends on and no other."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.distribution.conftest import ROOT, project


def run(environment: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [str(environment / words[0]), *words[1:]],
        capture_output=True,
        text=True,
        cwd=folder,
        env=clean,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("elsewhere")
    y, x = np.mgrid[:40, :48] / 40
    picture = np.stack([np.sin(9 * x), np.cos(17 * y), np.sin(30 * x * y)], -1)
    Image.fromarray(((picture + 1) * 127).astype(np.uint8)).save(place / "photo.jpg")
    return place


def test_the_version_is_one(environment, wheel, folder):
    version = project()["version"]
    assert run(environment, folder, "overtone", "--version").stdout.split()[-1] == version
    script = "import overtone as o, importlib.metadata as m; print(o.__file__, o.__version__, m.version('overtone'))"
    place, *versions = run(environment, folder, "python", "-c", script).stdout.split()
    assert versions == [version, version]
    assert Path(place).is_relative_to(environment.parent)
    assert wheel.name == f"overtone-{version}-py3-none-any.whl"


def test_packages_of_extras_are_absent_there(environment, folder):
    script = "import importlib.util as u; print([n for n in ('plotly', 'skimage', 'h5py', 'pytest') if u.find_spec(n)])"
    assert run(environment, folder, "python", "-c", script).stdout.strip() == "[]"


def test_scan_reads_a_photograph(environment, folder):
    done = run(environment, folder, "overtone", "scan", "photo.jpg")
    assert done.returncode == 0, done.stderr
    assert "40 x 48 samples, 3 channels" in done.stdout
    assert done.stderr == "Reading photo.jpg.\n"


PROBE = """
import overtone as ot, torch
signal = ot.signals.image("photo.jpg")
network = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
with ot.Probe(signal, network, "probed") as probe:
    probe(0)
print(ot.records.load("probed").sizes["step"])
"""


def test_a_probe_records_and_the_record_is_read(environment, folder):
    done = run(environment, folder, "python", "-W", "error", "-c", PROBE)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_fit_trains_without_the_packages_for_pages(environment, folder):
    done = run(environment, folder, "overtone", "fit", "photo.jpg", "--steps", "2", "--width", "8", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["report"] is None
    assert "run: pip install plotly jinja2 markupsafe" in done.stderr
    assert "then: overtone report run" in done.stderr


def test_results_of_studies_come_with_the_wheel(environment, folder):
    done = run(environment, folder, "overtone", "study", "show", "mlp-low-first", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["studies"][0]["verdict"] is not None


def tool():
    spec = importlib.util.spec_from_file_location("dist_tool", ROOT / "tools" / "dist.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rewritten(wheel: Path, place: Path, change) -> Path:
    """Copy a wheel, with its files changed by a function of name and content; None leaves a file out."""
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return place


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda n, c: None if n.endswith("py.typed") else c, "overtone/py.typed is missing"),
        (
            lambda n, c: None if n == "overtone/probes/__init__.pyi" else c,
            "overtone/probes/__init__.pyi is missing",
        ),
        (lambda n, c: None if n.endswith("LICENSE") else c, "licenses/LICENSE is missing"),
        (lambda n, c: None if "studies/results" in n else c, "results of studies take 0 bytes"),
        (lambda n, c: c * 4 if "studies/results" in n else c, "results of studies take"),
        (
            lambda n, c: c.replace(b"License-Expression", b"X") if n.endswith("METADATA") else c,
            "no License-Expression",
        ),
        (lambda n, c: c + b"\n[x](docs/a.md)" if n.endswith("METADATA") else c, "relative link docs/a.md"),
        (lambda n, c: b"" if n.endswith("entry_points.txt") else c, "the command overtone is missing"),
    ],
)
def test_the_check_refuses_a_damaged_wheel(wheel, tmp_path, change, problem):
    check = tool().problems
    assert check(wheel) == []
    (line,) = check(rewritten(wheel, tmp_path / wheel.name, change))
    assert problem in line


def test_the_source_distribution_builds_the_same_wheel(built, wheel, tmp_path):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    environment = {"SOURCE_DATE_EPOCH": "1767225600"} | os.environ
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "again")]
    subprocess.run(command, cwd=source, env=environment, check=True, capture_output=True)
    (again,) = (tmp_path / "again").iterdir()
    assert again.read_bytes() == wheel.read_bytes()


def test_a_tag_of_another_version_is_refused(tmp_path):
    command = [sys.executable, str(ROOT / "tools" / "dist.py"), str(tmp_path), "--tag"]
    version = project()["version"]
    assert subprocess.run([*command, f"v{version}"], capture_output=True, check=False).returncode == 0
    refused = subprocess.run([*command, f"v{version}1"], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert f"not the version of the tag v{version}1" in refused.stderr
