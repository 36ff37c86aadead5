"""The noise floor: how strong the white noise in a signal is, from the signal alone."""

from overtone.spectra.noise.floor import NoiseFloor as NoiseFloor
from overtone.spectra.noise.floor import noise_floor as noise_floor
from overtone.spectra.noise.verdict import NoiseVerdict as NoiseVerdict
