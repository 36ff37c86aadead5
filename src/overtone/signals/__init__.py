"""What is to be learned: pictures, recordings, volumes, series and arrays, as a `Signal` in physical units.

Readers: `image`, `audio`, `volume`, `series`, `array`, `table`; `read` picks one by suffix; `points` takes scattered
samples. `masks` holds samples out
of training, `synthetic` makes signals of known spectrum.
"""

from overtone.signals import masks as masks
from overtone.signals import synthetic as synthetic
from overtone.signals._geometry import Geometry as Geometry
from overtone.signals._geometry import Grid as Grid
from overtone.signals._geometry import Points as Points
from overtone.signals._normalisation import Normalisation as Normalisation
from overtone.signals._readers._array import array as array
from overtone.signals._readers._audio import audio as audio
from overtone.signals._readers._columns import points as points
from overtone.signals._readers._columns import series as series
from overtone.signals._readers._columns import table as table
from overtone.signals._readers._image import image as image
from overtone.signals._readers._pixels import Alpha as Alpha
from overtone.signals._readers._read import read as read
from overtone.signals._readers._volume import volume as volume
from overtone.signals._signal import Signal as Signal
from overtone.signals._signal import require_grid as require_grid
from overtone.signals._signal import validate as validate
