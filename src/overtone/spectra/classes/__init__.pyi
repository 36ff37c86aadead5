from ._label_noise import NoisyLabels as NoisyLabels
from ._label_noise import Wave as Wave
from ._targets import ClassTarget as ClassTarget
from ._targets import ClassWeights as ClassWeights
