"""Adapt bandwidth and learning rate while training runs, from rows measured on the way."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
