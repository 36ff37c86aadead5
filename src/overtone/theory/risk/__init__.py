"""Noise and risk: what training learns of the noise, when to stop, and what no smoother can avoid."""

from overtone.theory.risk.divergence import Estimate, divergence, stein_risk
from overtone.theory.risk.expected import Risk, expected
from overtone.theory.risk.filters import Filter, GradientDescent, GradientFlow, Ridge
from overtone.theory.risk.irreducible import Irreducible, excess_signal, irreducible
from overtone.theory.risk.path import Path, path, rank
from overtone.theory.risk.record import record
from overtone.theory.risk.stops import Stop, StopVerdict, gcv, gcv_stop, sure, sure_stop

__all__ = [
    "Estimate",
    "Filter",
    "GradientDescent",
    "GradientFlow",
    "Irreducible",
    "Path",
    "Ridge",
    "Risk",
    "Stop",
    "StopVerdict",
    "divergence",
    "excess_signal",
    "expected",
    "gcv",
    "gcv_stop",
    "irreducible",
    "path",
    "rank",
    "record",
    "stein_risk",
    "sure",
    "sure_stop",
]
