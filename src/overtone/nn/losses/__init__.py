"""Losses that weigh the frequencies of the residual on a grid, at the scale of the mean square."""

from overtone.nn.losses._bands import BandFollowing as BandFollowing
from overtone.nn.losses._bands import BandWeighted as BandWeighted
from overtone.nn.losses._spectral import FocalFrequency as FocalFrequency
from overtone.nn.losses._spectral import Sobolev as Sobolev
from overtone.nn.losses._spectral import SpectralLoss as SpectralLoss
