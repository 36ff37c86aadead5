"""Figures from records: each plot has its `data`, its `figure()` and its description. No torch."""

import lazy_loader

from overtone._utils.optional import name_missing

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__getattr__ = name_missing("reports", _load)
