"""The training loop of all fits: optimizers, budgets, checkpoints, resume."""

from overtone._config import Decay, Optimizer, Precision, TrainingConfig
from overtone._training._checkpoint import Checkpoint
from overtone._training._loop import Ending, Outcome, make_optimizer, train
from overtone._training._weight_average import WeightAverage

__all__ = [
    "Checkpoint",
    "Decay",
    "Ending",
    "Optimizer",
    "Outcome",
    "Precision",
    "TrainingConfig",
    "WeightAverage",
    "make_optimizer",
    "train",
]
