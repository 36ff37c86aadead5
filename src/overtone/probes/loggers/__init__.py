"""Experiment trackers that get every row of a probe: scalars and a picture of the learning order."""

from overtone.probes.loggers.logger import Logger as Logger
from overtone.probes.loggers.tensorboard import TensorBoard as TensorBoard
from overtone.probes.loggers.wandb import WandB as WandB
