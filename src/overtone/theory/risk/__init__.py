"""Noise and risk: what training learns of the noise, when to stop, and what no smoother can avoid."""

from overtone.theory._mode_dynamics import GradientDescent, GradientFlow, Ridge, SpectralFilter
from overtone.theory.risk._divergence import Estimate, degrees_of_freedom, stein_risk
from overtone.theory.risk._expected import (
    Risk,
    WienerBound,
    excess_signal,
    expected_record,
    expected_risk,
    irreducible,
)
from overtone.theory.risk._stopping import (
    SmoothingPath,
    Stop,
    StopVerdict,
    gcv,
    gcv_stop,
    path,
    rank,
    sure,
    sure_stop,
)

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
