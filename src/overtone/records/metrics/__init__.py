"""What follows from a record: pure functions of a Dataset, computed when asked, never stored.

They accept records of one run and those joined by `records.concat`; the extra dimensions are kept.
"""

from overtone.records.metrics.bias import spectral_bias_index
from overtone.records.metrics.content import combine_channels, corner_bands, has_content, mean_bands
from overtone.records.metrics.law import Exponent, exponent
from overtone.records.metrics.learning import learning_step, time_to_threshold
from overtone.records.metrics.measured import without_unmeasured
from overtone.records.metrics.network import (
    Level,
    has_psnr,
    levels,
    network_step,
    training_seconds,
    until_network,
)
from overtone.records.metrics.noise import noise_onset
from overtone.records.metrics.quality import psnr
from overtone.records.metrics.ratios import learned_fraction, relative_error
from overtone.records.metrics.reach import highest_learned, highest_learned_band
from overtone.records.metrics.spread import mean_interval
from overtone.records.metrics.stopping import Evidence, Stop, smooth, stop

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
