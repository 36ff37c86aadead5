"""What a controller does to a network in training."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import final


class Move(Enum):
    """What a controller has just done, or asks for."""

    NOTHING = "nothing"
    WIDEN = "reach further"
    SLOW = "lower the learning rate"
    STOP = "stop"


@final
@dataclass(frozen=True)
class Action:
    """What a controller did at a step.

    Attributes:
        move: What.
        bandwidth: The reach per axis from here on, in cycles per physical unit.
        reason: Why, in a sentence; empty for nothing.
    """

    move: Move
    bandwidth: tuple[float, ...]
    reason: str = ""

    @property
    def stop(self) -> bool:
        """Whether to leave the loop; the network is then back at its best step."""
        return self.move is Move.STOP
