"""The kernel twin: the fit that the infinitely wide network would reach, in closed form."""

from overtone.theory.twin.complete import complete
from overtone.theory.twin.fit import Twin, fit
from overtone.theory.twin.model import Model, after, of
from overtone.theory.twin.path import Effort
from overtone.theory.twin.points import Scattered, points
from overtone.theory.twin.race import Race, race

__all__ = ["Effort", "Model", "Race", "Scattered", "Twin", "after", "complete", "fit", "of", "points", "race"]
