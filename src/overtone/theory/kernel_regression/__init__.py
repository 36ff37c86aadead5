"""NTK regression: the fit of the infinitely wide network, in closed form."""

from overtone.theory.kernel_regression._compare import compare
from overtone.theory.kernel_regression._fit import NTKModel, fit
from overtone.theory.kernel_regression._full_grid import fit_full_grid
from overtone.theory.kernel_regression._krylov import SolverOptions
from overtone.theory.kernel_regression._scattered import fit_scattered

__all__ = ["NTKModel", "SolverOptions", "compare", "fit", "fit_full_grid", "fit_scattered"]
