"""Layers: which frequencies of the targets a linear read-out finds in each layer's activations."""

from overtone.spectra.layers.folds import Folds as Folds
from overtone.spectra.layers.reader import BandTransform as BandTransform
from overtone.spectra.layers.reader import Reader as Reader
from overtone.spectra.layers.readout import ReadOut as ReadOut
from overtone.spectra.layers.readout import read_out as read_out
from overtone.spectra.layers.width import Full as Full
from overtone.spectra.layers.width import Principal as Principal
from overtone.spectra.layers.width import Projected as Projected
from overtone.spectra.layers.width import Width as Width
