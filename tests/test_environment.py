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


def test_torch_is_the_locked_one():
    import torch

    assert torch.__version__.partition("+")[0] == locked()["torch"]


def test_the_lock_asks_for_no_cuda_packages():
    """A build of torch for CUDA may be installed beside it; the lock is for the one without."""
    names = set(map(normal, locked()))
    assert "torch" in names
    assert not [n for n in names if n.startswith(("torchvision", "nvidia", "triton", "cuda"))]


def test_the_device_of_a_fit_exists():
    """Whatever the build of torch: "auto" chooses a device that computes."""
    import torch

    from overtone.fitting import fit
    from overtone.signals import array

    run = fit(
        array(torch.arange(64.0).reshape(8, 8).sin().numpy()), steps=1, width=4, features=4, held_out=0.0
    )
    assert run.network is not None


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
