"""Losses that weigh the frequencies of the residual on a grid, at the scale of the mean square."""

from overtone.nn.losses.band_following import BandFollowing as BandFollowing
from overtone.nn.losses.band_weighted import BandWeighted as BandWeighted
from overtone.nn.losses.basis import Basis as Basis
from overtone.nn.losses.focal import FocalFrequency as FocalFrequency
from overtone.nn.losses.sobolev import Sobolev as Sobolev
from overtone.nn.losses.spectral_loss import SpectralLoss as SpectralLoss
