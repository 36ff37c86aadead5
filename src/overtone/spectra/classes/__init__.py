"""Labels of classes as the target of a spectrum, and noise of a chosen frequency in them."""

from overtone.spectra.classes.cross_entropy import CentredLogits as CentredLogits
from overtone.spectra.classes.cross_entropy import Probabilities as Probabilities
from overtone.spectra.classes.flips import NoisyLabels as NoisyLabels
from overtone.spectra.classes.flips import flip_along as flip_along
from overtone.spectra.classes.flips import flip_at_random as flip_at_random
from overtone.spectra.classes.target import OneHot as OneHot
from overtone.spectra.classes.target import Target as Target
from overtone.spectra.classes.waves import PlaneWave as PlaneWave
from overtone.spectra.classes.waves import RadialWave as RadialWave
from overtone.spectra.classes.waves import Wave as Wave
from overtone.spectra.classes.weights import ClassWeights as ClassWeights
