"""K-space, projections and blur as linear maps: against direct sums, scikit-image and their own adjoints."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import shift
from skimage.data import shepp_logan_phantom
from skimage.transform import radon, resize

import overtone as ot
from overtone import signals
from overtone.errors import InputError
from overtone.fitting._measured_split import split_measured
from overtone.signals._readers._measured_file import with_reference

SIDE = 32


def phantom(side=SIDE):
    picture = resize(shepp_logan_phantom(), (side, side), anti_aliasing=True)
    y, x = np.mgrid[:side, :side] - side // 2
    return np.where(y**2 + x**2 < (side // 2 - 1) ** 2, picture, 0.0)


def field(values):
    """The function of a field that returns known values at all samples."""
    return lambda _: torch.as_tensor(values)


def centred(picture):
    return np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(picture), norm="ortho"))


@pytest.mark.parametrize("shape", [(9,), (8, 6), (4, 3, 5)])
def test_k_space_is_the_direct_sum(shape):
    rng = np.random.default_rng(0)
    picture = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    mask = rng.random(shape) < 0.6
    places = np.stack(np.meshgrid(*(np.arange(n) - n // 2 for n in shape), indexing="ij"), -1).reshape(
        -1, len(shape)
    )
    waves = np.exp(-2j * np.pi * (places / shape) @ places.T) / np.sqrt(np.prod(shape))
    # Row k of the matrix holds frequency k; positions are counted from the centre, too.
    direct = (waves @ picture.reshape(-1)).reshape(shape)
    problem = signals.kspace(direct, mask)
    values = np.stack([picture.real.reshape(-1), picture.imag.reshape(-1)], 1)
    tolerance = 64 * np.finfo(float).eps * np.abs(direct).max()
    assert float(problem.residuals(field(values))[0].abs().max()) < tolerance
    assert float(problem.residuals(field(2 * values))[0].abs().max()) > 0.1


@pytest.mark.parametrize("shape", [(7,), (6, 5), (4, 3, 5)])
@pytest.mark.parametrize("complex_values", [False, True])
def test_k_space_at_any_frequencies_and_its_adjoint_are_the_direct_sums(shape, complex_values):
    rng = np.random.default_rng(0)
    frequencies = rng.uniform(-0.25, 0.25, (3, 4, len(shape)))
    places = np.stack(np.meshgrid(*(np.arange(n) - n // 2 for n in shape), indexing="ij"), -1)
    waves = np.exp(
        -2j * np.pi * frequencies.reshape(12, -1) @ (2.0 * places.reshape(-1, len(shape))).T
    ) / np.sqrt(np.prod(shape))
    values = rng.standard_normal((2, *shape)) + (
        1j * rng.standard_normal((2, *shape)) if complex_values else 0
    )
    values = values.reshape(2, -1)
    data = (waves @ values.T).reshape(3, 4, 2)
    problem = signals.noncartesian_kspace(
        data, frequencies, shape, spacing=2.0, complex_values=complex_values
    )
    operator, terms = problem.terms[0].operator, problem.terms[0]
    # Sums of N terms with the transform's error of 1e-12.
    tolerance = 1e-11 * np.abs(data).max()
    assert np.abs(operator.forward(torch.from_numpy(values.T)).numpy() - terms.data.numpy()).max() < tolerance
    back = waves.conj().T @ data.reshape(12, 2)
    expected = back if complex_values else back.real
    assert np.abs(operator.adjoint(terms.data).numpy() - expected).max() < 12 * tolerance
    assert terms.group_numbers().tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_k_space_on_the_lattice_is_cartesian():
    full = centred(np.random.default_rng(2).standard_normal((6, 8)))
    lattice = np.stack(np.meshgrid((np.arange(6) - 3) / 6, (np.arange(8) - 4) / 8, indexing="ij"), -1)
    values = torch.randn(48, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    cartesian = signals.kspace(full, np.ones((6, 8), bool)).terms[0].operator.forward(values)
    other = signals.noncartesian_kspace(full, lattice, (6, 8)).terms[0].operator.forward(values)
    assert float((cartesian - other).abs().max()) < 1e-11


def test_a_real_field_has_conjugates_in_one_group():
    picture = np.random.default_rng(1).standard_normal((6, 5))
    problem = signals.kspace(centred(picture), np.ones((6, 5), bool), complex_values=False)
    groups = problem.terms[0].group_numbers().numpy()
    data = problem.terms[0].data.numpy()[:, 0]
    for group in np.unique(groups):
        members = data[groups == group]
        assert len(members) in (1, 2)
        if len(members) == 2:
            np.testing.assert_allclose(members[0], members[1].conj(), atol=1e-12)
        else:
            assert abs(members[0].imag) < 1e-12
    train, held_out = problem.split(0.3)
    assert not set(train.terms[0].group_numbers().tolist()) & set(held_out.terms[0].group_numbers().tolist())


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("complex_values", [False, True])
def test_lines_of_k_space_are_held_out_as_a_whole(axis, complex_values):
    lines = np.zeros(40, bool)
    lines[18:23] = lines[[1, 2, 5, 7, 9, 11, 26, 30, 33, 35, 39]] = True
    mask = np.zeros((40, 6), bool)
    mask[lines] = True
    mask = mask if axis == 0 else mask.T
    full = centred(np.random.default_rng(0).standard_normal(mask.shape))
    problem = signals.kspace(full, mask, complex_values=complex_values)
    groups = problem.terms[0].group_numbers().numpy()
    line = np.argwhere(mask)[:, axis]
    members = {frozenset(line[groups == number]) for number in np.unique(groups)}
    # Frequency k of line n is n - 20: 5 and 35, 7 and 33, 9 and 31 are opposite, of which 31 was not measured.
    assert frozenset(range(18, 23)) in members
    pairs = {frozenset((5, 35)), frozenset((7, 33)), frozenset((9,)), frozenset((1, 39))}
    alone = {frozenset((n,)) for n in (5, 35, 7, 33, 9, 1, 39)}
    assert (alone if complex_values else pairs) <= members
    _, held_out = split_measured(problem, 0.3, 0)
    outside = set(held_out.terms[0].group_numbers().tolist())
    assert outside
    assert not outside & set(groups[(line >= 18) & (line < 23)].tolist())


def test_few_lines_and_scattered_coefficients_are_held_out_one_by_one():
    few = np.zeros((16, 16), bool)
    few[[2, 5, 7, 8, 9, 12]] = True
    scattered = np.random.default_rng(0).random((16, 16)) < 0.4
    full = centred(np.random.default_rng(1).standard_normal((16, 16)))
    for mask in (few, scattered, np.ones((16, 16), bool)):
        assert signals.kspace(full, mask).terms[0].groups is None
        _, counts = (
            signals.kspace(full, mask, complex_values=False).terms[0].groups.unique(return_counts=True)
        )
        assert set(counts.tolist()) == {1, 2}


def test_lines_of_a_volume_are_those_along_its_readout():
    planes = np.random.default_rng(0).random((8, 9)) < 0.4
    planes[3:6, 3:6] = True
    mask = np.repeat(planes[:, None], 5, axis=1)
    problem = signals.kspace(np.ones(mask.shape, complex), mask)
    groups = problem.terms[0].group_numbers().numpy()
    places = np.argwhere(mask)
    middle = groups == -1
    assert middle.sum() >= 9 * 5
    for number in np.unique(groups[~middle]):
        members = places[groups == number]
        assert len(members) == 5
        assert len(np.unique(members[:, [0, 2]], axis=0)) == 1


def test_projections_are_those_of_scikit_image():
    picture, angles = phantom(), np.arange(0, 180, 9.0)
    problem = signals.projections(radon(picture, angles).T, angles)
    relative = problem.residuals(field(picture.reshape(-1, 1)))[0].norm() / problem.terms[0].data.norm()
    # Both interpolate linearly, scikit-image once a sample: they differ by the interpolation's own error.
    assert float(relative) < 0.01
    turned = signals.projections(radon(picture, angles + 3).T, angles)
    assert (
        float(turned.residuals(field(picture.reshape(-1, 1)))[0].norm() / turned.terms[0].data.norm()) > 0.03
    )


def test_the_integral_of_a_disc_is_its_chord():
    side, radius = 65, 20.0
    y, x = np.mgrid[:side, :side] - side // 2
    # A soft edge of one sample keeps the disc's area.
    disc = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    problem = signals.projections(np.zeros((3, side)), [0.0, 30.0, 75.0], spacing=0.1, unit="mm")
    (integrals,) = problem.apply(field(disc.reshape(-1, 1)))
    s = np.arange(side) - side // 2
    chord = 0.1 * 2 * np.sqrt(np.clip(radius**2 - s**2, 0, None))
    inner = np.abs(s) < 0.9 * radius
    np.testing.assert_allclose(integrals.reshape(3, side)[:, inner], np.tile(chord[inner], (3, 1)), rtol=0.02)


def test_a_fan_beam_of_a_far_source_is_parallel_and_a_near_one_is_not():
    picture, angles = phantom(), np.arange(0, 360, 45.0)
    sinogram = np.zeros((len(angles), SIDE))

    def integrals(distance):
        problem = signals.projections(sinogram, angles, source_distance=distance)
        return problem.apply(field(picture.reshape(-1, 1)))[0]

    parallel, far, near = (integrals(d) for d in (None, 1e5, 40.0))
    # Rays of a source at distance D are displaced by s t / D, 5e-3 samples at most for D = 1e5.
    assert float((far - parallel).norm() / parallel.norm()) < 2e-3
    assert float((near - parallel).norm() / parallel.norm()) > 0.05


@settings(max_examples=30, deadline=None)
@given(
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    known=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    factor=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_blur_is_the_direct_sum_over_the_kernel(size, known, factor, seed):
    rng = np.random.default_rng(seed)
    kernel = rng.uniform(0.1, 1, size)
    problem = signals.blurred(np.zeros(known), kernel, factor=factor)
    values = rng.standard_normal(problem.geometry.shape)
    direct = [
        (kernel * values[factor * i : factor * i + size[0], factor * j : factor * j + size[1]]).sum()
        for i in range(known[0])
        for j in range(known[1])
    ]
    (mapped,) = problem.apply(field(values.reshape(-1, 1)))
    np.testing.assert_allclose(mapped[:, 0], direct, atol=1e-12)


@pytest.mark.parametrize(
    "build",
    [
        lambda: signals.kspace(np.ones((4, 4))),
        lambda: signals.kspace(np.ones((4, 4), complex), np.zeros((4, 4), bool)),
        lambda: signals.kspace(np.ones((4, 4), complex), np.ones((4, 5), bool)),
        lambda: signals.kspace(np.full((4, 4), np.nan + 0j)),
        lambda: signals.noncartesian_kspace(np.ones((3, 4)), np.zeros((3, 4, 2)), (8, 8)),
        lambda: signals.noncartesian_kspace(np.ones((3, 4), complex), np.zeros((4, 3, 2)), (8, 8)),
        lambda: signals.noncartesian_kspace(np.ones((3, 4), complex), np.zeros((3, 4, 3)), (8, 8)),
        lambda: signals.noncartesian_kspace(np.ones((3, 4), complex), np.full((3, 4, 2), 3.0), (8, 8)),
        lambda: signals.noncartesian_kspace(np.ones((3, 4), complex), np.full((3, 4, 2), np.nan), (8, 8)),
        lambda: signals.noncartesian_kspace(np.ones((3, 4), complex), np.zeros((3, 4, 1)), (1,)),
        lambda: signals.projections(np.ones((3, 8)), [0.0, 10.0]),
        lambda: signals.projections(np.full((2, 8), np.inf), [0.0, 10.0]),
        lambda: signals.projections(np.ones((2, 8)), [0.0, 10.0], source_distance=3.0),
        lambda: signals.blurred(np.ones((4, 4)), np.ones((2, 2, 2))),
        lambda: signals.blurred(np.ones((4, 4)), np.zeros((3, 3))),
        lambda: signals.blurred(np.ones((4, 4)), np.ones((3, 3)), factor=0),
    ],
)
def test_wrong_measurements_are_refused_in_a_sentence(build):
    with pytest.raises(InputError, match="got"):
        build()


def test_a_bandwidth_is_chosen_for_blurred_samples():
    picture = phantom(24)
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    values = torch.from_numpy(picture.reshape(-1, 1))
    (data,) = signals.blurred(np.zeros((22, 22)), kernel).apply(lambda _: values)
    problem = signals.blurred(data.reshape(22, 22), kernel)
    network = ot.fitting.ModelConfig("gaussian", activation=("relu",), width=32, depth=2, features=32)
    choice = ot.operators.choose_bandwidth(problem, network, steps=100, cycles=(1.0, 16.0))
    # A picture of smooth ellipses needs a few cycles; sixteen leave waves free between the samples.
    assert choice.best.cycles == 1.0
    assert choice.sigma == (1 / 24, 1 / 24)


def test_maps_of_libraries_on_the_cpu_refuse_other_devices():
    rng = np.random.default_rng(0)
    spokes = rng.uniform(-0.5, 0.5, (3, 4, 2))
    problems = (
        signals.projections(np.ones((6, 8)), np.arange(0, 180, 30)),
        signals.blurred(np.ones((6, 6)), np.ones((3, 3)) / 9),
        signals.noncartesian_kspace(np.ones((3, 4), complex), spokes, (8, 8)),
    )
    for problem in problems:
        operator = problem.terms[0].operator
        for tensor, function in (
            (torch.ones(64, 1, device="meta"), operator.forward),
            (torch.ones(problem.terms[0].size, 1, device="meta"), operator.adjoint),
        ):
            with pytest.raises(InputError, match="values on the CPU, where"):
                function(tensor)


def test_cartesian_k_space_stays_on_the_device_of_its_field():
    problem = signals.kspace(np.ones((4, 6), complex), np.arange(24).reshape(4, 6) % 2 == 0)
    operator = problem.terms[0].operator
    image = operator.forward(torch.ones(24, 2, dtype=torch.float64, device="meta"))
    back = operator.adjoint(image)
    assert (image.shape, image.device.type) == ((12, 2), "meta")
    assert (back.shape, back.device.type) == ((24, 2), "meta")


def test_maps_of_columns_treat_each_alike_and_others_are_refused():
    grid = signals.Grid.unit_box((6,))
    matrix = torch.eye(6, dtype=torch.float64)[::2]
    data = torch.ones(3, 1)
    problem = signals.measured(lambda v: matrix @ v, lambda w: matrix.T @ w, data, grid, batched=True)
    assert problem.terms[0].operator.batched
    with pytest.raises(InputError, match="pass batched=False"):
        signals.measured(lambda v: matrix @ v[:, :1], lambda w: matrix.T @ w, data, grid, batched=True)


def lines(side=16):
    """A picture, its k-space and a mask of whole lines."""
    y, x = np.mgrid[:side, :side] - side // 2
    picture = np.exp(-(x**2 / 12 + (y - 2) ** 2 / 30)) * (np.hypot(x, y) < side // 2 - 1)
    return (
        picture,
        np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(picture), norm="ortho")),
        np.ones((side, side), bool),
    )


def unshifted():
    _, full, mask = lines()
    return signals.kspace(np.fft.ifftshift(full), mask)


def complex_picture_as_real():
    picture, _, mask = lines()
    phase = np.exp(0.5j * np.arange(16))
    return signals.kspace(np.fft.fftshift(np.fft.fft2(picture * phase)), mask, complex_values=False)


def transposed_sinogram():
    angles = np.arange(16) * 180 / 16
    return signals.projections(radon(lines()[0], angles), angles)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (unshifted, "with frequency 0 in the middle of the array, got the largest ones in its corners"),
        (complex_picture_as_real, "which are conjugates at opposite frequencies"),
        (lambda: signals.kspace(lines()[1], lines()[2], noise=99.0), "its square root if it is a variance"),
        (lambda: signals.kspace(lines()[1], lines()[2][0]), "1 axis, which leaves 16 channels"),
        (lambda: signals.blurred(lines()[0], np.ones(3)), "1 axis, which leaves 16 channels"),
        (lambda: signals.blurred(lines()[0], np.ones((3, 3)), noise=9.0), "the roughness of the data, got 9"),
        (lambda: signals.projections(np.ones((8, 9)), np.arange(8) * np.pi / 8), "which look like radians"),
        (transposed_sinogram, "not rows, have one sum, which looks transposed"),
        (lambda: signals.projections(np.ones((0, 9)), []), "at least one angle"),
        (lambda: signals.projections(np.ones((3, 9)), [0, 1, 2], side=10**6), "GiB of samples"),
    ],
)
def test_measurements_that_mean_something_else_are_refused(made, message):
    with pytest.raises(InputError, match=message):
        made()
    # The way out that is named for short scans is one.
    assert signals.projections(np.ones((8, 9)), 360 + np.arange(8) * np.pi / 8).terms[0].size == 72


@pytest.mark.parametrize(
    ("arrange", "name"),
    [
        (np.transpose, "transposed"),
        (np.fft.fftshift, "rolled by half"),
        (np.flipud, "mirrored along axis 0"),
        (lambda picture: picture / 16, "times 16"),
        (
            lambda picture: np.random.default_rng(0).random(picture.shape) - 0.5,
            "same picture in the same place",
        ),
    ],
)
def test_references_of_other_pictures_are_refused_and_the_right_one_is_named(arrange, name):
    picture, full, mask = lines()
    problem = signals.kspace(full, mask, complex_values=False)
    with pytest.raises(InputError, match=name):
        with_reference(problem, arrange(picture))
    assert with_reference(problem, picture).reference is not None
    # Noise that is stated explains a difference.
    noisy = full + np.random.default_rng(0).standard_normal(full.shape) * (0.5 + 0.5j)
    assert with_reference(signals.kspace(noisy, mask, noise=0.7), picture).reference is not None


@pytest.mark.parametrize("side", [32, 33])
@pytest.mark.parametrize("fills", [False, True])
def test_k_space_of_a_picture_whose_middle_and_corners_are_exchanged_is_refused(side, fills):
    y, x = np.mgrid[:side, :side] - side // 2
    picture = x + y / 2 + np.sin(x * y / 90) if fills else 1.0 * (np.hypot(x / 12, (y - 2) / 10) < 1)
    picture = picture * np.exp(1j * x / 9)
    few = np.zeros((side, side), bool)
    few[np.random.default_rng(0).permutation(side)[:10]] = few[side // 2 - 5 : side // 2 + 5] = True
    for mask in [np.ones_like(few)] if fills else [np.ones_like(few), few]:
        signals.kspace(centred(picture) * mask, mask)
        signals.kspace(centred(1.0 * (np.maximum(abs(x), abs(y)) > 13)) * mask, mask)
        corner = np.fft.fftshift(np.fft.fft2(picture))
        with pytest.raises(InputError, match="as where middle and corners are exchanged"):
            signals.kspace(corner * mask, mask)
        # The remedy that is named.
        k = (np.arange(side) - side // 2) * (side // 2) / side
        turned = corner * np.exp(2j * np.pi * np.add.outer(k, k))
        np.testing.assert_allclose(turned, side * centred(picture), atol=1e-9)


def test_a_mask_of_other_places_than_the_data_is_refused():
    rng = np.random.default_rng(0)
    full = centred(rng.standard_normal((16, 16)))
    mask = rng.random((16, 16)) < 0.4
    mask[7:10, 7:10] = True
    data = np.where(mask, full, 0)
    signals.kspace(data, mask)
    for other, name in ((mask.T, "transposed"), (~mask, "inverted"), (np.fft.ifftshift(mask), "numpy.fft")):
        with pytest.raises(InputError, match=name):
            signals.kspace(data, other)
    lines = np.zeros((16, 16), bool)
    lines[:, [0, 1, 2, 5, 12, 14, 15]] = lines[[0, 1, 15]] = True
    with pytest.raises(InputError, match="leaves out the middle and selects the corners"):
        signals.kspace(full, lines)


@pytest.mark.parametrize("distance", [None, 90.0])
def test_counts_in_place_of_line_integrals_are_refused(distance):
    angles = np.arange(0, 180, 15.0)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    picture = 1.0 * (np.hypot(x / 10, (y - 1) / 6) < 1) - 0.5 * (np.hypot(x - 2, y) < 3)
    problem = signals.projections(np.zeros((12, SIDE)), angles, source_distance=distance)
    (values,) = problem.apply(field(picture.reshape(-1, 1)))
    integrals = values.reshape(12, SIDE).numpy()
    counts = np.random.default_rng(0).poisson(2000 * np.exp(-0.1 * integrals))
    signals.projections(integrals, angles, source_distance=distance)
    with pytest.raises(InputError, match=r"as counts are; pass -numpy.log\(sinogram / 2"):
        signals.projections(counts, angles, source_distance=distance)
    signals.projections(-np.log(counts / 2000), angles, source_distance=distance)


@pytest.mark.parametrize("off", [0.5, -3.0])
def test_a_rotation_axis_beside_the_middle_is_refused_with_its_place(off):
    angles = np.arange(0, 180, 10.0)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    sinogram = radon(1.0 * (np.hypot(x / 10, (y - 1) / 6) < 1), angles).T
    noise = 0.1 * np.random.default_rng(0).standard_normal(sinogram.shape)
    signals.projections(sinogram + noise, angles)
    moved = shift(sinogram, (0, off), order=1)
    with pytest.raises(InputError, match="by the centre of mass of each projection") as refused:
        signals.projections(moved + noise, angles)
    assert float(str(refused.value).split("one at ")[1].split(",")[0]) == pytest.approx(16 + off, abs=0.05)


HALF_MASKED = np.ma.masked_array(np.ones((6, 16)), np.arange(96).reshape(6, 16) % 2 == 0)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: signals.projections(1j * np.ones((6, 16)), np.arange(6) * 30), "imaginary part is not 0"),
        (lambda: signals.projections(HALF_MASKED, np.arange(6) * 30), "48 of 96 values missing"),
        (lambda: signals.blurred(HALF_MASKED, np.ones((3, 3))), "48 of 96 values missing"),
        (lambda: signals.blurred(1j * np.ones((9, 9)), np.ones((3, 3))), "imaginary part is not 0"),
        (
            lambda: signals.blurred(np.ones((9, 9)), np.ones((3, 3)), factor=1.5),
            "a whole number of at least 1, got 1.5",
        ),
        (lambda: signals.kspace(HALF_MASKED + 0j), "48 of 96 values missing"),
        (
            lambda: signals.noncartesian_kspace(np.ones(9, complex), np.zeros((9, 1)), (16.5,)),
            "a whole number of at least 1, got 16.5",
        ),
        (
            lambda: signals.noncartesian_kspace(np.ones(9, complex), np.full((9, 1), 0.1j), (16,)),
            "imaginary part is not 0",
        ),
        (
            lambda: signals.measured(
                lambda v: 1j * v, lambda w: w.imag, HALF_MASKED[0] + 0j, signals.Grid.unit_box((16,))
            ),
            "8 of 16 values missing",
        ),
    ],
)
def test_no_part_of_measurements_is_dropped(made, message):
    with pytest.raises(InputError, match=message):
        made()


def test_measurements_may_be_tensors_and_complex_by_rounding():
    angles = torch.arange(6) * 30.0
    sinogram = torch.rand(6, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    plain = signals.projections(sinogram.detach().numpy(), angles.numpy())
    for same in (sinogram, sinogram + 0j, sinogram.detach().numpy() * (1 + 1e-12j)):
        assert torch.equal(signals.projections(same, angles).terms[0].data, plain.terms[0].data)
