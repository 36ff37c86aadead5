"""What becomes of small structures in medical pictures."""

from __future__ import annotations

import numpy as np
import skimage.data
from scipy.ndimage import gaussian_filter
from skimage.transform import resize

import overtone as ot
from overtone._utils.seeding import numpy_generator
from overtone.signals import synthetic
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study

SIZES = np.array([0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0])
"""Standard deviations in pixels of Gaussians that do not pass smaller structures."""

SMALL = 3
"""Which of them counts."""


def measure(seed: int, subject: str, bandwidth: float, side: int, steps: int, width: int) -> Measured:
    """Share of the contrast of small structures that Fourier features keep, less that of a plain network."""
    subjects = {"retina": retina, "aneurysms": aneurysms, "histology": histology, "phantom": phantom}
    picture = subjects[subject](side, seed)
    curves = {}
    for name, encoding in (("Fourier features", "gaussian"), ("plain network", "none")):
        run = ot.fit(
            ot.signals.array(picture),
            encoding=encoding,
            bandwidth=bandwidth if encoding == "gaussian" else None,
            width=width,
            depth=3,
            features=128,
            steps=steps,
            held_out=0,
            seed=seed,
        )
        shown = run.predict().double().numpy().reshape(picture.shape)
        curves[name] = SIZES, [kept(shown, picture, size) for size in SIZES]
    ours, plain = (shares[SMALL] for _, shares in curves.values())
    return Measured(ours - plain, curves, (f"kept {ours:.2f} and {plain:.2f}",))


def kept(shown: np.ndarray, picture: np.ndarray, size: float) -> float:
    """Share that is shown of what a Gaussian of a size takes off a picture: 0 for none of it, 1 for all."""
    wanted, found = (image - gaussian_filter(image, size) for image in (picture, shown))
    return float((found * wanted).sum() / np.square(wanted).sum())


def retina(side: int, seed: int) -> np.ndarray:
    """A part of a retina in green light, a quarter as wide as the whole; vessels of all sizes."""
    top, left = numpy_generator(seed, "part").integers(360, 1051 - 360, 2)
    part = skimage.data.retina()[top : top + 360, left : left + 360, 1] / 255
    return resize(part, (side, side), anti_aliasing=True)


def aneurysms(side: int, seed: int) -> np.ndarray:
    """A part of a retina with microaneurysms, at the pixels' own size."""
    whole = skimage.data.microaneurysms() / 255
    top, left = (numpy_generator(seed, "part").integers(n - side + 1) for n in whole.shape)
    return whole[top : top + side, left : left + side]


def histology(side: int, seed: int) -> np.ndarray:
    """A part of a stained section of colon in green light, at half the pixels' own size."""
    whole = skimage.data.immunohistochemistry()[..., 1] / 255
    top, left = (numpy_generator(seed, "part").integers(n - 2 * side + 1) for n in whole.shape)
    return resize(whole[top : top + 2 * side, left : left + 2 * side], (side, side), anti_aliasing=True)


def phantom(side: int, seed: int) -> np.ndarray:
    """A section through a phantom, near its middle."""
    volume = synthetic.phantom((side, side, side)).grid_values[..., 0].double().numpy()
    return volume[side // 2 + int(numpy_generator(seed, "part").integers(-side // 8, side // 8 + 1))]


STUDY = Study(
    name="medical-detail",
    family=Family.FIELDS,
    claim="Of medical pictures plain networks lose the small structures, and Fourier features keep them.",
    source="Tancik et al. 2020, Fourier features let networks learn high frequency functions, section 6 "
    "(arXiv:2006.10739), for tomography and magnetic resonance",
    statistic="share kept of the contrast of structures up to 1.4 pixels, with Fourier features less that without",
    criterion=AtLeast(0.5),
    conditions=(
        Condition("retina with microaneurysms", {"subject": "aneurysms", "bandwidth": 10.0}),
        Condition("vessels of a retina", {"subject": "retina", "bandwidth": 10.0}),
        Condition("stained section of tissue", {"subject": "histology", "bandwidth": 10.0}),
        Condition("sections of a phantom", {"subject": "phantom", "bandwidth": 10.0}),
    ),
    control=Condition(
        "retina with microaneurysms, features of 0.05 cycles per picture",
        {"subject": "aneurysms", "bandwidth": 0.05},
    ),
    measure=measure,
    axes=Axes("Largest structures counted (pixels)", "Share of their contrast kept", log_x=True),
    efforts={
        Size.SMOKE: Effort(1, {"side": 12, "steps": 3, "width": 8}),
        Size.QUICK: Effort(5, {"side": 48, "steps": 150, "width": 48}),
        Size.FULL: Effort(20, {"side": 96, "steps": 5000, "width": 256}),
    },
    depends="the picture",
    caveat="At an equal number of steps, few of them; a plain network that trains far longer keeps more. All pixels "
    "are trained on, and noise counts as small structure where a picture has any. Nobody has marked lesions or judged "
    "what a physician would miss.",
)
