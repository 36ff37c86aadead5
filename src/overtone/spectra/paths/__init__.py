"""Spectra of a function's outputs along paths through its inputs: a straight cut through any number of dimensions."""

from overtone.spectra.paths.path import Paths as Paths
from overtone.spectra.paths.pick import between_classes as between_classes
from overtone.spectra.paths.pick import to_noise as to_noise
from overtone.spectra.paths.pick import within_classes as within_classes
from overtone.spectra.paths.spectrum import PathSpectrum as PathSpectrum
from overtone.spectra.paths.spectrum import spectrum as spectrum
from overtone.spectra.paths.transform import PathTransform as PathTransform
from overtone.spectra.paths.unit import PathUnit as PathUnit
from overtone.spectra.paths.unit import PerLength as PerLength
from overtone.spectra.paths.unit import PerPath as PerPath
