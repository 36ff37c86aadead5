__version__: str

from . import baselines as baselines
from . import controller as controller
from . import early_stopping as early_stopping
from . import nn as nn
from . import planning as planning
from . import plots as plots
from . import probes as probes
from . import records as records
from . import reports as reports
from . import signals as signals
from . import spectra as spectra
from . import studies as studies
from . import theory as theory
from . import units as units
from .comparing import compare as compare
from .errors import InputError as InputError
from .errors import RunError as RunError
from .fitting import Run as Run
from .fitting import fit as fit
from .fitting import predict as predict
from .planning import plan as plan
from .planning import scan as scan
from .probes import Observer as Observer
from .probes import Probe as Probe
from .reports import report as report
from .signals import Signal as Signal
