from ._classifier import InputNormalisation as InputNormalisation
from ._filtered import filtered_accuracy as filtered_accuracy
from ._filtered import low_pass as low_pass
from ._gradient import ScoreGradient as ScoreGradient
from ._gradient import gradient_spectrum as gradient_spectrum
from ._heat_map import heat_map as heat_map
