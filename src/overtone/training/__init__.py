"""The one plain loop that every network and signal goes through: optimizers, budgets, checkpoints, resume."""

from overtone.training.checkpoint import Checkpoint
from overtone.training.loop import Ending, Outcome, train
from overtone.training.options import Decay, Optimizer, Options, Precision

__all__ = ["Checkpoint", "Decay", "Ending", "Optimizer", "Options", "Outcome", "Precision", "train"]
