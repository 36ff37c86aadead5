"""Spectra of a function along paths through its inputs."""

from overtone.spectra.paths._paths import Paths as Paths
from overtone.spectra.paths._paths import PathUnit as PathUnit
from overtone.spectra.paths._spectrum import path_spectrum as path_spectrum
