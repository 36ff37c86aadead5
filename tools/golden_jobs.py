"""The jobs of the golden comparison: ten signals by seed, and what is asked of the program about them.

Jobs use the command line, whose flags do not change, and `import overtone`. Run as a program,
`python golden_jobs.py SIGNALS OUT NAME...` does the named jobs with the `overtone` that is on the path, each in a
forked process and in a folder of its own; `golden.py` calls it once for each checkout.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import sys
import time
import traceback
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]

SIGNALS = (
    "picture.npy",
    "colour.png",
    "noisy.npy",
    "tones.csv",
    "audio.wav",
    "table.csv",
    "volume.npy",
    "chirp.npy",
    "odd.npy",
    "flat.npy",
)


def _field(shape: tuple[int, ...], seed: int, highest: float) -> Values:
    """A sum of eight cosines of random directions and phases, below `highest` cycles per axis, within 0 to 1."""
    generator = np.random.default_rng(seed)
    axes = np.stack(np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij"), -1)
    total = np.zeros(shape)
    for k in range(8):
        wave_vector = generator.uniform(-highest, highest, len(shape))
        total += np.cos(2 * np.pi * (axes @ wave_vector + generator.random())) / (k + 1)
    return (total - total.min()) / np.ptp(total)


def _write_table(path: Path, columns: dict[str, Values]) -> None:
    """Columns as CSV with nine digits."""
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(f"{value:.9g}" for value in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def write_signals(folder: Path) -> None:
    """Write the ten signals; the same bytes on every machine but for the last digits of cosines."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(7)
    picture = _field((24, 20), 1, 5)
    np.save(folder / "picture.npy", picture)
    np.save(folder / "noisy.npy", picture + 0.1 * generator.standard_normal(picture.shape))
    np.save(folder / "clean.npy", picture)
    colour = np.stack([_field((20, 26), seed, 4) for seed in (2, 3, 4)], -1)
    Image.fromarray((255 * colour).round().astype(np.uint8)).save(folder / "colour.png")
    times = np.arange(160) / 40.0
    tones = {"t_s": times, "low": np.sin(2 * np.pi * times), "high": 0.5 * np.cos(2 * np.pi * 6.3 * times)}
    _write_table(folder / "tones.csv", tones)
    sound = 0.4 * np.sin(2 * np.pi * 220 * np.arange(800) / 8000) * np.hanning(800)
    sound += 0.02 * generator.standard_normal(800)
    with wave.open(str(folder / "audio.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((32767 * sound).round().astype("<i2").tobytes())
    x, y = generator.random(180), generator.random(180)
    _write_table(
        folder / "table.csv", {"x": x, "y": y, "height": np.sin(7 * x) * np.cos(5 * y), "slope": x - y * y}
    )
    np.save(folder / "volume.npy", _field((10, 9, 8), 5, 2).astype(np.float32))
    position = np.linspace(0, 1, 256, endpoint=False)
    np.save(folder / "chirp.npy", np.sin(2 * np.pi * (2 * position + 12 * position**2)))
    np.save(folder / "odd.npy", _field((13, 37), 6, 4))
    np.save(folder / "flat.npy", 1.0 + 1e-3 * generator.standard_normal((18, 18)))


@dataclass(frozen=True)
class Job:
    """One comparison: command lines, run one after the other in one folder, or a function.

    Attributes:
        name: Unique; the folder of its results.
        commands: Words of each command; `@picture.npy` is the path of that signal.
        function: Takes the folder of the signals, writes into the working folder, and returns a JSON document.
        quick: Whether it belongs to the quick part.
        same: Two run directories that must hold the same network.
    """

    name: str
    commands: tuple[tuple[str, ...], ...] = ()
    function: Callable[[Path], Any] | None = None
    quick: bool = False
    same: tuple[str, str] | None = None


TINY = ("--width", "16", "--depth", "2", "--features", "8", "--lr", "0.01")
ENCODINGS = ("positional", "gaussian", "power-law", "learned", "hash-grid", "dense-grid")
ACTIVATIONS = ("leaky-relu", "tanh", "sigmoid", "silu", "gelu", "softplus", "sine", "finer", "gabor")
ACTIVATIONS += ("complex-gabor", "gauss", "sinc", "hat", "quadratic", "multiquadratic")
QUICK_FITS = ("picture.npy", "table.csv", "hash-grid", "finer", "momentum", "controller")
SOURCES = {name: (f"@{name}",) for name in SIGNALS}
SOURCES["table.csv"] = ("@table.csv", "--inputs", "x,y", "--columns", "height")
SOURCES["noisy.npy"] = ("@noisy.npy", "--clean", "@clean.npy")


def _fit(name: str, source: str, *words: str, steps: int = 12) -> Job:
    fit = ("fit", *SOURCES[source], *TINY, "--steps", str(steps), *words, "--out", "run", "--json")
    return Job(f"fit {name}", (fit,), quick=name in QUICK_FITS)


def _scan(source: str) -> Job:
    words = ("@noisy.npy",) if source == "noisy.npy" else SOURCES[source]
    return Job(f"scan {source}", (("scan", *words, "--json"),), quick=True)


def _predict(source: str, *words: str) -> Job:
    source_words = ("@noisy.npy",) if source == "noisy.npy" else SOURCES[source]
    command = ("predict", *source_words, *TINY, "--steps", "60", *words, "--json")
    return Job(f"predict {' '.join((source, *words))}", (command,), quick=source == "picture.npy")


def _resumed(name: str, source: str, *words: str) -> Job:
    whole = ("fit", *SOURCES[source], *TINY, *words, "--bandwidth", "2", "--no-stop", "--json")
    return Job(
        f"resume {name}",
        (
            (*whole, "--steps", "40", "--out", "straight"),
            (*whole, "--steps", "17", "--out", "stopped"),
            ("fit", "--resume", "--steps", "40", "--out", "stopped", "--json"),
            ("report", "stopped", "straight", "--out", "page.html", "--json"),
        ),
        quick=name == "adam",
        same=("straight", "stopped"),
    )


def _compare(name: str, source: str, *words: str) -> Job:
    command = ("compare", *SOURCES[source], "--steps", "60", "--seeds", "2", "--parameters", "5000")
    return Job(f"compare {name}", ((*command, "--processes", "1", *words, "--json", "--out", "comparison"),))


def _masked(signals: Path) -> Any:
    """A picture in colour whose held-out samples are a block and every seventh sample."""
    import overtone as ot

    signal = ot.signals.image(signals / "colour.png")
    mask = np.zeros((20, 26), bool)
    mask[4:9, 6:13] = True
    mask.reshape(-1)[::7] = True
    run = ot.fit(
        signal.with_held_out(mask.reshape(-1)),
        "run",
        steps=30,
        width=16,
        depth=2,
        features=8,
        lr=0.01,
        seed=3,
    )
    return {"samples": int(mask.sum()), "parameters": sum(p.numel() for p in run.network.parameters())}


def _probes() -> Any:
    """The package of probes, under its name of today or of before."""
    for name in ("overtone.probes", "overtone.observe"):
        with contextlib.suppress(ModuleNotFoundError):
            return importlib.import_module(name)
    raise SystemExit("golden: expected overtone.probes, found none")


def _train(probe: Any, network: Any, inputs: Any, targets: Any, loss_of: Callable[..., Any]) -> Any:
    """Forty steps of Adam under a probe, and the weights at the end."""
    import torch

    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    with probe:
        for step in range(40):
            loss = loss_of(network(inputs), targets)
            probe(step, loss.detach())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    np.savez("weights.npz", **{name: value.numpy() for name, value in network.state_dict().items()})
    return {"loss": float(loss.detach())}


def _pictures() -> tuple[Any, Any, Any]:
    """96 pictures of 8 x 8 in three classes by the frequency they hold, and a small network."""
    import torch

    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(96) % 3
    columns = torch.arange(8) / 8
    waves = torch.cos(2 * np.pi * (labels + 1)[:, None] * columns)[:, None, None, :]
    pictures = waves + 0.3 * torch.randn(96, 1, 8, 8, generator=generator)
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 6, 3),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(54, 3),
    )
    return pictures, labels, network


def _several_views(_signals: Path) -> Any:
    """One probe with four views of a classifier."""
    from torch.nn.functional import cross_entropy

    import overtone as ot

    views = _probes().views
    pictures, labels, network = _pictures()
    graph = views.graph(pictures, labels)
    watched = [graph, views.filters(pictures, labels), views.layers(graph, ["0", "2"])]
    watched.append(views.directions(pictures, labels))
    return _train(ot.Probe(watched, network, "run"), network, pictures, labels, cross_entropy)


def _chosen_view(_signals: Path) -> Any:
    """`Probe.of`: the view is chosen by the shapes and the network."""
    from torch.nn.functional import cross_entropy

    import overtone as ot

    pictures, labels, network = _pictures()
    return _train(ot.Probe.of(pictures, labels, network, "run"), network, pictures, labels, cross_entropy)


def _sequences(_signals: Path) -> Any:
    """A recurrent network on sequences of two tones."""
    import torch
    from torch.nn.functional import mse_loss

    import overtone as ot

    class Last(torch.nn.Module):
        """A recurrent layer and a read-out at each time."""

        def __init__(self) -> None:
            super().__init__()
            self.cell, self.out = torch.nn.GRU(2, 6, batch_first=True), torch.nn.Linear(6, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Values at each time."""
            return self.out(self.cell(x)[0])

    inputs = torch.randn(24, 32, 2, generator=torch.Generator().manual_seed(1))
    targets = inputs.cumsum(1)[..., :1] / 6
    torch.manual_seed(1)
    network = Last()
    view = _probes().views.sequence(inputs, targets)
    return _train(ot.Probe(view, network, "run"), network, inputs, targets, mse_loss)


def _observed(signals: Path) -> Any:
    """A signal under a probe in a loop of one's own, with snapshots."""
    import torch
    from torch.nn.functional import mse_loss

    import overtone as ot

    signal = ot.signals.array(np.load(signals / "odd.npy"))
    torch.manual_seed(2)
    network = torch.nn.Sequential(torch.nn.Linear(2, 24), torch.nn.Tanh(), torch.nn.Linear(24, 1))
    rows, columns = np.meshgrid(np.arange(13) / 13, np.arange(37) / 37, indexing="ij")
    inputs = torch.tensor(np.stack([rows.ravel(), columns.ravel()], -1), dtype=torch.float32)
    targets = torch.tensor(np.load(signals / "odd.npy").reshape(-1, 1), dtype=torch.float32)

    def forward(x: Any) -> Any:
        return network(x.float())

    try:
        views = importlib.import_module("overtone.probes.views")
    except ModuleNotFoundError:  # options of a grid were arguments of the probe once
        probe = ot.Probe(signal, network, "run", forward=forward, snapshots=(0, 39))
    else:
        probe = ot.Probe(views.GridView(signal, snapshots=(0, 39)), network, "run", forward=forward)
    return _train(probe, network, inputs, targets, mse_loss)


JOBS = (
    *(_scan(source) for source in SIGNALS if source != "table.csv"),
    Job("scan periodic", (("scan", "@chirp.npy", "--periodic", "--json"),)),
    Job("scan spacing", (("scan", "@volume.npy", "--spacing", "1,1,3", "--unit", "mm", "--json"),)),
    *(_fit(source, source, steps=60) for source in SIGNALS),
    *(_fit(name, "picture.npy", "--encoding", name) for name in ("none", "basic")),
    *(_fit(name, "picture.npy", "--encoding", name, "--bandwidth", "3") for name in ENCODINGS),
    _fit("triplane", "volume.npy", "--encoding", "triplane", "--bandwidth", "2"),
    _fit("periodic", "chirp.npy", "--encoding", "periodic", "--periodic", "--bandwidth", "4"),
    *(_fit(name, "picture.npy", "--activation", name, "--bandwidth", "3") for name in ACTIVATIONS),
    _fit("layers", "chirp.npy", "--activation", "sine,relu", "--bandwidth", "6"),
    _fit("residual", "odd.npy", "--residual", "--bandwidth", "3"),
    _fit("momentum", "tones.csv", "--optimizer", "sgd", "--momentum", "0.9", "--decay", "cosine"),
    _fit("exponential", "audio.wav", "--decay", "exponential", "--batch", "100", "--seed", "5"),
    _fit("controller", "noisy.npy", "--controller", steps=90),
    _fit("whole", "volume.npy", "--held-out", "0", "--bandwidth", "2", "--no-stop"),
    _fit("mixed", "picture.npy", "--precision", "mixed", "--bandwidth", "3"),
    _fit("batches", "colour.png", "--batch", "64", "--seed", "11", "--bandwidth", "2,4", steps=40),
    Job("fit masked", function=_masked, quick=True),
    *(_predict(source) for source in ("picture.npy", "noisy.npy", "tones.csv", "audio.wav", "odd.npy")),
    _predict("chirp.npy", "--optimizer", "sgd", "--lr", "0.05"),
    _predict("picture.npy", "--activation", "tanh", "--pilot", "5"),
    _resumed("adam", "picture.npy"),
    _resumed("batches", "tones.csv", "--batch", "50", "--activation", "tanh"),
    _resumed("controller", "noisy.npy", "--controller"),
    _resumed("table", "table.csv", "--optimizer", "sgd", "--momentum", "0.5"),
    _compare("picture", "picture.npy", "--candidates", "gaussian,siren"),
    _compare("noise", "odd.npy", "--candidates", "hash-grid", "--noise", "0.1", "--blocks", "3"),
    Job("study list", (("study", "list", "--json"),), quick=True),
    Job("study show", (("study", "show", "mlp-low-first", "--json"),), quick=True),
    Job("probe several views", function=_several_views, quick=True),
    Job("probe chosen view", function=_chosen_view),
    Job("probe sequences", function=_sequences),
    Job("probe signal", function=_observed, quick=True),
)


def folder_of(job: Job) -> str:
    """The name of the folder of a job's results."""
    return job.name.replace(" ", "_").replace("/", "_")


def words_of(command: tuple[str, ...], signals: Path) -> tuple[str, ...]:
    """The words of a command with the paths of its signals."""
    return tuple(str(signals / word[1:]) if word.startswith("@") else word for word in command)


def _ask(words: tuple[str, ...]) -> int:
    """The exit code of one command line, run in this process through the program's entry point."""
    entry: Any = importlib.import_module("overtone.cli").main
    entry = (
        entry if callable(entry) else entry.main
    )  # once loaded, a module may have taken the function's place
    try:
        entry(list(words))
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


def do(job: Job, signals: Path) -> None:
    """Do a job in the working folder: `answer-K.json` (or `.txt`), `errors-K.txt` and what the commands write."""
    if job.function is not None:
        Path("answer-0.json").write_text(json.dumps(job.function(signals)))
    for k, command in enumerate(job.commands):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = _ask(words_of(command, signals))
        Path(f"answer-{k}.json").write_text(out.getvalue())
        Path(f"errors-{k}.txt").write_text(f"exit {code}\n{err.getvalue()}")


PRELOADED = (
    "torch._dynamo",
    "scipy.stats",
    "xarray",
    "h5netcdf",
    "plotly.graph_objects",
    "rich.console",
    "jinja2",
    "PIL.Image",
    "overtone.cli.main",
    "overtone.cli._main",
    "overtone.fitting",
    "overtone.comparing",
    "overtone.reports",
)


def main(arguments: list[str]) -> int:
    """Do jobs in forked processes, so that none sees what another has left; one line each."""
    signals, out, names = Path(arguments[0]).resolve(), Path(arguments[1]).resolve(), arguments[2:]
    # Loaded once, before the forks: imports are most of the time of small jobs.
    for name in PRELOADED:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    out.mkdir(parents=True, exist_ok=True)
    (out / "source.txt").write_text(importlib.import_module("overtone").__file__ or "")
    for job in JOBS:
        if job.name not in names:
            continue
        begun = time.monotonic()
        folder = out / folder_of(job)
        folder.mkdir(parents=True)
        child = os.fork()
        if child == 0:
            os.chdir(folder)
            try:
                do(job, signals)
            except BaseException:  # noqa: BLE001 - whatever a job raises is its result
                Path("failed.txt").write_text(traceback.format_exc().splitlines()[-1])
            os._exit(0)
        os.waitpid(child, 0)
        sys.stderr.write(f"{time.monotonic() - begun:6.1f} s  {job.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
