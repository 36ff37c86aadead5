"""Spectra: power per band of frequency, tensor in and tensor out, without networks or signals."""

from overtone.spectra._band_transform import BandTransform as BandTransform
from overtone.spectra._bands import Bands as Bands
from overtone.spectra._grid import GridTransform as GridTransform
from overtone.spectra._grid import axis_grid as axis_grid
from overtone.spectra._grid import bandwidth as bandwidth
from overtone.spectra._grid import grid as grid
from overtone.spectra._noise_floor import NoiseFloor as NoiseFloor
from overtone.spectra._noise_floor import NoiseVerdict as NoiseVerdict
from overtone.spectra._noise_floor import noise_floor as noise_floor
from overtone.spectra._noise_wording import noise_sentence as noise_sentence
from overtone.spectra._points import PointsTransform as PointsTransform
from overtone.spectra._points import points as points
from overtone.spectra._points_density import Density as Density
from overtone.spectra._points_methods import PointsMethod as PointsMethod
from overtone.spectra._spectrum import Spectrum as Spectrum
