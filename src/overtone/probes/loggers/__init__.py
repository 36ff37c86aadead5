"""Experiment trackers that receive every row of a probe: scalars and a picture of the learning order."""

from overtone.probes.loggers._loggers import TensorBoard as TensorBoard
from overtone.probes.loggers._loggers import WandB as WandB
