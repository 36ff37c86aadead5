"""The one plain loop that every network and signal goes through: optimizers, budgets, checkpoints, resume."""

from overtone._config._training import Decay, Optimizer, Precision, TrainingConfig
from overtone._training.checkpoint import Checkpoint
from overtone._training.loop import Ending, Outcome, train

__all__ = ["Checkpoint", "Decay", "Ending", "Optimizer", "TrainingConfig", "Outcome", "Precision", "train"]
