"""Fit a network to a signal, record what it learns, and predict that before training."""

from overtone._config import FitConfig, ModelConfig, MonitorConfig, StoppingConfig, TrainingConfig
from overtone.fitting._fit import fit
from overtone.fitting._predict import Forecast, predict
from overtone.fitting._run import Run

__all__ = [
    "FitConfig",
    "Forecast",
    "ModelConfig",
    "MonitorConfig",
    "Run",
    "StoppingConfig",
    "TrainingConfig",
    "fit",
    "predict",
]
