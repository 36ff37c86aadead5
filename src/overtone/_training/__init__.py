"""The one plain loop that every network and signal goes through: optimizers, budgets, checkpoints, resume."""

from overtone._training.checkpoint import Checkpoint
from overtone._training.loop import Ending, Outcome, train
from overtone._training.options import Decay, Optimizer, Options, Precision

__all__ = ["Checkpoint", "Decay", "Ending", "Optimizer", "Options", "Outcome", "Precision", "train"]
