"""Targets of classifiers, and label noise of a known frequency."""

from overtone.spectra.classes._label_noise import NoisyLabels as NoisyLabels
from overtone.spectra.classes._label_noise import Wave as Wave
from overtone.spectra.classes._targets import ClassTarget as ClassTarget
from overtone.spectra.classes._targets import ClassWeights as ClassWeights
