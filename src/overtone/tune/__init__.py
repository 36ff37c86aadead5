"""Choose before training, adapt and stop during it: what a signal's own samples recommend."""

from overtone.tune import stop
from overtone.tune.action import Action, Move
from overtone.tune.aliasing import aliasing
from overtone.tune.bandwidth import Recommendation, recommend_bandwidth
from overtone.tune.budget import Budget
from overtone.tune.choose import choose
from overtone.tune.controller import Controller
from overtone.tune.expectation import Expected
from overtone.tune.family import Family
from overtone.tune.fresh import Fresh, fresh
from overtone.tune.plan import Alternative, Plan
from overtone.tune.scan import Scan, measure_noise, scan

__all__ = [
    "Action",
    "Alternative",
    "Budget",
    "Controller",
    "Expected",
    "Family",
    "Fresh",
    "Move",
    "Plan",
    "Recommendation",
    "Scan",
    "aliasing",
    "choose",
    "fresh",
    "measure_noise",
    "recommend_bandwidth",
    "scan",
    "stop",
]
