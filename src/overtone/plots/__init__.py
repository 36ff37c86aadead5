"""Figures from records. A plot is a module with `data(record)`, tested without drawing, and `figure(...)`. No torch."""

from overtone.plots import (
    comparison,
    curve,
    learning_order,
    learning_step,
    loss,
    picture,
    psnr,
    reconstruction,
    slices,
    spectra,
    spectrogram,
)

__all__ = [
    "comparison",
    "curve",
    "learning_order",
    "learning_step",
    "loss",
    "picture",
    "psnr",
    "reconstruction",
    "slices",
    "spectra",
    "spectrogram",
]
