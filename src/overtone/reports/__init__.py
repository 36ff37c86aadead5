"""Reports: one self-contained HTML page from one or more records, and its verdict in sentences. No torch."""

import lazy_loader

from overtone._utils.optional import name_missing

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__getattr__ = name_missing("reports", _load)
