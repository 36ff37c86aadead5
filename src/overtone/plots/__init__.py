"""Figures from records: each plot has its `data`, its `figure()` and its description. No torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
