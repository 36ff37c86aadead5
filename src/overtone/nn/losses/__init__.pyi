from ._amplitude_coherence import AmplitudeCoherence as AmplitudeCoherence
from ._bands import BandFollowing as BandFollowing
from ._bands import BandWeighted as BandWeighted
from ._spectral import FocalFrequency as FocalFrequency
from ._spectral import Sobolev as Sobolev
from ._spectral import SpectralLoss as SpectralLoss
