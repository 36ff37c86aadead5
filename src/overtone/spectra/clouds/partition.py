"""Groups of rows that lie close to each other, by halving along a line through two of them."""

from __future__ import annotations

import torch
from torch import Tensor

from overtone._utils.seeding import generator

_SKETCH = 16


def leaves(coords: Tensor, largest: int, seed: int) -> list[Tensor]:
    """Rows in groups of at most `largest`: each group is halved at the median of its rows' projections.

    A projection is on the line from the row farthest from a random row to the row farthest from that, which
    takes two passes and lies along a group's long side. Beyond 16 features all this is done on 16 random
    projections of the rows, which keep distances to about a third and so keep close rows together.

    Args:
        coords: (N, d).
        largest: Most rows in a group.
        seed: Seed of the random rows.

    Returns:
        (n,) int64 indices per group; every row is in one.
    """
    source = generator(seed, "cloud", "tree")
    if coords.shape[1] > _SKETCH:
        coords = coords @ torch.from_numpy(source.normal(size=(coords.shape[1], _SKETCH))).to(coords)
    waiting = [torch.arange(len(coords), device=coords.device)]
    done = []
    while waiting:
        group = waiting.pop()
        if len(group) <= largest:
            done.append(group)
            continue
        rows = coords[group]
        start = rows[int(source.integers(len(group)))]
        one = rows[(rows - start).square().sum(1).argmax()]
        two = rows[(rows - one).square().sum(1).argmax()]
        order = (rows @ (two - one)).argsort(stable=True)
        half = len(group) // 2
        waiting += [group[order[:half]], group[order[half:]]]
    return done
