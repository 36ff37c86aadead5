"""Labels of classes as the target of a spectrum, and noise of a chosen frequency in them."""

from overtone.spectra.classes._label_noise import NoisyLabels as NoisyLabels
from overtone.spectra.classes._label_noise import PlaneWave as PlaneWave
from overtone.spectra.classes._label_noise import RadialWave as RadialWave
from overtone.spectra.classes._label_noise import Wave as Wave
from overtone.spectra.classes._label_noise import flip_along as flip_along
from overtone.spectra.classes._label_noise import flip_at_random as flip_at_random
from overtone.spectra.classes._targets import CentredLogits as CentredLogits
from overtone.spectra.classes._targets import ClassWeights as ClassWeights
from overtone.spectra.classes._targets import OneHot as OneHot
from overtone.spectra.classes._targets import Probabilities as Probabilities
from overtone.spectra.classes._targets import Target as Target
