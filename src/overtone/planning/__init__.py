"""Recommend encoding, bandwidth, size and stopping rule from a signal's own samples, before training."""

from overtone.planning._bandwidth import recommend_bandwidth
from overtone.planning._fresh import fresh
from overtone.planning._grid_plan import plan
from overtone.planning._plan import Plan
from overtone.planning._reasons import ReasonCode
from overtone.planning._run_size import Budget
from overtone.planning._scan import measure_noise, scan

__all__ = [
    "Budget",
    "Plan",
    "ReasonCode",
    "fresh",
    "measure_noise",
    "plan",
    "recommend_bandwidth",
    "scan",
]
