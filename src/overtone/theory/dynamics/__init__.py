"""Learning curves in time: what training will do to a network, from its tangent kernel and its own initial output."""

from overtone.theory.dynamics.growth import Growth, Kernels
from overtone.theory.dynamics.leaps import Leaps
from overtone.theory.dynamics.linear import Linearised, Moment, propagate
from overtone.theory.dynamics.minibatch import Spread, spread
from overtone.theory.dynamics.optimizer import rate_of, rule_of
from overtone.theory.dynamics.pilot import Pilot
from overtone.theory.dynamics.preconditioned import push, tangent_kernel
from overtone.theory.dynamics.prediction import LARGEST, Prediction, predict, silent
from overtone.theory.dynamics.record import Ledger
from overtone.theory.dynamics.rules import Descent, Flow, Rule, State
from overtone.theory.dynamics.separable import separable_kernel
from overtone.theory.dynamics.steps import log_steps

__all__ = [
    "LARGEST",
    "Descent",
    "Flow",
    "Growth",
    "Kernels",
    "Leaps",
    "Ledger",
    "Linearised",
    "Moment",
    "Pilot",
    "Prediction",
    "Rule",
    "Spread",
    "State",
    "log_steps",
    "predict",
    "propagate",
    "push",
    "rate_of",
    "rule_of",
    "separable_kernel",
    "silent",
    "spread",
    "tangent_kernel",
]
