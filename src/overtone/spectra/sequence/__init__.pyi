from ._estimators import TemporalEstimator as TemporalEstimator
from ._response import Derivative as Derivative
from ._response import response as response
from ._transform import SequenceTransform as SequenceTransform
