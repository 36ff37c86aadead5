"""Noise and risk: what training learns of the noise, when to stop, and the error that no smoother can avoid."""

from overtone.theory._mode_dynamics import GradientDescent, GradientFlow, Ridge
from overtone.theory.risk._divergence import degrees_of_freedom, stein_risk
from overtone.theory.risk._expected import (
    WienerBound,
    excess_signal,
    expected_record,
    expected_risk,
    irreducible,
)
from overtone.theory.risk._learning_curve import SampleCurve, learning_curve
from overtone.theory.risk._stopping import (
    SmoothingPath,
    StopVerdict,
    gcv,
    gcv_stop,
    path,
    rank,
    sure,
    sure_stop,
)

__all__ = [
    "GradientDescent",
    "GradientFlow",
    "Ridge",
    "SampleCurve",
    "SmoothingPath",
    "StopVerdict",
    "WienerBound",
    "degrees_of_freedom",
    "excess_signal",
    "expected_record",
    "expected_risk",
    "gcv",
    "gcv_stop",
    "irreducible",
    "learning_curve",
    "path",
    "rank",
    "stein_risk",
    "sure",
    "sure_stop",
]
