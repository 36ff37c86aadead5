"""Signals of known spectrum, synthetic recordings and volumes, and noise with a noise-free reference.

Example:
    >>> from overtone import signals
    >>> clean = signals.synthetic.harmonics([1, 3], samples=64)
    >>> noisy = signals.synthetic.add_noise(clean, std=0.1)
    >>> noisy.clean is not None, noisy.geometry.shape
    (True, (64,))
"""

from overtone.signals.synthetic._fields import add_noise, band_noise, phantom, power_law
from overtone.signals.synthetic._waves import chirp, harmonics, music, step, voice

__all__ = [
    "add_noise",
    "band_noise",
    "chirp",
    "harmonics",
    "music",
    "phantom",
    "power_law",
    "step",
    "voice",
]
