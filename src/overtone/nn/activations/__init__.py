"""Activations: PyTorch's own under one name list, and those that bring frequencies and their own beginning."""

from overtone.nn.activations.activation import Activation as Activation
from overtone.nn.activations.complex_gabor import ComplexGabor as ComplexGabor
from overtone.nn.activations.finer import Finer as Finer
from overtone.nn.activations.gabor import Gabor as Gabor
from overtone.nn.activations.gauss import Gauss as Gauss
from overtone.nn.activations.hat import Hat as Hat
from overtone.nn.activations.initialisation import Initialises as Initialises
from overtone.nn.activations.initialisation import default_initialise as default_initialise
from overtone.nn.activations.multiquadratic import MultiQuadratic as MultiQuadratic
from overtone.nn.activations.quadratic import Quadratic as Quadratic
from overtone.nn.activations.reaching import Reaching as Reaching
from overtone.nn.activations.sinc import Sinc as Sinc
from overtone.nn.activations.sine import Sine as Sine
