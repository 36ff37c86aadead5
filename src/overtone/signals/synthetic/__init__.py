"""Signals of known spectrum, stand-ins for recordings and volumes, and noise with a clean reference.

All are float32 unless `dtype` says otherwise, and the same seed gives the same samples.
"""

from overtone.signals.synthetic._fields import add_noise as add_noise
from overtone.signals.synthetic._fields import band_noise as band_noise
from overtone.signals.synthetic._fields import phantom as phantom
from overtone.signals.synthetic._fields import power_law as power_law
from overtone.signals.synthetic._waves import chirp as chirp
from overtone.signals.synthetic._waves import harmonics as harmonics
from overtone.signals.synthetic._waves import music as music
from overtone.signals.synthetic._waves import step as step
from overtone.signals.synthetic._waves import voice as voice
