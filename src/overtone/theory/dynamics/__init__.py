"""Learning curves in time: the course of a training run, predicted from the tangent kernel of the network."""

from overtone.theory.dynamics._agreement import Agreement
from overtone.theory.dynamics._linearised import Linearised
from overtone.theory.dynamics._pilot_run import PilotRun
from overtone.theory.dynamics._predict import Prediction, PredictionOptions, predict

__all__ = [
    "Agreement",
    "Linearised",
    "PilotRun",
    "Prediction",
    "PredictionOptions",
    "predict",
]
