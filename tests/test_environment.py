"""The environment is the locked one, without CUDA, and importing overtone stays light."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import overtone

LOCK = Path(__file__).parents[1] / "requirements.lock"
HEAVY = (
    "torch",
    "xarray",
    "plotly",
    "matplotlib",
    "pandas",
    "scipy",
    "numpy",
    "skimage",
    "PIL",
    "rich",
    "click",
)


def locked():
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", LOCK.read_text(), re.M))


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_torch_is_the_locked_one_without_cuda():
    import torch

    assert torch.__version__.partition("+")[0] == locked()["torch"]
    assert torch.version.cuda is None


def test_neither_torchvision_nor_cuda_packages_are_installed():
    names = {normal(package.metadata["Name"]) for package in importlib.metadata.distributions()}
    assert "torch" in names
    assert not [n for n in names if n.startswith(("torchvision", "nvidia", "triton", "cuda"))]
    assert not [n for n in map(normal, locked()) if n.startswith(("torchvision", "nvidia", "triton", "cuda"))]


def test_every_locked_package_is_installed_in_its_version():
    for name, version in locked().items():
        assert importlib.metadata.version(name).partition("+")[0] == version, name


def loaded(statement):
    script = f"import sys; {statement}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()


def test_importing_overtone_loads_nothing_heavy():
    assert loaded("import overtone; dir(overtone); overtone.__version__") == []
    assert "numpy" in loaded("import overtone; overtone.records.Header")


def test_the_version_is_that_of_the_package():
    assert overtone.__version__ == importlib.metadata.version("overtone")
