"""What is to be learned: pictures, recordings, volumes, series and arrays, as a `Signal` in physical units.

Readers: `image`, `audio`, `volume`, `series`, `array`, `table`; `read` picks one by suffix; `points` takes scattered
samples. `masks` holds samples out
of training, `synthetic` makes signals of known spectrum.
"""

from overtone.signals import masks as masks
from overtone.signals import synthetic as synthetic
from overtone.signals.geometry import Geometry as Geometry
from overtone.signals.geometry import Grid as Grid
from overtone.signals.geometry import Points as Points
from overtone.signals.normalisation import Normalisation as Normalisation
from overtone.signals.readers.array import array as array
from overtone.signals.readers.audio import audio as audio
from overtone.signals.readers.image import image as image
from overtone.signals.readers.pixels import Alpha as Alpha
from overtone.signals.readers.read import read as read
from overtone.signals.readers.rows import table as table
from overtone.signals.readers.series import series as series
from overtone.signals.readers.volume import volume as volume
from overtone.signals.scattered import points as points
from overtone.signals.signal import Signal as Signal
from overtone.signals.signal import require_grid as require_grid
from overtone.signals.signal import validate as validate
