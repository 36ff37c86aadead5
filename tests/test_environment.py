"""The environment is the locked one, without CUDA, and importing overtone stays light."""

import importlib.metadata
import re
import subprocess
import sys
import wave
from pathlib import Path

import pytest
from PIL import Image

import overtone
from overtone import records

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


BLOCKED = ("finufft", "h5netcdf", "h5py", "imagecodecs", "nibabel", "skimage", "soundfile", "tifffile")
"""The packages of the extras."""

MAIN_WORK = """
import numpy as np, torch, overtone as ot
signal = ot.signals.image(np.random.default_rng(0).random((16, 16)))
ot.scan(signal)
run = ot.fit(signal, "run", steps=3, width=8, features=8, device="cpu")
ot.report("run", "page.html")
network = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
with ot.Probe(signal, network) as probe:
    probe(0)
"""


def without_extras(folder, work):
    """Run work in a Python in which no package of an extra can be imported."""
    blocked = f"import sys; sys.modules.update(dict.fromkeys({BLOCKED!r}))\n"
    return subprocess.run(
        [sys.executable, "-c", blocked + work], capture_output=True, text=True, cwd=folder, check=False
    )


def test_the_main_work_needs_no_extra(tmp_path):
    done = without_extras(tmp_path, MAIN_WORK)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.html").stat().st_size > 1e6


@pytest.mark.parametrize(
    ("extra", "work"),
    [
        ("audio", "ot.signals.read('tone.wav')"),
        ("volumes", "ot.signals.read('body.nii')"),
        ("tiff", "ot.signals.read('picture.tif')"),
        ("points", "ot.spectra.points(np.arange(9.0)[:, None] ** 1.1, np.arange(9.0)[:, None])"),
        ("netcdf", "ot.records.to_netcdf(ot.records.load('run'), 'run.nc')"),
        ("demo", "ot.cli._source.default_picture()"),
    ],
)
def test_each_extra_is_named_where_it_is_missing(tmp_path, extra, work):
    with wave.open(str(tmp_path / "tone.wav"), "wb") as tone:
        tone.setparams((1, 2, 8000, 0, "NONE", ""))
        tone.writeframes(bytes(range(200)))
    Image.new("L", (8, 8), 3).save(tmp_path / "picture.tif")
    (tmp_path / "body.nii").write_bytes((348).to_bytes(4, "little") + bytes(340) + b"n+1\0" + bytes(500))
    header = records.Header([0.0, 1.0], [1.0, 2.0], ("value",), {"target_power": [[1.0], [1.0]]})
    with records.Writer.create(tmp_path / "run" / "record.sqlite", header) as writer:
        writer.append(0, {"residual_power": [[1.0], [1.0]], "cross_power": [[0.0], [0.0]]})
    done = without_extras(tmp_path, f"import numpy as np, overtone as ot, overtone.cli._source\n{work}")
    assert done.returncode == 1
    assert f'run: pip install "overtone[{extra}]"' in done.stderr.splitlines()[-1]
