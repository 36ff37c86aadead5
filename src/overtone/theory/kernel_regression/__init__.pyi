from ._compare import compare as compare
from ._fit import NTKModel as NTKModel
from ._fit import fit as fit
from ._full_grid import fit_full_grid as fit_full_grid
from ._krylov import SolverOptions as SolverOptions
from ._scattered import fit_scattered as fit_scattered
