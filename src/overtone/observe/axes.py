"""Which axis of a network's outputs holds the channels, found out from the network itself."""

from __future__ import annotations

from torch import Tensor

from overtone.observe.evaluate import Evaluator
from overtone.observe.samples import Batch


def find_channel_axis(evaluate: Evaluator, batch: Batch) -> int | None:
    """The one axis of the outputs whose length does not follow that of an axis of the inputs.

    A network over time or space takes shorter inputs along these axes and answers in proportion, and refuses fewer
    channels. The network is called with half of each axis in turn.

    Args:
        evaluate: Evaluates the network.
        batch: What it is given; one tensor (N, ...) of two axes or more beside the samples.

    Returns:
        The axis, samples being axis 0, or None if there is not exactly one such.
    """
    tensor = batch.tensors
    if not isinstance(tensor, Tensor) or tensor.ndim < 3 or evaluate.whole:
        return None
    some = tensor[:2]
    full = _outputs(evaluate, some)
    if full is None:
        return None
    follows: set[int] = set()
    for axis in range(1, some.ndim):
        short = (
            _outputs(evaluate, some.narrow(axis, 0, some.shape[axis] // 2)) if some.shape[axis] > 1 else None
        )
        if short is None:
            continue
        changed = {
            place for place, sizes in enumerate(zip(full, short, strict=False), 1) if len(set(sizes)) > 1
        }
        if len(short) != len(full) or len(changed) != 1 or changed & follows:
            return None
        follows |= changed
    others = set(range(1, len(full) + 1)) - follows
    return others.pop() if len(others) == 1 else None


def _outputs(evaluate: Evaluator, some: Tensor) -> tuple[int, ...] | None:
    """Shape of the outputs at one sample, None where the network refuses."""
    try:
        return tuple(evaluate(Batch(some)).shape[1:])
    except Exception:  # noqa: BLE001
        return None
