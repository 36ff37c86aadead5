"""Samples of generators: their radial power profile against that of data, and how far apart the two are."""

from overtone.spectra.generated.course import Course as Course
from overtone.spectra.generated.course import by_size as by_size
from overtone.spectra.generated.course import by_step as by_step
from overtone.spectra.generated.distance import Distance as Distance
from overtone.spectra.generated.distance import distance as distance
from overtone.spectra.generated.profile import Profiles as Profiles
from overtone.spectra.generated.profile import profiles as profiles
from overtone.spectra.generated.resize import Area as Area
from overtone.spectra.generated.resize import Bicubic as Bicubic
from overtone.spectra.generated.resize import Keep as Keep
from overtone.spectra.generated.resize import Resize as Resize
