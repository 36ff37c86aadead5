"""PyTorch's activations by name, and periodic or localised ones with their own initialisation."""

from overtone._config import Activation as Activation
from overtone.nn.activations._localised import ComplexGabor as ComplexGabor
from overtone.nn.activations._localised import Gabor as Gabor
from overtone.nn.activations._localised import Gauss as Gauss
from overtone.nn.activations._localised import Hat as Hat
from overtone.nn.activations._localised import MultiQuadratic as MultiQuadratic
from overtone.nn.activations._localised import Quadratic as Quadratic
from overtone.nn.activations._periodic import Finer as Finer
from overtone.nn.activations._periodic import Sinc as Sinc
from overtone.nn.activations._periodic import Sine as Sine
