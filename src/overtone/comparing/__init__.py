"""Candidates side by side on one signal: networks, their kernel twin, and what can be had without any."""

from overtone.comparing._compare import compare
from overtone.comparing._comparison import Comparison
from overtone.comparing._statistics import Margin, Score

__all__ = ["Comparison", "Margin", "Score", "compare"]
