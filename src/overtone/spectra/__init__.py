"""Spectra: power per band of frequency, tensor in and tensor out; knows no networks and no signals."""

from overtone.spectra.axis import axis_grid as axis_grid
from overtone.spectra.axis import bandwidth as bandwidth
from overtone.spectra.bands import Bands as Bands
from overtone.spectra.grid import GridTransform as GridTransform
from overtone.spectra.grid import grid as grid
from overtone.spectra.noise import NoiseFloor as NoiseFloor
from overtone.spectra.noise import NoiseVerdict as NoiseVerdict
from overtone.spectra.noise import noise_floor as noise_floor
from overtone.spectra.points import LeastSquares as LeastSquares
from overtone.spectra.points import PointsSpectrum as PointsSpectrum
from overtone.spectra.points import PointsTransform as PointsTransform
from overtone.spectra.points import Quadrature as Quadrature
from overtone.spectra.points import points as points
from overtone.spectra.spectrum import Spectrum as Spectrum
