"""Means with an interval: of paths and pictures by the bootstrap, of error rates by Wilson's formula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from scipy import stats
from torch import Tensor

from overtone._utils.seeding import generator
from overtone.errors import InputError

_COLUMNS = 1 << 10


@final
@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its interval, each a float64 tensor of the same shape.

    Attributes:
        mean: The estimate.
        low: Lower end.
        high: Upper end.
    """

    mean: Tensor
    low: Tensor
    high: Tensor


def bootstrap(values: Tensor, level: float = 0.95, draws: int = 1000, seed: int = 0) -> Interval:
    """Mean over the first axis with its percentile bootstrap interval (Efron, Tibshirani 1993, chapter 13).

    The rows are drawn with replacement `draws` times; the ends are the quantiles of the means of these draws. Assumes
    that rows are independent draws of what is asked about. With few rows the interval is too narrow, by about
    1 / (2 N) of its width and by Student's factor.

    Args:
        values: (N, ...) one row a path or picture, at least two.
        level: Probability that the interval is to hold the mean, in (0, 1).
        draws: How many times.
        seed: Seed of the draws.

    Returns:
        Tensors of shape (...).

    Raises:
        InputError: If there are fewer than two rows or the level is not in (0, 1).
    """
    check_level(level)
    if len(values) < 2:
        raise InputError(
            "at least two rows to tell how far they differ", f"{len(values)}", "pass more", "interval"
        )
    if draws < 2:
        raise InputError("at least two draws", f"{draws}", "pass for instance 1000", "draws")
    flat = values.double().reshape(len(values), -1)
    counts = generator(seed, "bootstrap").multinomial(len(flat), [1 / len(flat)] * len(flat), size=draws)
    weights = torch.from_numpy(counts).to(flat) / len(flat)
    ends = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64, device="cpu").to(flat)
    low, high = torch.cat([(weights @ some).quantile(ends, dim=0) for some in flat.split(_COLUMNS, 1)], 1)
    shape = values.shape[1:]
    return Interval(flat.mean(0).reshape(shape), low.reshape(shape), high.reshape(shape))


def wilson(rate: Tensor, trials: Tensor, level: float = 0.95) -> Interval:
    """A rate with its score interval (Wilson 1927, J. Am. Stat. Assoc. 22).

    With z the normal quantile, the ends are (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n). They
    stay within [0, 1], and rates of 0 and 1 have an interval too. Trials have to be independent.

    Args:
        rate: Share of the trials, in [0, 1]; NaN where there were none.
        trials: How many; need not be whole.
        level: Probability that the interval is to hold the rate, in (0, 1).

    Returns:
        Float64 tensors of the rate's shape; [0, 1] where there were no trials.

    Raises:
        InputError: If the level is not in (0, 1).
    """
    check_level(level)
    p, n = rate.double(), trials.double()
    z = float(stats.norm.ppf(0.5 + level / 2))
    middle = p + z * z / (2 * n)
    reach = z * (p * (1 - p) / n + (z / (2 * n)).square()).sqrt()
    scale = 1 + z * z / n
    low, high = (middle - reach) / scale, (middle + reach) / scale
    known = n > 0
    return Interval(
        p,
        torch.where(known, low.clamp(0, 1), 0.0).double(),
        torch.where(known, high.clamp(0, 1), 1.0).double(),
    )


def check_level(level: float) -> None:
    """Refuse a level outside (0, 1).

    Raises:
        InputError: If it is.
    """
    if not 0 < level < 1:
        raise InputError("a level in (0, 1)", f"{level}", "pass for instance 0.95", "level")
