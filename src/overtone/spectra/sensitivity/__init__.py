"""Sensitivity of an image classifier to spatial frequencies."""

from overtone.spectra.sensitivity._classifier import InputNormalisation as InputNormalisation
from overtone.spectra.sensitivity._filtered import filtered_accuracy as filtered_accuracy
from overtone.spectra.sensitivity._filtered import low_pass as low_pass
from overtone.spectra.sensitivity._gradient import ScoreGradient as ScoreGradient
from overtone.spectra.sensitivity._gradient import gradient_spectrum as gradient_spectrum
from overtone.spectra.sensitivity._heat_map import heat_map as heat_map
