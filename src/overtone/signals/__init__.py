"""Data to be learned: pictures, recordings, volumes, series, tables and arrays, as a `Signal` in physical units.

`read` picks the reader by the suffix of a file: `image`, `audio`, `volume`, `series`, `table` or `array`.
`points` takes scattered samples. `masks` selects samples to hold out of training, and `synthetic` makes
signals of known spectrum. `Measured` is a field that is known through functionals, not samples: an equation, k-space,
projections, any linear map (`measured`); `read_measured` reads files of them.

Example:
    >>> import numpy as np
    >>> from overtone import signals
    >>> signal = signals.array(np.sin(np.arange(100) / 5), spacing=0.01, unit="s")
    >>> signal.geometry.frequency_unit, signal.geometry.nyquist
    ('Hz', (50.0,))
"""

from typing import TYPE_CHECKING

import lazy_loader

from overtone.signals._geometry import Geometry, Grid, Points
from overtone.signals._measured import Domain, Measured, Term, measured
from overtone.signals._normalisation import Normalisation
from overtone.signals._signal import Signal, require_grid, validate

if TYPE_CHECKING:
    from overtone.signals import masks, synthetic
    from overtone.signals._measurements import (
        blurred,
        kspace,
        noncartesian_kspace,
        projections,
    )
    from overtone.signals._readers._array import array
    from overtone.signals._readers._audio import audio
    from overtone.signals._readers._columns import points, series, table
    from overtone.signals._readers._image import image
    from overtone.signals._readers._measured_file import read_measured
    from overtone.signals._readers._read import read
    from overtone.signals._readers._volume import volume

__all__ = [
    "Domain",
    "Geometry",
    "Grid",
    "Measured",
    "Normalisation",
    "Points",
    "Signal",
    "Term",
    "array",
    "audio",
    "blurred",
    "image",
    "kspace",
    "masks",
    "measured",
    "noncartesian_kspace",
    "points",
    "projections",
    "read",
    "read_measured",
    "require_grid",
    "series",
    "synthetic",
    "table",
    "validate",
    "volume",
]

# Readers are half of this package's modules: each is imported when it is first called.
__getattr__, _, _ = lazy_loader.attach(
    __name__,
    submodules={"masks", "synthetic"},
    submod_attrs={
        "_measurements": ["blurred", "kspace", "noncartesian_kspace", "projections"],
        "_readers._array": ["array"],
        "_readers._audio": ["audio"],
        "_readers._columns": ["points", "series", "table"],
        "_readers._image": ["image"],
        "_readers._measured_file": ["read_measured"],
        "_readers._read": ["read"],
        "_readers._volume": ["volume"],
    },
)


def __dir__() -> list[str]:
    return __all__
