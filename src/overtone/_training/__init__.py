"""The training loop of all fits: optimizers, budgets, checkpoints, resume."""

from overtone._config import Decay, Optimizer, Precision, TrainingConfig
from overtone._training._checkpoint import Checkpoint
from overtone._training._loop import Ending, Outcome, make_optimizer, train

__all__ = [
    "Checkpoint",
    "Decay",
    "Ending",
    "Optimizer",
    "Outcome",
    "Precision",
    "TrainingConfig",
    "make_optimizer",
    "train",
]
