"""Samples of generators: their radial power profile against that of data, and how far apart the two are."""

from overtone.spectra.samples.course import Course as Course
from overtone.spectra.samples.course import by_size as by_size
from overtone.spectra.samples.course import by_step as by_step
from overtone.spectra.samples.distance import Distance as Distance
from overtone.spectra.samples.distance import distance as distance
from overtone.spectra.samples.profile import Profiles as Profiles
from overtone.spectra.samples.profile import profiles as profiles
from overtone.spectra.samples.resize import Area as Area
from overtone.spectra.samples.resize import Bicubic as Bicubic
from overtone.spectra.samples.resize import Keep as Keep
from overtone.spectra.samples.resize import Resize as Resize
