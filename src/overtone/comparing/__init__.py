"""Candidates side by side on one signal: networks, kernel regression, and interpolation without training."""

from overtone.comparing._compare import compare
from overtone.comparing._comparison import Comparison

__all__ = ["Comparison", "compare"]
