"""Probes: measure a network during training, without changing it, and record what it has learned per frequency band."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
