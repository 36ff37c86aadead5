"""What a classifier of pictures is sensitive to, by spatial frequency."""

from overtone.spectra.sensitivity._classifier import AsIs as AsIs
from overtone.spectra.sensitivity._classifier import Normalise as Normalise
from overtone.spectra.sensitivity._classifier import Standardise as Standardise
from overtone.spectra.sensitivity._filtered import FilteredAccuracy as FilteredAccuracy
from overtone.spectra.sensitivity._filtered import filtered_accuracy as filtered_accuracy
from overtone.spectra.sensitivity._filtered import low_pass as low_pass
from overtone.spectra.sensitivity._gradient import GradientSpectrum as GradientSpectrum
from overtone.spectra.sensitivity._gradient import LogitGradient as LogitGradient
from overtone.spectra.sensitivity._gradient import LossGradient as LossGradient
from overtone.spectra.sensitivity._gradient import RadialPower as RadialPower
from overtone.spectra.sensitivity._gradient import gradient_spectrum as gradient_spectrum
from overtone.spectra.sensitivity._heat_map import HeatMap as HeatMap
from overtone.spectra.sensitivity._heat_map import RadialError as RadialError
from overtone.spectra.sensitivity._heat_map import Waves as Waves
from overtone.spectra.sensitivity._heat_map import drawn_from as drawn_from
from overtone.spectra.sensitivity._heat_map import heat_map as heat_map
