"""The main job: fit a network to a signal, watch it, and report what it learned."""

from overtone.fitting._fit import fit
from overtone.fitting._run import Run

__all__ = ["Run", "fit"]
