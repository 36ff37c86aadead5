"""The methods that are compared, one training run each. Arguments and results of every function are JSON values."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.tuning.battery import build, nyquist
from benchmarks.tuning.run import RATE, STEPS, Run
from overtone import controller, nn, planning
from overtone._config import EncodingKind
from overtone._utils.seeding import derive_seed
from overtone.controller._encoding_bandwidth import EncodingBandwidth
from overtone.fitting import ModelConfig
from overtone.nn._build import build_field
from overtone.nn._networks import Network
from overtone.nn.encodings import HashGrid, Identity
from overtone.planning._run_size import parameter_count
from overtone.signals import Geometry, Signal, require_grid

WIDTH, DEPTH, FEATURES = 64, 3, 64
SHARES = (1 / 40, 1 / 22, 1 / 12.5, 1 / 7, 1 / 4, 1 / 2.25)
"""The grid of bandwidths, as parts of the Nyquist frequency."""

SINE_RATE, TABLE = 1e-3, 12
"""Learning rate of the sine network, which diverges at higher ones, and log2 of the hash grid's rows per level."""


def fixed(name: str, noise: float, share: float, seed: int) -> dict[str, Any]:
    """Train at one bandwidth, a part of Nyquist on every axis."""
    signal = _begin(name, noise, seed)
    return _gaussian(signal, tuple(share * n for n in nyquist(signal)), seed).train()


def planned(name: str, noise: float, seed: int) -> dict[str, Any]:
    """Train as `plan` recommends for a network of this size."""
    signal = _begin(name, noise, seed)
    start = time.perf_counter()
    plan = planning.plan(signal, _budget(signal), seed=seed, lr=RATE)
    spent = time.perf_counter() - start
    return _run(signal, plan.encoding, plan.bandwidth, seed).train() | {
        "encoding": plan.encoding.value,
        "choosing": spent,
        "recommended": plan.recommended,
        "expected": None if plan.expected is None else vars(plan.expected),
    }


def shifted(name: str, noise: float, seed: int) -> dict[str, Any]:
    """Return the bandwidth of the grid that FreSh selects; the grid is trained already."""
    signal = require_grid(_begin(name, noise, seed), "this method")
    bandwidths = [tuple(share * n for n in nyquist(signal)) for share in SHARES]

    def candidate(bandwidth: tuple[float, ...]) -> Callable[[int], nn.Field]:
        return lambda seed: _build(signal, EncodingKind.GAUSSIAN, bandwidth, seed)

    start = time.perf_counter()
    best = planning.fresh(signal, [candidate(r) for r in bandwidths], seeds=10).best
    return {"best": best, "choosing": time.perf_counter() - start}


def sigma(name: str, noise: float, sigma: float, seed: int) -> dict[str, Any]:
    """Train at a fixed sigma, in cycles per extent."""
    signal = _begin(name, noise, seed)
    return _gaussian(signal, tuple(1.6449 * sigma / e for e in signal.geometry.extent), seed).train()


def sine(name: str, noise: float, omega: float, seed: int) -> dict[str, Any]:
    """Train a sine network at a fixed omega, in radians per unit of coordinates in [-1, 1]."""
    signal = _begin(name, noise, seed)
    waves = [nn.activations.Sine(omega) for _ in range(DEPTH)]
    body = nn.MLP(
        len(signal.geometry.origin),
        signal.values.shape[1],
        WIDTH,
        DEPTH,
        waves,
        seed=derive_seed(seed, "weights"),
    )
    network = _field(signal, Identity(len(signal.geometry.origin)), body, (-1.0, 1.0))
    return Run(signal, network, torch.optim.Adam(network.parameters(), SINE_RATE, fused=True)).train()


def hashed(name: str, noise: float, seed: int) -> dict[str, Any]:
    """Train a hash grid of 16 levels from 16 to 1,024 cells, 2^12 rows, before two layers of 64 units."""
    signal = _begin(name, noise, seed)
    encoding = HashGrid(len(signal.geometry.origin), log2_rows=TABLE, seed=derive_seed(seed, "encoding"))
    body = nn.MLP(encoding.out_features, signal.values.shape[1], 64, 2, seed=derive_seed(seed, "weights"))
    network = _field(signal, encoding, body, encoding.domain)
    return Run(
        signal, network, torch.optim.Adam(nn.parameter_groups(network, 1e-3), eps=1e-15, fused=True)
    ).train()


def controlled(name: str, noise: float, factor: float, seed: int) -> dict[str, Any]:
    """Train under a Controller that begins at the bandwidth of `plan`, in a network built at `factor` times that."""
    signal = require_grid(_begin(name, noise, seed), "this method")
    plan = planning.plan(signal, _budget(signal), seed=seed, lr=RATE)
    run = _gaussian(signal, tuple(factor * b for b in plan.bandwidth), seed)
    control = controller.Controller(signal, run.network, run.optimizer, begin=plan.bandwidth)
    run.policy, run.finish = lambda step: control(step).stop, control.finish
    return run.train()


def widened(name: str, noise: float, low: float, high: float, seed: int) -> dict[str, Any]:
    """Train while the bandwidth grows exponentially from one part of Nyquist to another in the first half."""
    signal = _begin(name, noise, seed)
    run = _gaussian(signal, tuple(high * n for n in nyquist(signal)), seed)
    encoding_bandwidth = EncodingBandwidth.of(run.network, tuple(low * n for n in nyquist(signal)))
    each = (high / low) ** (2 / STEPS)

    def policy(step: int) -> bool:
        if step <= STEPS // 2:
            encoding_bandwidth.scale(each)
        return False

    run.policy = policy
    return run.train()


def opened(name: str, noise: float, share: float, seed: int) -> dict[str, Any]:
    """Train while frequencies are faded in from low to high in the first half, as BARF does."""
    signal = _begin(name, noise, seed)
    run = _gaussian(signal, tuple(share * n for n in nyquist(signal)), seed)
    encoding: Any = run.network.encoding
    top = 2 * encoding.frequencies.abs().max(dim=0).values * len(signal.geometry.origin) ** 0.5

    def policy(step: int) -> bool:
        if step <= STEPS // 2:
            encoding.window((top * 2 * step / STEPS).tolist())
        return False

    run.policy = policy
    return run.train()


def _begin(name: str, noise: float, seed: int) -> Signal[Geometry]:
    """Return the signal, and use one thread from now on, so that parallel runs do not wait for each other."""
    torch.set_num_threads(1)
    return build(name, noise, seed)


def _budget(signal: Signal[Geometry]) -> planning.Budget:
    return planning.Budget(
        steps=STEPS, parameters=parameter_count(WIDTH, DEPTH, FEATURES, signal.values.shape[1])
    )


def _gaussian(signal: Signal[Geometry], bandwidth: tuple[float, ...], seed: int) -> Run:
    return _run(signal, EncodingKind.GAUSSIAN, bandwidth, seed)


def _build(signal: Signal[Geometry], kind: EncodingKind, bandwidth: tuple[float, ...], seed: int) -> nn.Field:
    config = ModelConfig(kind, bandwidth, width=WIDTH, depth=DEPTH, features=FEATURES)
    return build_field(signal, config, seed)


def _run(signal: Signal[Geometry], encoding: EncodingKind, bandwidth: tuple[float, ...], seed: int) -> Run:
    network = _build(signal, encoding, bandwidth, seed)
    return Run(signal, network, torch.optim.Adam(network.parameters(), RATE, fused=True))


def _field(
    signal: Signal[Geometry], encoding: nn.encodings.Encoding, body: Network, domain: tuple[float, float]
) -> nn.Field:
    places = signal.geometry
    frame = nn.CoordinateScaling.of(places.origin, places.extent, places.units, domain)
    return nn.Field(
        encoding, body, frame, nn.OutputScaling(signal.normalisation.offset, signal.normalisation.scale)
    )
