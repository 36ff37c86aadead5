"""Learning curves in time: what training will do to a network, from its tangent kernel and its own initial output."""

from overtone.theory._mode_dynamics import Descent, Flow, ModeState, OptimizerDynamics
from overtone.theory.dynamics._linearised import KernelGrowth, KernelHistory, Linearised, Snapshot, propagate
from overtone.theory.dynamics._minibatch import MinibatchScatter, minibatch_scatter
from overtone.theory.dynamics._optimizers import effective_rate, optimizer_dynamics
from overtone.theory.dynamics._pilot_run import PilotRun
from overtone.theory.dynamics._preconditioned import output_change, separable_kernel, tangent_kernel
from overtone.theory.dynamics._predict import LARGEST, Prediction, predict, silent
from overtone.theory.dynamics._problem import RecordBuilder
from overtone.theory.dynamics._relinearisation import Relinearisation
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
