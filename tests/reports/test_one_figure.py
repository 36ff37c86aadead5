"""One page, one figure: what is told of a run, on its page, in its answers or on the command line, is told alike."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import overtone as ot
from overtone import reports, signals
from overtone.cli._fit import _document, _text
from overtone.cli._output import _finite
from overtone.fitting import Run
from overtone.records import load
from tests.reports.words import differing, page_text, told, told_in_json, united

SMALL = {"width": 24, "features": 16, "depth": 1, "device": "cpu"}


def waves(*shape: int, noise: float = 0.0) -> np.ndarray:
    axes = np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij")
    field = sum(np.cos(2 * np.pi * 2 * axis) for axis in axes) + np.cos(2 * np.pi * 5 * axes[0])
    return np.asarray(0.2 * field + noise * np.random.default_rng(0).standard_normal(shape))


def fit(signal: Any, folder: Path, **options: Any) -> Run:
    return ot.fit(signal, folder / "run", **SMALL | {"steps": 60} | options)


def picture(folder: Path) -> Run:
    return fit(signals.image(np.clip(0.5 + 0.3 * waves(40, 40), 0, 1).astype(np.float32)), folder)


def noisy(folder: Path) -> Run:
    """Goes back to an early network."""
    return fit(signals.array(waves(24, 24, noise=0.4)), folder, bandwidth=10.0, lr=1e-2, steps=400, width=64)


def noisy_with_its_clean_self(folder: Path) -> Run:
    signal = signals.array(waves(24, 24, noise=0.4)).with_clean(signals.array(waves(24, 24)).values)
    return fit(signal, folder, bandwidth=10.0, lr=1e-2, steps=400, width=64)


def series(folder: Path) -> Run:
    rows = "\n".join(f"{t},{v}" for t, v in enumerate(waves(200)))
    (folder / "s.csv").write_text(f"time [h],v\n{rows}\n")
    return fit(signals.series(folder / "s.csv"), folder, bandwidth=0.02)


def audio(folder: Path) -> Run:
    soundfile.write(folder / "a.wav", waves(800), 8000)
    return fit(signals.audio(folder / "a.wav"), folder, bandwidth=100.0)


def volume(folder: Path) -> Run:
    return fit(signals.array(waves(10, 10, 10), spacing=(2.0, 1.0, 1.0), unit="mm"), folder, bandwidth=0.2)


def scattered(folder: Path) -> Run:
    places = np.random.default_rng(0).random((200, 2))
    return fit(signals.points(places, np.sin(9 * places[:, 0]) * places[:, 1]), folder, bandwidth=2.0)


def table(folder: Path) -> Run:
    rows = np.random.default_rng(0).random((150, 3))
    lines = "\n".join(",".join(map(str, [*row, np.sin(6 * row[0]) + row[1] * row[2]])) for row in rows)
    (folder / "t.csv").write_text(f"a,b,c,y\n{lines}\n")
    return fit(signals.table(folder / "t.csv", ["a", "b", "c"]), folder, bandwidth=1.0)


def nothing_held_out(folder: Path) -> Run:
    return fit(signals.array(waves(24, 24)), folder, held_out=0.0)


def one_step(folder: Path) -> Run:
    return fit(signals.array(waves(24, 24)), folder, steps=1)


def resumed(folder: Path) -> Run:
    signal = signals.array(waves(24, 24))
    fit(signal, folder, steps=20, bandwidth=5.0)
    return ot.fit(signal, folder / "run", steps=60, resume=True, device="cpu")


def several_channels(folder: Path) -> Run:
    values = np.stack([waves(200), 40 * waves(200) ** 2], axis=1)
    return fit(signals.array(values, channel_axis=1), folder, bandwidth=5.0)


KINDS: tuple[Callable[[Path], Run], ...] = (
    *(picture, noisy, noisy_with_its_clean_self, series, audio, volume, scattered, table),
    *(nothing_held_out, one_step, resumed, several_channels),
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_figure_of_a_run_has_two_values(kind: Callable[[Path], Run], tmp_path: Path) -> None:
    run = kind(tmp_path)
    page = page_text(run.report())
    answer = json.loads(json.dumps(_finite(_document(run, tmp_path / "page"))))
    found = united(told(page), told(_text(run, tmp_path / "page")), told_in_json(answer))
    assert found["PSNR, training samples"]
    assert found["training time"]
    assert found["bands learned"]
    assert differing(found) == {}
    assert f"step {run.network_step:,}" in page
    assert answer["kept"] == run.network_step


def test_figures_are_those_of_the_network_that_was_kept(tmp_path: Path) -> None:
    run = noisy(tmp_path)
    last = int(run.record.step[-1])
    assert run.network_step < last
    page = page_text(run.report())
    for sentence in (
        f"At step {run.network_step}, whose network was restored after {last} steps",
        f"Every band at step {run.network_step}",
    ):
        assert sentence in page
    truth = run.signal.values
    for name, index in (("training", run.signal.train_index), ("held-out", run.signal.held_out_index)):
        error = float((run.predict()[index] - truth[index]).double().square().mean())
        level = 10 * np.log10(run.signal.peak**2 / error)
        assert f"PSNR, {name} samples\n{level:.1f} dB" in page


def trained(
    watched: ot.Probe, loss: Callable[[], torch.Tensor], network: torch.nn.Module, rate: float
) -> Path:
    optimizer = torch.optim.SGD(network.parameters(), lr=rate)
    with watched as probe:
        for step in range(40):
            value = loss()
            probe(step, value.detach())
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    return watched.path


def own_loop(folder: Path, rate: float) -> Path:
    signal, network = signals.array(waves(16, 16)), torch.nn.Linear(2, 1)
    values = signal.values.float()

    def loss() -> torch.Tensor:
        return torch.nn.functional.mse_loss(network(signal.coords.float()), values)

    return trained(ot.Probe(signal, network, folder / "run"), loss, network, rate)


def test_a_loop_of_ones_own_is_told_alike(tmp_path: Path) -> None:
    page = page_text(reports.report(own_loop(tmp_path, 0.1), tmp_path / "r.html"))
    assert differing(told(page)) == {}
    assert told(page)["PSNR, training samples"]


@pytest.mark.filterwarnings("ignore::overtone.probes.ProbeWarning")
def test_a_diverged_run_has_no_figures_of_what_it_learned(tmp_path: Path) -> None:
    page = page_text(reports.report(own_loop(tmp_path, 1e20), tmp_path / "r.html"))
    assert "Training diverged" in page
    assert "Power in learned bands" not in page
    assert "the residual holds 0" not in page


def test_labels_have_no_psnr(tmp_path: Path) -> None:
    inputs = torch.rand(200, 6, generator=torch.Generator().manual_seed(0))
    labels = (inputs[:, 0] + inputs[:, 1] > 1).long()
    network = torch.nn.Linear(6, 2)

    def loss() -> torch.Tensor:
        return torch.nn.functional.cross_entropy(network(inputs), labels)

    record = trained(ot.Probe.of(inputs, labels, network, tmp_path / "run"), loss, network, 1.0)
    page = page_text(reports.report(record, tmp_path / "r.html"))
    assert " dB" not in page.partition("Glossary\nFrequency")[0]
    error = float(load(record).train_error[-1])
    assert f"Mean square error of probabilities, training samples\n{error:.3g}" in page


def test_a_comparison_of_runs_tells_what_the_runs_tell(tmp_path: Path) -> None:
    runs = [
        noisy(tmp_path / "a"),
        fit(signals.array(waves(24, 24, noise=0.4)), tmp_path / "b", bandwidth=3.0),
    ]
    page = page_text(reports.report([run.directory.path for run in runs], tmp_path / "both.html"))
    for run in runs:
        level = run.psnr["held_out"]
        assert level is not None
        best = re.findall(
            r"([\d.]+) dB[^\n]*\n? ?on held-out samples, network of step " + str(run.network_step), page
        )
        assert best == [f"{level:.1f}"]
        assert f"\n{level:.1f}\n" in page
        assert f": {level:.1f} dB" in page
