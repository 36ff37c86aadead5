"""Activations: PyTorch's own under one name list, and the sine with the initialisation that it needs."""

from overtone.nn.activations.activation import Activation as Activation
from overtone.nn.activations.initialisation import Initialises as Initialises
from overtone.nn.activations.initialisation import default_initialise as default_initialise
from overtone.nn.activations.sine import Sine as Sine
