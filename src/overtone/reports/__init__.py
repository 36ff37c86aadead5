"""Reports: one self-contained HTML page from one or more records, and its verdict in sentences. No torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
