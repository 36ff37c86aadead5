"""Which samples a read-out is fitted to, and which it is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone._utils.seeding import generator
from overtone.errors import InputError


@final
@dataclass(frozen=True)
class Folds:
    """Blocks of neighbouring rows dealt to folds at random; each fold is predicted from all others.

    Attributes:
        count: Number of folds.
        block: Rows that stay together: 1 asks for values between known neighbours, the length of a sequence or of a
            picture's row for values farther off.
        seed: Seed of the deal.
    """

    count: int = 5
    block: int = 1
    seed: int = 0

    def members(self, rows: int) -> Tensor:
        """(rows,) int64 fold of each row.

        Args:
            rows: Number of samples.

        Raises:
            InputError: If there are fewer blocks than folds, or fewer than 2 folds.
        """
        if self.count < 2 or self.block < 1:
            raise InputError(
                "at least 2 folds of blocks of at least 1 row",
                f"{self.count} of {self.block}",
                "pass more",
                "folds",
            )
        blocks = -(-rows // self.block)
        if blocks < self.count:
            raise InputError(
                f"at least {self.count * self.block} samples for {self.count} folds",
                f"{rows}",
                "pass more samples, fewer folds or shorter blocks",
                "folds",
            )
        deal = torch.from_numpy(generator(self.seed, "layers", "folds").permutation(blocks) % self.count)
        return deal.repeat_interleave(self.block)[:rows]
