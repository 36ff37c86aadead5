"""Spectra: power per band of frequency, tensor in and tensor out, without networks or signals."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
