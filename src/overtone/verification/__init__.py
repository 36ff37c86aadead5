"""Verification of forecast fields against true ones: errors by scale, effective resolution, and their wording."""

import lazy_loader

from overtone.verification import _accessor as _accessor

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
