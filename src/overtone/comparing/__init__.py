"""Candidates side by side on one signal: networks, their kernel twin, and what can be had without any."""

from overtone.comparing.compare import compare
from overtone.comparing.comparison import Comparison
from overtone.comparing.score import Margin, Score

__all__ = ["Comparison", "Margin", "Score", "compare"]
