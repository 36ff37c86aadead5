"""One training run of the battery. Every function takes and returns what JSON can hold."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from benchmarks.steer.battery import build
from overtone import nn, tune
from overtone.observe import LogSchedule
from overtone.observe.evaluate import Evaluator
from overtone.observe.samples import GridSamples
from overtone.observe.views import GridView
from overtone.rng import derive
from overtone.signals import Signal
from overtone.spectra import NoiseVerdict
from overtone.tune.size import field

FEATURES, DEPTH, RATE = 128, 3, 1e-3
SHARES = (1 / 48, 1 / 32, 1 / 20, 1 / 12, 1 / 8, 1 / 5, 1 / 3, 1 / 2)
"""The grid of bandwidths, as parts of the Nyquist frequency."""


def fixed(name: str, noise: float, share: float, steps: int, width: int, seed: int) -> dict[str, Any]:
    """Train at one bandwidth, a part of Nyquist on every axis."""
    signal = build(name, noise, seed)
    return _train(signal, tuple(share * n for n in signal.geometry.nyquist), steps, width, seed)


def sigma(name: str, noise: float, sigma: float, steps: int, width: int, seed: int) -> dict[str, Any]:
    """Train at a fixed sigma, in cycles per extent."""
    signal = build(name, noise, seed)
    return _train(signal, tuple(1.6449 * sigma / e for e in signal.geometry.extent), steps, width, seed)


def chosen(name: str, noise: float, steps: int, width: int, seed: int) -> dict[str, Any]:
    """Train as `choose` plans."""
    signal = build(name, noise, seed)
    began = time.perf_counter()
    plan = tune.choose(signal, seed=seed)
    spent = time.perf_counter() - began
    return _train(signal, plan.bandwidth, steps, width, seed) | {
        "choosing": spent,
        "worth": plan.worth,
        "expected": None if plan.expected is None else vars(plan.expected),
    }


def prior(name: str, noise: float, steps: int, width: int, seed: int) -> dict[str, Any]:
    """Train at the bandwidth that the spectrum alone recommends."""
    signal = build(name, noise, seed)
    return _train(signal, tune.scan(signal).bandwidth, steps, width, seed)


def shifted(name: str, noise: float, steps: int, width: int, seed: int) -> dict[str, Any]:
    """Train as FreSh chooses from the same grid of bandwidths."""
    signal = build(name, noise, seed)
    reaches = [tuple(share * n for n in signal.geometry.nyquist) for share in SHARES]

    def candidate(reach: tuple[float, ...]) -> Callable[[int], nn.Field]:
        return lambda seed: field(signal, tune.Family.GAUSSIAN, reach, width, DEPTH, FEATURES, seed)

    began = time.perf_counter()
    best = tune.fresh(signal, [candidate(r) for r in reaches], seeds=3).best
    spent = time.perf_counter() - began
    return _train(signal, reaches[best], steps, width, seed) | {"choosing": spent}


def steered(name: str, noise: float, factor: float, steps: int, width: int, seed: int) -> dict[str, Any]:
    """Train under a Controller, from a network built at `factor` times the recommended bandwidth."""
    signal = build(name, noise, seed)
    reach = tuple(factor * b for b in tune.scan(signal).bandwidth)
    return _train(signal, reach, steps, width, seed, control=True)


def _train(
    signal: Signal, reach: tuple[float, ...], steps: int, width: int, seed: int, control: bool = False
) -> dict[str, Any]:
    network = field(signal, tune.Family.GAUSSIAN, reach, width, DEPTH, FEATURES, seed)
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    controller = tune.Controller(signal, network, optimizer) if control else None
    meter = _Meter(signal, network)
    index = signal.train_index
    coords, values = signal.geometry.coords(index), signal.normalisation.apply(signal.values[index])
    due, spent, looking = LogSchedule().due, 0.0, 0.0
    stopped = None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "training"))
        for step in range(1, steps + 1):
            began = time.perf_counter()
            loss = torch.nn.functional.mse_loss(network.normalised(coords), values)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            spent += time.perf_counter() - began
            began = time.perf_counter()
            if controller is not None and controller(step).stop:
                stopped = step
                break
            looking += time.perf_counter() - began
            if due(step) or step == steps:
                meter.row(step)
    if controller is not None:
        controller.finish()
    return meter.rows | {
        "final": meter.apart(),
        "stopped": stopped,
        "bandwidth": list(network.bandwidth or ()),
        "nyquist": list(signal.geometry.nyquist),
        "seconds": spent,
        "looking": looking,
        "peak": signal.peak,
    }


class _Meter:
    """Error on the clean samples apart, and what a run without an oracle can see."""

    def __init__(self, signal: Signal, network: nn.Field) -> None:
        self._signal, self._evaluate = signal, Evaluator(network)
        floor = tune.measure_noise(signal)
        self._view = GridView(replace(signal, clean=None), noise=floor)
        power = self._view.measurement.target_power.numpy()
        noise = self._view.measurement.noise_power(floor)
        noisy = floor.verdict is NoiseVerdict.NOISE
        self._rule = tune.stop.BandErrors(power, noise) if noisy else None
        self.rows: dict[str, Any] = {"steps": [], "clean": [], "held_out": [], "train": [], "bands": []}
        self.rows["noise"] = float(noise.sum(0).mean()) if noisy else 0.0

    def apart(self, outputs: torch.Tensor | None = None) -> float:
        """Mean square error against the clean signal on the samples neither trained on nor held out."""
        if outputs is None:
            outputs = self._evaluate(GridSamples(self._signal.geometry, None))
        clean, mask = self._signal.clean, self._signal.unused
        assert clean is not None
        assert mask is not None
        return float((outputs - clean)[mask].double().square().mean())

    def row(self, step: int) -> None:
        """Look at the network at this step."""
        outputs = self._evaluate(GridSamples(self._signal.geometry, None))
        row = self._view.compare(outputs)
        self.rows["steps"].append(step)
        self.rows["clean"].append(self.apart(outputs))
        self.rows["held_out"].append(row["held_out_error"])
        self.rows["train"].append(row["train_error"])
        level = self.rows["noise"] * len(self._signal.channels)
        estimate = math.nan if self._rule is None else self._rule.estimate(row) + level
        self.rows["bands"].append(estimate if math.isfinite(estimate) else None)
