"""Figures from records. A plot is a module with `data(record)`, tested without drawing, and `figure(...)`. No torch."""

from overtone.plots import _snapshots as reconstruction
from overtone.plots import (
    band_power,
    by_frequency,
    comparison,
    curve,
    heat_map,
    learning_order,
    learning_step,
    loss,
    picture,
    predicted,
    psnr,
    slices,
    spectra,
    spectrogram,
)

__all__ = [
    "band_power",
    "by_frequency",
    "comparison",
    "curve",
    "heat_map",
    "learning_order",
    "learning_step",
    "loss",
    "picture",
    "predicted",
    "psnr",
    "reconstruction",
    "slices",
    "spectra",
    "spectrogram",
]
