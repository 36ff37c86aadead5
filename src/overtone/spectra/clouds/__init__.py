"""Spectra of samples in many dimensions, such as tables, flattened pictures and embeddings."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
