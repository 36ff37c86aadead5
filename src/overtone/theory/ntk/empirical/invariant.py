"""The invariant by which gradients are checked: their sum over samples with random weights, in groups of samples."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

FEW = 32
"""Samples up to which each is a group of its own, so that nothing is left to chance."""

LEAST = 4
"""Groups of more samples at least: two samples that affect each other are seldom in the same one."""

GROUP = 256
"""Samples of a group at most: few enough that one wrong sample stands out from rounding."""

FEW_DIGITS = 8
"""The same of outputs in half precision."""

ALONE = 8
"""Of more than `FEW` samples, those whose outputs are also compared with what each gives alone."""

ROUNDING = 64
"""Units in the last place of all gradients together, below which a parameter's gradient is not told from zero."""


def groups(samples: int, dtype: torch.dtype, total: int) -> list[slice]:
    """Groups of some samples of many; small ones where there are few digits.

    Args:
        samples: How many are grouped.
        dtype: Precision of the outputs.
        total: How many samples there are altogether.
    """
    most = 1 if total <= FEW else min(GROUP, -(-total // LEAST))
    count = -(-samples // (most if torch.finfo(dtype).bits >= 32 else min(most, FEW_DIGITS)))
    if samples > 1:
        count = max(count, 2)
    bounds = [samples * i // count for i in range(count + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(bounds)]


def lonely(samples: int, total: int) -> list[int]:
    """Samples to be called alone, spread over some samples of many; none where every group is a single one."""
    count = min(samples, -(-ALONE * samples // total)) if total > FEW else 0
    return [samples * (2 * i + 1) // (2 * count) for i in range(count)]


def weights(samples: int, like: Tensor, draws: torch.Generator) -> Tensor:
    """(n, C) numbers of random size and sign, none of them small, so that no sample is overlooked.

    Args:
        samples: n.
        like: (N, C) outputs.
        draws: Where they come from.
    """
    sizes, signs = torch.rand(2, samples, like.shape[1], generator=draws, device="cpu")
    return ((0.5 + sizes) * torch.where(signs < 0.5, -1.0, 1.0)).to(like)


def close(dtype: torch.dtype) -> float:
    """The relative distance of two sums that counts as rounding.

    Half the digits, which leaves room for single samples that fall to the other side of a kink; of half precision,
    which has too few for that, 16 units in the last place.
    """
    eps = float(torch.finfo(dtype).eps)
    return 4 * eps**0.5 if torch.finfo(dtype).bits >= 32 else 16 * eps


def floor(dtype: torch.dtype) -> float:
    """The same for gradients that vanish beside others, relative to all of them together."""
    return ROUNDING * float(torch.finfo(dtype).eps)
