"""Signals of known spectrum, stand-ins for recordings and volumes, and noise with a clean reference.

All are float32 unless `dtype` says otherwise, and the same seed gives the same samples.
"""

from overtone.signals.synthetic.fields import band_noise as band_noise
from overtone.signals.synthetic.fields import power_law as power_law
from overtone.signals.synthetic.noise import add_noise as add_noise
from overtone.signals.synthetic.phantom import phantom as phantom
from overtone.signals.synthetic.sounds import music as music
from overtone.signals.synthetic.sounds import voice as voice
from overtone.signals.synthetic.waves import chirp as chirp
from overtone.signals.synthetic.waves import harmonics as harmonics
from overtone.signals.synthetic.waves import step as step
