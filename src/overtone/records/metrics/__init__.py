"""Metrics of a record: pure functions of a Dataset, computed on demand, never stored.

They accept records of one run and those joined by `records.concat`; the extra dimensions are kept.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
