"""The kernel twin: the fit that the infinitely wide network would reach, in closed form."""

from overtone.theory.twin.fit import Twin, fit
from overtone.theory.twin.model import Model, after, of
from overtone.theory.twin.path import Effort

__all__ = ["Effort", "Model", "Twin", "after", "fit", "of"]
