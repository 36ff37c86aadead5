"""The kernel twin: the fit that the infinitely wide network would reach, in closed form."""

from overtone.theory.kernel_regression.complete import complete
from overtone.theory.kernel_regression.fit import Twin, fit
from overtone.theory.kernel_regression.model import Model, after, of
from overtone.theory.kernel_regression.path import Effort
from overtone.theory.kernel_regression.points import Scattered, points
from overtone.theory.kernel_regression.race import Race, race

__all__ = ["Effort", "Model", "Race", "Scattered", "Twin", "after", "complete", "fit", "of", "points", "race"]
