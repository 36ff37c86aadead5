"""Spectra of generated pictures, compared with those of data."""

from overtone.spectra.generated._distance import by_size as by_size
from overtone.spectra.generated._distance import by_step as by_step
from overtone.spectra.generated._distance import distance as distance
from overtone.spectra.generated._profiles import Resize as Resize
from overtone.spectra.generated._profiles import profiles as profiles
