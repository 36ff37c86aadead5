"""Spectra of a function's outputs along paths through its inputs: a straight cut through any number of dimensions."""

from overtone.spectra.paths._paths import Paths as Paths
from overtone.spectra.paths._paths import PathUnit as PathUnit
from overtone.spectra.paths._paths import PerLength as PerLength
from overtone.spectra.paths._paths import PerPath as PerPath
from overtone.spectra.paths._paths import between_classes as between_classes
from overtone.spectra.paths._paths import to_noise as to_noise
from overtone.spectra.paths._paths import within_classes as within_classes
from overtone.spectra.paths._spectrum import PathSpectrum as PathSpectrum
from overtone.spectra.paths._spectrum import PathTransform as PathTransform
from overtone.spectra.paths._spectrum import spectrum as spectrum
