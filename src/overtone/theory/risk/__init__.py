"""Noise and risk: noise learned in training, stopping times, and a lower bound on the error of smoothers."""

from overtone.theory._mode_dynamics import GradientDescent, GradientFlow, Ridge
from overtone.theory.risk._divergence import degrees_of_freedom
from overtone.theory.risk._expected import expected_record, expected_risk
from overtone.theory.risk._learning_curve import learning_curve
from overtone.theory.risk._stopping import SmoothingPath, StopVerdict
from overtone.theory.risk._wiener_bound import WienerBound

__all__ = [
    "GradientDescent",
    "GradientFlow",
    "Ridge",
    "SmoothingPath",
    "StopVerdict",
    "WienerBound",
    "degrees_of_freedom",
    "expected_record",
    "expected_risk",
    "learning_curve",
]
