"""What follows from a record: pure functions of a Dataset, computed when asked, never stored.

They accept records of one run and those joined by `records.concat`; the extra dimensions are kept.
"""

from overtone.records.metrics._bands import (
    combine_channels,
    corner_bands,
    has_content,
    highest_learned,
    highest_learned_band,
    learned_fraction,
    learning_step,
    mean_bands,
    noise_onset,
    relative_error,
    spectral_bias_index,
    time_to_threshold,
    without_unmeasured,
)
from overtone.records.metrics._errors import (
    Evidence,
    Level,
    Stop,
    has_psnr,
    levels,
    network_step,
    psnr,
    smooth,
    stop,
    training_seconds,
    until_network,
)
from overtone.records.metrics._statistics import Exponent, exponent, mean_interval

__all__ = [
    "Evidence",
    "Exponent",
    "Level",
    "Stop",
    "combine_channels",
    "corner_bands",
    "exponent",
    "has_content",
    "has_psnr",
    "highest_learned",
    "highest_learned_band",
    "learned_fraction",
    "learning_step",
    "levels",
    "mean_bands",
    "mean_interval",
    "network_step",
    "noise_onset",
    "psnr",
    "relative_error",
    "smooth",
    "spectral_bias_index",
    "stop",
    "time_to_threshold",
    "training_seconds",
    "until_network",
    "without_unmeasured",
]
