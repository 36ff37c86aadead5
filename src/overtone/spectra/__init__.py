"""Spectra: power per band of frequency, tensor in and tensor out; knows no networks and no signals."""

from overtone.spectra._band_transform import BandTransform as BandTransform
from overtone.spectra._bands import Bands as Bands
from overtone.spectra._grid import GridTransform as GridTransform
from overtone.spectra._grid import axis_grid as axis_grid
from overtone.spectra._grid import bandwidth as bandwidth
from overtone.spectra._grid import grid as grid
from overtone.spectra._noise_floor import NoiseFloor as NoiseFloor
from overtone.spectra._noise_floor import NoiseVerdict as NoiseVerdict
from overtone.spectra._noise_floor import noise_floor as noise_floor
from overtone.spectra._points import PointsSpectrum as PointsSpectrum
from overtone.spectra._points import PointsTransform as PointsTransform
from overtone.spectra._points import points as points
from overtone.spectra._points_methods import LeastSquares as LeastSquares
from overtone.spectra._points_methods import Quadrature as Quadrature
from overtone.spectra._spectrum import Spectrum as Spectrum
