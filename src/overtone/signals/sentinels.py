"""Numbers that files use to say "missing", told where they stand far from all other values."""

from __future__ import annotations

import torch
from torch import Tensor

_MARKS = (
    *(-9.0, -99.0, -999.0, -9999.0, -99999.0, -999999.0, -99.9, -999.9, -9999.9, -99.99, -999.99, -9999.99),
    *(
        -7777.0,
        -8888.0,
        -6999.0,
        99.0,
        999.0,
        9999.0,
        99999.0,
        999999.0,
        99.99,
        999.9,
        999.99,
        9999.9,
        9999.99,
    ),
    *(-32768.0, 32767.0, 65535.0, -2147483648.0, 2147483647.0, -9223372036854775808.0),
    *(1e15, 1e20, 1e30, 1e31, 1e35, 1e36, 1e37, 1e38, -1e20, -1e30, -1e31, -1e34),
    *(9.969209968386869e36, -3.4028234663852886e38, 3.4028234663852886e38, -1.7976931348623157e308),
)
_NEAR, _APART = 1e-6, 0.5


def sentinel_notes(values: Tensor, low: Tensor, high: Tensor, channels: tuple[str, ...]) -> tuple[str, ...]:
    """A sentence for each channel whose least or largest value looks like a mark of missing ones.

    It does if it is one of the numbers in use for that (-999, -9999, 1e20, the least 16-bit integer ...) and lies
    further from the nearest other value than half the range of the others.

    Args:
        values: (N, C) finite samples.
        low: (C,) least value per channel.
        high: (C,) largest value per channel.
        channels: Names for the sentence.
    """
    told = []
    for channel, name in enumerate(channels):
        for end in (float(low[channel]), float(high[channel])):
            if not any(abs(end - mark) <= _NEAR * abs(mark) for mark in _MARKS):
                continue
            column = values[:, channel]
            others = column[column != end]
            if not others.numel():
                continue
            least, most = (float(v) for v in torch.aminmax(others))
            if min(abs(end - least), abs(end - most)) <= _APART * (most - least):
                continue
            count = column.numel() - others.numel()
            told.append(
                f"{name} holds {end:g} in {count} of {column.numel()} samples, far from all others: if that marks "
                "missing values, fill them or cut them out first"
            )
    return tuple(told)
