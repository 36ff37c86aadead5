"""The kernel twin: the fit that the infinitely wide network would reach, in closed form."""

from overtone.theory.kernel_regression._compare import ModelComparison, compare
from overtone.theory.kernel_regression._fit import NTKFit, NTKModel, fit, from_encoding, from_field
from overtone.theory.kernel_regression._full_grid import fit_full_grid
from overtone.theory.kernel_regression._krylov import SolverOptions
from overtone.theory.kernel_regression._scattered import ScatteredFit, fit_scattered

__all__ = ["Effort", "Model", "Race", "Scattered", "Twin", "after", "complete", "fit", "of", "points", "race"]
