"""Recommend encoding, bandwidth, size and stopping rule from a signal's own samples, before training."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
