__version__: str

from . import errors as errors
from . import nn as nn
from . import plots as plots
from . import records as records
from . import report as report
from . import signals as signals
from . import spectra as spectra
from . import tune as tune
from . import units as units
from .comparing import compare as compare
from .fitting import Run as Run
from .fitting import fit as fit
from .observe import Observer as Observer
from .observe import Probe as Probe
from .signals import Signal as Signal
from .tune import scan as scan
