"""Views of a probe: spectra of outputs on grids, points, clouds, sequences and paths; layers, sensitivity, samples."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
