"""Recommend encoding, bandwidth, size and stopping rule from a signal's own samples, before training."""

from overtone.planning.aliasing import aliasing
from overtone.planning.bandwidth import Recommendation, recommend_bandwidth
from overtone.planning.budget import Budget
from overtone.planning.choose import choose
from overtone.planning.expectation import Expected
from overtone.planning.family import Family
from overtone.planning.fresh import Fresh, fresh
from overtone.planning.plan import Alternative, Plan
from overtone.planning.scan import Scan, measure_noise, scan

__all__ = [
    "Alternative",
    "Budget",
    "Expected",
    "Family",
    "Fresh",
    "Plan",
    "Recommendation",
    "Scan",
    "aliasing",
    "choose",
    "fresh",
    "measure_noise",
    "recommend_bandwidth",
    "scan",
]
