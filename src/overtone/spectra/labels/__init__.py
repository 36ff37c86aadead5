"""Labels of classes as the target of a spectrum, and noise of a chosen frequency in them."""

from overtone.spectra.labels.cross_entropy import CentredLogits as CentredLogits
from overtone.spectra.labels.cross_entropy import Probabilities as Probabilities
from overtone.spectra.labels.flips import NoisyLabels as NoisyLabels
from overtone.spectra.labels.flips import flip_along as flip_along
from overtone.spectra.labels.flips import flip_at_random as flip_at_random
from overtone.spectra.labels.target import OneHot as OneHot
from overtone.spectra.labels.target import Target as Target
from overtone.spectra.labels.waves import PlaneWave as PlaneWave
from overtone.spectra.labels.waves import RadialWave as RadialWave
from overtone.spectra.labels.waves import Wave as Wave
from overtone.spectra.labels.weights import ClassWeights as ClassWeights
