"""Linear read-outs: which frequencies of the targets each layer's activations hold."""

from overtone.spectra.linear_readout._readout import read_out as read_out
from overtone.spectra.linear_readout._ridge import BlockFolds as BlockFolds
from overtone.spectra.linear_readout._ridge import FeatureBudget as FeatureBudget
