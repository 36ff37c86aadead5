"""Settings of a fit as plain data: typed, checked and documented once, for Python, the command line and `run.json`.

Nothing here imports torch, so that `overtone fit --help` answers at once.
"""

from overtone._config._fit import FitConfig as FitConfig
from overtone._config._fit import FitOptions as FitOptions
from overtone._config._fit import MonitorConfig as MonitorConfig
from overtone._config._fit import StoppingConfig as StoppingConfig
from overtone._config._model import Activation as Activation
from overtone._config._model import Choosing as Choosing
from overtone._config._model import EncodingKind as EncodingKind
from overtone._config._model import ModelConfig as ModelConfig
from overtone._config._training import Decay as Decay
from overtone._config._training import Optimizer as Optimizer
from overtone._config._training import Precision as Precision
from overtone._config._training import TrainingConfig as TrainingConfig
