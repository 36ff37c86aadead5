"""Recommend encoding, bandwidth, size and stopping rule from a signal's own samples, before training."""

from overtone.planning._bandwidth import Recommendation, recommend_bandwidth
from overtone.planning._fresh import Fresh, fresh
from overtone.planning._grid_plan import choose
from overtone.planning._plan import Alternative, Plan
from overtone.planning._run_size import Budget
from overtone.planning._scan import Scan, measure_noise, scan

__all__ = [
    "Alternative",
    "Budget",
    "Fresh",
    "Plan",
    "Recommendation",
    "Scan",
    "choose",
    "fresh",
    "measure_noise",
    "recommend_bandwidth",
    "scan",
]
