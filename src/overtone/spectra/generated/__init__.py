"""Samples of generators: their radial power profile against that of data, and how far apart the two are."""

from overtone.spectra.generated._distance import Course as Course
from overtone.spectra.generated._distance import Distance as Distance
from overtone.spectra.generated._distance import by_size as by_size
from overtone.spectra.generated._distance import by_step as by_step
from overtone.spectra.generated._distance import distance as distance
from overtone.spectra.generated._profiles import Area as Area
from overtone.spectra.generated._profiles import Bicubic as Bicubic
from overtone.spectra.generated._profiles import Keep as Keep
from overtone.spectra.generated._profiles import Profiles as Profiles
from overtone.spectra.generated._profiles import Resize as Resize
from overtone.spectra.generated._profiles import profiles as profiles
