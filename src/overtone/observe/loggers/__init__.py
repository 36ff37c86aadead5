"""Experiment trackers that get every row of a probe: scalars and a picture of the learning order."""

from overtone.observe.loggers.logger import Logger as Logger
from overtone.observe.loggers.tensorboard import TensorBoard as TensorBoard
from overtone.observe.loggers.wandb import WandB as WandB
