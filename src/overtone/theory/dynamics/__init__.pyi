from ._agreement import Agreement as Agreement
from ._linearised import Linearised as Linearised
from ._pilot_run import PilotRun as PilotRun
from ._predict import Prediction as Prediction
from ._predict import PredictionOptions as PredictionOptions
from ._predict import predict as predict
