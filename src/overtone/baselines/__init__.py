"""Predictions without a network: interpolation and smoothing of the samples of a grid.

Example:
    >>> from overtone import baselines, signals
    >>> signal = signals.synthetic.harmonics([1], samples=32)
    >>> split = signal.with_held_out(signals.masks.random(signal.geometry, 0.25))
    >>> error = baselines.Cubic().predict(split) - signal.values
    >>> bool(error.abs().max() < 0.05)
    True
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
