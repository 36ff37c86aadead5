"""What `BandTransform` promises, asked of every class that implements it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from overtone import spectra
from overtone.errors import InputError
from overtone.spectra import (
    BandTransform,
    GridTransform,
    HealpixGrid,
    HealpixTransform,
    MaskedTransform,
    PointsMethod,
    PointsTransform,
    SphereGrid,
    SphereTransform,
    WindowedTransform,
    WindTransform,
)
from overtone.spectra._sphere_grid import SphereGridKind
from overtone.spectra.clouds import DirectionTransform, GaussianFilter, GraphTransform
from overtone.spectra.paths import Paths
from overtone.spectra.paths._spectrum import PathTransform
from overtone.spectra.sequence import SequenceTransform, TemporalEstimator
from tests.contract_estimators.fields import normal

COUNT = 48
ROWS = normal(COUNT, 5, seed=1)
PLACES = torch.linspace(0, 1, COUNT + 1, dtype=torch.float64)[:-1] + 0.3 / COUNT
PATHS = Paths.straight(normal(6, 3, seed=2), normal(6, 3, seed=3))
HOLED = torch.arange(COUNT).reshape(8, 6) != 17

TRANSFORMS: dict[str, Callable[[], BandTransform]] = {
    "grid, even": lambda: GridTransform((8, 6), (0.5, 0.25)),
    "grid, periodic": lambda: GridTransform((8, 6), (0.5, 0.25), True),
    "box, windowed": lambda: WindowedTransform((8, 6), (0.5, 0.25), (False, True)),
    "sphere": lambda: SphereTransform(SphereGrid(SphereGridKind.CELLS, 6, 8)),
    "sphere, masked": lambda: MaskedTransform.of_sphere(HOLED.T, SphereGrid(SphereGridKind.CELLS, 6, 8)),
    "HEALPix": lambda: HealpixTransform(HealpixGrid(2, nested=True)),
    "winds in a box": lambda: WindTransform(GridTransform((8, 6), (0.5, 0.25), True)),
    "winds on the sphere": lambda: WindTransform(SphereTransform(SphereGrid(SphereGridKind.CELLS, 6, 8))),
    "box, masked": lambda: MaskedTransform.of_box(HOLED, (0.5, 0.25), True, slope=0.0),
    "points, least squares": lambda: PointsTransform(
        PLACES, [0, 0.5, 4, 10], method=PointsMethod.least_squares()
    ),
    "points, quadrature": lambda: PointsTransform(PLACES, [0, 0.5, 4, 10], method=PointsMethod.quadrature()),
    "sequences, even": lambda: SequenceTransform(16, estimator=TemporalEstimator.even_extension()),
    "sequences, periodic": lambda: SequenceTransform(16, estimator=TemporalEstimator.periodic()),
    "sequences, multitaper": lambda: SequenceTransform(16, estimator=TemporalEstimator.multitaper(2.0)),
    "sequences, Welch": lambda: SequenceTransform(16, estimator=TemporalEstimator.welch(8)),
    "graph": lambda: GraphTransform(ROWS, 12, neighbours=4),
    "graph with its residual": lambda: GraphTransform(ROWS, 12, neighbours=4).with_residual(),
    "graph, each place": lambda: GraphTransform(ROWS, 12, neighbours=4).with_residual().per_position(2),
    "pyramid of filters": lambda: GaussianFilter(ROWS, [1.0, 0.3]).pyramid(),
    "direction": lambda: DirectionTransform(ROWS, normal(2, 5, seed=4), 6).bands_along(1),
    "paths": lambda: PathTransform(PATHS, COUNT // 6),
    "closed paths": lambda: PathTransform(Paths.through(normal(6, 3, 4, seed=5), closed=True), COUNT // 6),
}
EACH = pytest.mark.parametrize("build", TRANSFORMS.values(), ids=TRANSFORMS)


def fields(transform: BandTransform) -> tuple[Tensor, Tensor]:
    """Two random fields of two channels in the shape that the transform takes."""
    one, other = normal(COUNT, 2, seed=11), normal(COUNT, 2, seed=12)
    return transform.field(one), transform.field(other)


def close(found: Tensor, wanted: Tensor) -> None:
    """Equal to rounding, and to the tolerance of the least squares at points, of the largest entry."""
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-8 * float(wanted.abs().max()))


@EACH
def test_power_and_cross_power_have_a_row_per_band(build):
    transform = build()
    assert isinstance(transform, BandTransform)
    assert isinstance(transform.bands, spectra.Bands)
    one, other = map(transform.coefficients, fields(transform))
    shape = (transform.bands.count, 2)
    assert transform.power(one).shape == transform.cross(one, other).shape == shape
    assert transform.power(one).dtype == transform.cross(one, other).dtype == torch.float64
    assert bool((transform.power(one) >= 0).all())


@EACH
def test_coefficients_of_a_residual_are_the_difference(build):
    transform = build()
    one, other = fields(transform)
    close(
        transform.coefficients(2 * one - 3 * other),
        2 * transform.coefficients(one) - 3 * transform.coefficients(other),
    )


@EACH
def test_cross_power_is_symmetric_and_bilinear_and_power_is_its_diagonal(build):
    transform = build()
    one, other = map(transform.coefficients, fields(transform))
    close(transform.cross(one, one), transform.power(one))
    close(transform.cross(one, other), transform.cross(other, one))
    close(transform.cross(2 * one - other, other), 2 * transform.cross(one, other) - transform.power(other))
    mixed = transform.power(one) - 2 * transform.cross(one, other) + transform.power(other)
    close(transform.power(one - other), mixed)


@EACH
def test_bands_hold_the_mean_square_where_the_transform_closes(build):
    transform = build()
    one, other = fields(transform)
    first, second = transform.coefficients(one), transform.coefficients(other)
    square = one.reshape(-1, 2).square().mean(0)
    if transform.closes:
        close(transform.power(first).sum(0), square)
        close(transform.cross(first, second).sum(0), (one * other).reshape(-1, 2).mean(0))
    else:
        apart = (transform.power(first).sum(0) - square).abs()
        assert float(apart.max()) > 1e-6 * float(square.max()), "a transform that closes says so"


def test_a_class_that_implements_the_form_is_among_those_asked():
    for module in pkgutil.walk_packages(spectra.__path__, "overtone.spectra."):
        importlib.import_module(module.name)
    asked = {type(build()) for build in TRANSFORMS.values()}
    classes = {cls for cls in complete(BandTransform) if cls.__module__.startswith("overtone.spectra")}
    assert classes == asked


def complete(cls: type) -> set[type]:
    """The classes below one that can be made."""
    below = {sub for child in cls.__subclasses__() for sub in complete(child)}
    return below if inspect.isabstract(cls) else {cls, *below}


def test_a_transform_without_cross_power_cannot_be_made():
    class Half(BandTransform):
        def coefficients(self, values: Tensor) -> Tensor:
            return values

    with pytest.raises(TypeError, match="cross"):
        Half()


@pytest.mark.parametrize("build", [TRANSFORMS["grid, even"], TRANSFORMS["sequences, even"]])
def test_rows_that_are_not_those_of_the_samples_are_refused(build):
    with pytest.raises(InputError, match="rows"):
        build().field(normal(COUNT - 1, 2, seed=1))
