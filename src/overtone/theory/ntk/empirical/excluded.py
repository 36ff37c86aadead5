"""What was found not to hold for some of the samples."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Excluded:
    """Ways of taking gradients that some samples have ruled out.

    Attributes:
        idle: Names of parameters that some samples do have a gradient for.
        layers: Names of parameters whose layer's rule does not cover what the layer does for some samples.
        stand_ins: Whether modules must not be replaced by others.
        batches: Whether gradients of several samples at once are not to be had, or are not those of each alone.
    """

    idle: frozenset[str] = frozenset()
    layers: frozenset[str] = frozenset()
    stand_ins: bool = False
    batches: bool = False

    def __or__(self, other: Excluded) -> Excluded:
        """What either rules out."""
        return Excluded(
            self.idle | other.idle,
            self.layers | other.layers,
            self.stand_ins or other.stand_ins,
            self.batches or other.batches,
        )


class RevisionError(Exception):
    """Some samples rule out the way in which gradients are being taken."""

    def __init__(self, excluded: Excluded) -> None:
        super().__init__(excluded)
        self.excluded = excluded
