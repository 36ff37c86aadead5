"""Short training runs that compare encodings."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from overtone._training import Options, train
from overtone.planning.family import Family
from overtone.planning.size import field
from overtone.signals import Points, Signal

STEPS, WIDTH, BATCH, RATE = 300, 64, 512, 4e-3
"""Of the runs."""

LOOK = 20
"""Steps between two looks at the held-out samples."""


def trials(
    signal: Signal[Points],
    families: Sequence[Family],
    bandwidth: tuple[float, ...],
    seed: int,
    device: torch.device | str,
) -> dict[Family, float]:
    """Train a small network with each encoding for 300 steps.

    Args:
        signal: With samples held out.
        families: The encodings.
        bandwidth: Their reach per axis, in cycles per unit.
        seed: Seeds the networks and the batches.
        device: Where they are trained.

    Returns:
        The least mean squared held-out error of each, in value units squared.
    """
    held = signal.held_out_index
    truth = signal.values[held].double().cpu()
    found = {}
    for family in families:
        network = field(signal, family, bandwidth, WIDTH, 2, WIDTH, seed).to(device)
        options = Options(STEPS, batch=BATCH, lr=RATE, compile=False, seed=seed)
        least = [math.inf]

        def look(*_: object, network=network, least=least) -> None:  # type: ignore[no-untyped-def]
            with torch.no_grad():
                got = network(signal.geometry.coords(held).to(device)).double().cpu()
            least[0] = min(least[0], float((got - truth).square().mean()))

        train(network, signal, options, look, wants=lambda step: step % LOOK == 0)
        found[family] = least[0]
    return found
