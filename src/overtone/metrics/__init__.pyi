from ._spectral_error import SpectralError as SpectralError
