"""Every estimator of `overtone.spectra` as the contract asks for it."""

from __future__ import annotations

from overtone.spectra import PointsMethod
from overtone.spectra.clouds import KernelSums
from overtone.spectra.sequence import TemporalEstimator
from tests.contract_estimators.fields import ROUNDED
from tests.contract_estimators.functions import (
    along_a_path,
    of_filtered_pictures,
    of_filters_in_time,
    of_gradients,
    of_layers,
    of_pictures,
    of_sequences,
)
from tests.contract_estimators.geometries import (
    along_directions,
    at_points,
    on_axis,
    on_graph,
    on_grid,
    through_filters,
)
from tests.contract_estimators.spheres import in_window, of_winds, on_healpix, on_sphere, with_gaps

ESTIMATORS = {
    "grid, periodic": on_grid(True),
    "grid, even": on_grid(False),
    "one axis of a grid": on_axis(),
    "box, windowed": in_window(),
    "box, masked": with_gaps(False),
    "sphere": on_sphere(),
    "sphere, masked": with_gaps(True),
    "HEALPix": on_healpix(),
    "winds": of_winds(),
    "points, least squares": at_points(PointsMethod.least_squares(), True),
    "points, quadrature": at_points(PointsMethod.quadrature(), False),
    "cloud, filters": through_filters(KernelSums.exact(), ROUNDED),
    "cloud, filters near and far": through_filters(KernelSums.tree(32, 32), 0.1),
    "cloud, directions": along_directions(),
    "cloud, graph": on_graph(),
    "paths": along_a_path(),
    "sequences, even": of_sequences(TemporalEstimator.even_extension(), True, ROUNDED),
    "sequences, periodic": of_sequences(TemporalEstimator.periodic(), True, ROUNDED),
    "sequences, multitaper": of_sequences(TemporalEstimator.multitaper(2), False, 0.02),
    "sequences, Welch": of_sequences(TemporalEstimator.welch(16), False, 0.02),
    "responses": of_filters_in_time(),
    "pictures of generators": of_pictures(),
    "gradients of pictures": of_gradients(),
    "filtered pictures": of_filtered_pictures(),
    "layers": of_layers(),
}

MEASURES = {
    "heat map": ("spectra_sensitivity/test_heat_map.py::test_it_is_the_loop_over_pictures_and_frequencies",),
    "distance of generators": ("spectra_generated/test_distance.py::test_decibels_are_those_of_loops",),
    "targets of classifiers": (
        "spectra_classes/test_target.py::test_the_target_is_where_the_loss_of_pytorch_ends",
        "spectra_classes/test_target.py::test_the_residual_is_the_gradient_of_the_loss",
    ),
    "noise floor": (
        "spectra/test_noise_estimators.py::test_the_spectrum_curve_is_that_of_explicit_cosine_sums",
        "spectra/test_noise_estimators.py::test_the_quiet_curves_are_those_of_loops_over_blocks",
    ),
    "nearest rows": ("spectra_clouds/test_neighbours.py::test_neighbours_are_those_of_the_loop",),
}
"""What is no power of a field and so has no contract, with its twins."""
