"""The environment is the locked one, without CUDA, and importing overtone stays light."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
import wave
from pathlib import Path

import pytest
from PIL import Image

import overtone
from overtone import records
from overtone._utils.optional import PACKAGES

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


READ_AND_SCAN = """import pathlib, numpy as np, overtone as ot
np.save('waves.npy', np.random.default_rng(0).random((16, 16)))
pathlib.Path('numbers.csv').write_text('t,y\\n' + ''.join('%d,%d\\n' % (i, i % 5) for i in range(40)))
ot.scan(ot.signals.read({!r}))"""


def test_a_scan_of_a_picture_loads_no_tables_or_plots(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for_tables = {"pandas", "xarray", "plotly"}
    assert not for_tables & set(loaded(READ_AND_SCAN.format("waves.npy")))
    assert for_tables & set(loaded(READ_AND_SCAN.format("numbers.csv"))) == {"pandas"}


def test_the_version_is_that_of_the_package():
    assert overtone.__version__ == importlib.metadata.version("overtone")


MODULES = {"scikit-image": "skimage", "scikit-learn": "sklearn"}
BLOCKED = sorted({MODULES.get(name, name) for names in PACKAGES.values() for name in names})
"""The modules of all extras."""

MAIN_WORK = """
import numpy as np, torch, overtone as ot
signal = ot.signals.image(np.random.default_rng(0).random((16, 16)))
ot.scan(signal)
run = ot.fit(signal, "run", steps=3, width=8, features=8, device="cpu")
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
    assert (tmp_path / "run" / "record.sqlite").is_file()


def project():
    return tomllib.loads((LOCK.parent / "pyproject.toml").read_text())["project"]


def test_the_packages_that_errors_name_are_those_of_the_metadata():
    extras = project()["optional-dependencies"]
    groups = {name for name, lines in extras.items() if any(line.startswith("overtone[") for line in lines)}
    assert {
        n: tuple(re.split("[>=<]", p)[0] for p in lines) for n, lines in extras.items() if n not in groups
    } == (PACKAGES)


def test_the_extras_that_the_source_names_exist():
    """An absent package is met by few tests; a wrong name of its extra would be an error in the error."""
    source = Path(overtone.__file__).parent
    call = re.compile(r'\b(?:import_optional|OptionalModule)\([^,()]+, "(\w+)"\)|\brequire_extra\("(\w+)"\)')
    pages = (path.read_text(encoding="utf-8") for path in source.rglob("*.py"))
    named = {first or second for page in pages for first, second in call.findall(page)}
    assert len(named) > 8
    assert named <= set(PACKAGES)


def test_the_extras_that_are_groups_hold_extras():
    extras = project()["optional-dependencies"]
    for group in ("all", "readers"):
        (line,) = extras[group]
        assert set(re.match(r"overtone\[(.+)\]$", line)[1].split(",")) < set(extras)


PAGES = """
import overtone as ot
from overtone.comparing import ComparisonResult
asked = [
    lambda: ot.report,
    lambda: ot.reports.report,
    lambda: ot.plots.Spectrogram,
    lambda: ComparisonResult.report(None),
    lambda: ComparisonResult.cost_plot(None),
]
for ask in asked:
    try:
        ask()
    except ot.InputError as refused:
        print(refused.do)
print(ot.reports.verdict.__name__)
"""


def test_pages_and_figures_name_their_packages(tmp_path):
    done = without_extras(tmp_path, PAGES)
    assert done.stdout.splitlines() == ["run: pip install plotly jinja2 markupsafe"] * 5 + ["verdict"]


def test_without_pages_fit_trains_and_says_how_to_write_one(tmp_path):
    Image.effect_noise((16, 16), 30).save(tmp_path / "a.png")
    work = """
from overtone.cli import main
sys.argv = ["overtone", "fit", "a.png", "--steps", "2", "--width", "4", "--features", "4", "--device", "cpu", "--json"]
main()
"""
    done = without_extras(tmp_path, work)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["report"] is None
    assert Path(tmp_path, answer["record"]).is_file()
    assert done.stderr.splitlines()[-2:] == [
        "overtone: the report was not written, because packages are missing (plotly, jinja2, markupsafe); "
        "run: pip install plotly jinja2 markupsafe",
        "then: overtone report run",
    ]
    assert not (tmp_path / "run" / "report.html").exists()
    refused = without_extras(
        tmp_path,
        work.replace("fit", "report").replace(
            '"a.png", "--steps", "2", "--width", "4", "--features", "4", "--device", "cpu"', '"run"'
        ),
    )
    assert refused.returncode == 2
    assert "run: pip install plotly jinja2 markupsafe" in refused.stderr


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
    assert f"run: pip install {' '.join(PACKAGES[extra])}." in done.stderr.splitlines()[-1]
