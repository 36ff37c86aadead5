"""Metrics of a record: pure functions of a Dataset, computed on demand, never stored.

They accept records of one run and those joined by `records.concat`; the extra dimensions are kept.
"""

from overtone.records.metrics._bands import (
    combine_channels,
    highest_learned,
    learned_fraction,
    learning_step,
    noise_onset,
    relative_error,
    spectral_bias_index,
    time_to_threshold,
)
from overtone.records.metrics._errors import levels, network_step, psnr, stop, training_seconds, until_network
from overtone.records.metrics._statistics import exponent, mean_interval

__all__ = [
    "combine_channels",
    "exponent",
    "highest_learned",
    "learned_fraction",
    "learning_step",
    "levels",
    "mean_interval",
    "network_step",
    "noise_onset",
    "psnr",
    "relative_error",
    "spectral_bias_index",
    "stop",
    "time_to_threshold",
    "training_seconds",
    "until_network",
]
