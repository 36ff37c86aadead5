"""Layers: which frequencies of the targets a linear read-out finds in each layer's activations."""

from overtone.spectra.linear_readout._readout import Reader as Reader
from overtone.spectra.linear_readout._readout import ReadOut as ReadOut
from overtone.spectra.linear_readout._readout import read_out as read_out
from overtone.spectra.linear_readout._ridge import Folds as Folds
from overtone.spectra.linear_readout._ridge import Full as Full
from overtone.spectra.linear_readout._ridge import Principal as Principal
from overtone.spectra.linear_readout._ridge import Projected as Projected
from overtone.spectra.linear_readout._ridge import Width as Width
