"""Which axes of a network's outputs are time or place, found out from the network itself."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from overtone.probes.evaluate import Evaluator
from overtone.probes.samples import Batch, change_each, leaves


def following_axes(evaluate: Evaluator, batch: Batch) -> frozenset[int] | None:
    """The axes of the outputs whose length follows that of an axis of the inputs.

    A network over time or space takes shorter inputs along these axes and answers in proportion, and refuses fewer
    channels. The network is called with half of each axis in turn; of several tensors, with half of the first axis
    after the samples, if they share it.

    Args:
        evaluate: Evaluates the network.
        batch: What it is given.

    Returns:
        Axes, samples being axis 0, or None if the network does not tell: one axis changes several, or two change one.
    """
    if evaluate.whole:
        return None
    some = batch.at(torch.arange(min(2, batch.count), device="cpu")).tensors
    full = _outputs(evaluate, some)
    if full is None:
        return None
    follows: set[int] = set()
    for axis in _axes(some):
        short = _outputs(evaluate, change_each(some, functools.partial(_halved, axis=axis)))
        if short is None:
            continue
        changed = {
            place for place, sizes in enumerate(zip(full, short, strict=False), 1) if len(set(sizes)) > 1
        }
        if len(short) != len(full) or len(changed) > 1 or changed & follows:
            return None
        follows |= changed
    return frozenset(follows)


def _axes(some: Any) -> list[int]:
    """Axes of the inputs that can be cut."""
    if isinstance(some, Tensor):
        return [axis for axis in range(1, some.ndim) if some.shape[axis] > 1]
    sizes = {leaf.shape[1] if leaf.ndim > 1 else 0 for _, leaf in leaves(some, "inputs")}
    return [1] if len(sizes) == 1 and sizes.pop() > 1 else []


def _halved(leaf: Tensor, axis: int) -> Tensor:
    return leaf.narrow(axis, 0, leaf.shape[axis] // 2)


def _outputs(evaluate: Evaluator, some: Any) -> tuple[int, ...] | None:
    """Shape of the outputs at one sample, None where the network refuses."""
    try:
        return tuple(evaluate(Batch(some)).shape[1:])
    except Exception:  # noqa: BLE001
        return None
