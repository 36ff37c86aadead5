import numpy as np
import pytest
import torch

from overtone import signals
from overtone.errors import InputError

MASK = np.tile([True, False], 32).reshape(8, 8)


def picture():
    return np.outer(np.hanning(8), np.hanning(8))


def kspace():
    return np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(picture()), norm="ortho"))


def saved(folder, **arrays):
    np.savez(folder / "scan.npz", **arrays)
    return folder / "scan.npz"


def test_kspace_with_a_mask(tmp_path):
    path = saved(
        tmp_path,
        kspace=kspace(),
        mask=MASK,
        noise=0.1,
        real=True,
        spacing=2.0,
        unit="mm",
        reference=picture(),
    )
    problem = signals.read_measured(path)
    assert (problem.name, problem.complex_values, problem.terms[0].size) == ("scan.npz", False, 32)
    assert (problem.geometry.spacing, problem.geometry.units) == ((2.0, 2.0), ("mm", "mm"))
    assert problem.terms[0].noise == pytest.approx(0.1)
    known = problem.reference(problem.geometry.coords())
    assert torch.equal(known.reshape(8, 8), torch.from_numpy(picture()))
    # The reference explains the data: operator and file agree.
    assert float(problem.loss(lambda _: known)) < 1e-20


def test_kspace_with_indices_is_that_with_a_mask(tmp_path):
    indices = np.argwhere(MASK)
    path = saved(tmp_path, kspace=kspace()[MASK], indices=indices, shape=np.array([8, 8]))
    one, other = signals.read_measured(path), signals.kspace(kspace(), MASK)
    assert torch.equal(one.terms[0].data, other.terms[0].data)
    assert one.complex_values


def test_kspace_with_a_trajectory(tmp_path):
    spokes = np.stack([np.linspace(-0.5, 0.5, 10) * np.ones((8, 1)), np.zeros((8, 10))], -1)
    data = np.ones((8, 10), complex)
    path = saved(tmp_path, kspace=data, trajectory=spokes, shape=np.array([8, 8]), real=True)
    problem = signals.read_measured(path)
    assert (problem.terms[0].size, problem.geometry.shape, problem.complex_values) == (80, (8, 8), False)
    assert len(problem.terms[0].group_numbers().unique()) == 8
    with pytest.raises(InputError, match="indices or trajectory, got both"):
        signals.read_measured(
            saved(tmp_path, kspace=data, trajectory=spokes, indices=np.zeros((80, 2), int), shape=[8, 8])
        )
    with pytest.raises(InputError, match="shape with trajectory, got trajectory alone"):
        signals.read_measured(saved(tmp_path, kspace=data, trajectory=spokes))
    with pytest.raises(InputError, match="pass cycles per pixel") as refusal:
        signals.read_measured(saved(tmp_path, kspace=data, trajectory=10 * spokes, shape=[8, 8]))
    assert "scan.npz" in str(refusal.value)


def test_sinogram_and_blur(tmp_path):
    turns = np.arange(0, 180, 30.0)
    problem = signals.read_measured(saved(tmp_path, sinogram=np.ones((6, 8)), angles=turns))
    assert problem.angles == tuple(turns)
    fan = signals.read_measured(saved(tmp_path, sinogram=np.ones((6, 8)), angles=turns, source_distance=20.0))
    assert fan.angles == ()
    blurred = signals.read_measured(
        saved(tmp_path, blurred=np.ones((6, 6)), kernel=np.ones((3, 3)) / 9, factor=2)
    )
    assert blurred.geometry.shape == (13, 13)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"kspace": kspace(), "mask": MASK, "maks": MASK}, "'maks'"),
        ({"kspace": kspace(), "mask": MASK[:4]}, "mask of the shape of the data"),
        ({"kspace": kspace(), "mask": np.full((8, 8), 2)}, "a mask of 0 and 1"),
        ({"kspace": kspace().real, "mask": MASK}, "complex coefficients"),
        ({"kspace": kspace()[MASK], "indices": np.argwhere(MASK)}, "shape with indices"),
        ({"kspace": kspace()[MASK], "indices": np.argwhere(MASK) / 2, "shape": [8, 8]}, "other trajectories"),
        (
            {"kspace": kspace()[MASK], "indices": np.argwhere(MASK) + 3, "shape": [8, 8]},
            "indices from 0 to below the shape",
        ),
        ({"kspace": kspace()[MASK], "indices": np.argwhere(MASK) * 0, "shape": [8, 8]}, "each index once"),
        ({"kspace": kspace(), "mask": MASK, "noise": -1.0}, "noise as one positive number"),
        ({"kspace": kspace(), "mask": MASK, "noise": [1.0, 2.0]}, "noise as one positive number"),
        ({"kspace": kspace(), "mask": MASK, "unit": 3}, "unit as a text"),
        ({"kspace": kspace(), "mask": MASK, "reference": np.ones((4, 4))}, "a reference of shape"),
        ({"kspace": kspace(), "mask": MASK, "real": True, "reference": 1j * picture()}, "a real reference"),
        ({"kspace": kspace() * np.nan, "mask": MASK}, "finite data"),
        ({"sinogram": np.ones((8, 6)), "angles": np.arange(6)}, "transpose the sinogram"),
        ({"sinogram": np.ones((6, 8)), "angles": np.arange(6), "side": 0}, "side as one positive number"),
        ({"kspace": np.array([{}]), "mask": MASK}, "requires pickle"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(tmp_path, arrays, words):
    path = saved(tmp_path, **arrays)
    with pytest.raises(InputError, match=words) as refused:
        signals.read_measured(path)
    assert "scan.npz" in str(refused.value)


def test_other_files_stay_what_they_were(tmp_path):
    lone = saved(tmp_path, sinogram=np.eye(6))
    with pytest.raises(InputError, match="angles beside sinogram, got sinogram alone"):
        signals.read(lone)
    assert signals.read(lone, key="sinogram").geometry.shape == (6, 6)
    with pytest.raises(InputError, match="kspace and mask"):
        signals.read_measured(lone)
    path = saved(tmp_path, sinogram=np.eye(6), angles=np.arange(6))
    with pytest.raises(InputError, match=r"signals\.read_measured"):
        signals.read(path)
    assert signals.read(path, key="sinogram").geometry.shape == (6, 6)
