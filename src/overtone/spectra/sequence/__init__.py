"""Spectra of sequences, and the small-signal response of maps between sequences."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
