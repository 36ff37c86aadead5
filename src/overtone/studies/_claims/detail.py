"""Fine detail: edges and onsets in fitted pictures and recordings, and small structures in medical pictures."""

from __future__ import annotations

import numpy as np

import overtone as ot
from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.signals import Signal, synthetic
from overtone.studies._claims._shared import scikit_image
from overtone.studies._criteria import AtLeast
from overtone.studies._study import (
    MET_BY_A_CONDITION,
    Condition,
    FigureAxes,
    Measurement,
    SizeSettings,
    Study,
    StudySize,
    Topic,
)

_PICTURES = ("camera", "astronaut", "coffee", "rocket", "coins")
_SHARES = np.arange(1, 21) / 20
_NOTE_SECONDS = 0.25
"""Seconds from one note to the next; a tenth of them count as its onset."""


def measure_lost_edges(
    seed: int,
    kind: str,
    bandwidth: float,
    scrambled: bool,
    side: int,
    samples: int,
    steps: int,
    width: int,
) -> Measurement:
    """Measure the share of the squared error in the tenth of the samples that is edge or onset."""
    signal, sharpness = (
        _picture_and_gradient(seed, side, scrambled)
        if kind == "picture"
        else _notes_and_onsets(seed, samples)
    )
    run = ot.fit(
        signal,
        encoding="gaussian" if bandwidth else "none",
        bandwidth=bandwidth or None,
        width=width,
        depth=3,
        features=64,
        steps=steps,
        held_out=0,
        seed=seed,
    )
    error = (run.predict() - signal.values)[:, 0].double().square().numpy()
    # The error in the sharpest samples, as a function of their share; stable, so that ties keep their order.
    cumulative = np.cumsum(error[np.argsort(-sharpness, kind="stable")]) / error.sum()
    part = np.arange(1, len(cumulative) + 1) / len(cumulative)
    return Measurement(
        float(np.interp(0.1, part, cumulative)), {"": (_SHARES, np.interp(_SHARES, part, cumulative))}
    )


def _picture_and_gradient(seed: int, side: int, scrambled: bool) -> tuple[Signal, np.ndarray]:
    """Return a crop of one of five pictures, and the length of its gradient; with random phases if `scrambled`."""
    whole = getattr(scikit_image("data"), _PICTURES[seed % len(_PICTURES)])()
    draw, wide = numpy_generator(seed, "part"), 2 * min(whole.shape[:2]) // 3
    top, left = (draw.integers(n - wide) for n in whole.shape[:2])
    crop = whole[top : top + wide, left : left + wide]
    grey = crop / 255 if crop.ndim == 2 else scikit_image("color").rgb2gray(crop)
    grey = scikit_image("transform").resize(grey, (side, side), anti_aliasing=True)
    if scrambled:
        # Phases of white noise instead of the picture's: the same power at every frequency, and no edges.
        noise = np.fft.fft2(numpy_generator(seed, "phases").standard_normal(grey.shape))
        field = np.fft.ifft2(np.abs(np.fft.fft2(grey - grey.mean())) * noise / np.abs(noise)).real
        grey = 0.5 + field / (4 * field.std())
    return ot.signals.array(grey), np.hypot(*np.gradient(grey)).ravel()


def _notes_and_onsets(seed: int, samples: int) -> tuple[Signal, np.ndarray]:
    """Return a second of four plucked notes, and minus the time since the onset of each sample's note."""
    signal = synthetic.music(1.0, samples, derive_seed(seed, "melody"))
    return signal, -(signal.coords[:, 0].numpy() % _NOTE_SECONDS)


LOST_EDGES = Study(
    name="lost-edges",
    topic=Topic.FIELDS,
    claim="The error of fitted pictures and recordings gathers at edges and transients.",
    source=(
        "Tancik et al. 2020, Fourier features let networks learn high frequency functions, section 1 "
        "(arXiv:2006.10739), for blurred pictures; the claim is often stated without a source"
    ),
    statistic=(
        "share of the squared error in the tenth of a picture with the steepest gradient, or in the first "
        "tenth of each note of a recording"
    ),
    criterion=AtLeast(0.2),
    conditions=(
        Condition("pictures, plain network", {"kind": "picture", "bandwidth": 0.0, "scrambled": False}),
        Condition("pictures, Fourier features", {"kind": "picture", "bandwidth": 6.0, "scrambled": False}),
        Condition(
            "recordings, Fourier features", {"kind": "recording", "bandwidth": 400.0, "scrambled": False}
        ),
    ),
    control=Condition(
        "pictures of the same spectrum without edges, plain network",
        {"kind": "picture", "bandwidth": 0.0, "scrambled": True},
    ),
    positive=MET_BY_A_CONDITION,
    measure=measure_lost_edges,
    axes=FigureAxes("Share of the samples, sharpest first", "Share of the squared error"),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"side": 12, "samples": 1024, "steps": 3, "width": 8}),
        StudySize.QUICK: SizeSettings(10, {"side": 48, "samples": 2048, "steps": 150, "width": 48}),
        StudySize.FULL: SizeSettings(20, {"side": 256, "samples": 16_000, "steps": 5000, "width": 256}),
    },
    factor="the kind of signal",
    limits=(0.0, 1.0),
    caveat=(
        "The criterion is twice the share expected by chance; most of the error may still lie elsewhere. "
        "Recordings are synthetic, of plucked notes. In the control the gradient and the error at a position "
        "are independent, whatever the spectrum."
    ),
)


_SIZES = np.array([0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0])
"""Standard deviations in pixels of Gaussian filters that remove smaller structures."""

_JUDGED_SIZE = 3
"""Index of the size that is judged."""


def measure_medical_detail(
    seed: int, subject: str, bandwidth: float, side: int, steps: int, width: int
) -> Measurement:
    """Measure the share of small structures' contrast reproduced by Fourier features, less a plain network's."""
    subjects = {
        "retina": _retina,
        "aneurysms": _aneurysms,
        "histology": _histology,
        "phantom": _phantom_section,
    }
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
        fitted = run.predict().double().numpy().reshape(picture.shape)
        curves[name] = _SIZES, [_reproduced_share(fitted, picture, size) for size in _SIZES]
    fourier, plain = (shares[_JUDGED_SIZE] for _, shares in curves.values())
    return Measurement(fourier - plain, curves, (f"reproduced {fourier:.2f} and {plain:.2f}",))


def _reproduced_share(fitted: np.ndarray, picture: np.ndarray, size: float) -> float:
    """Return the share of what a Gaussian filter removes from a picture that the fit has: 0 for none, 1 for all."""
    from scipy.ndimage import gaussian_filter

    # The projection of the fit's fine structure on the picture's: what the fit invents does not count.
    target, fine = (image - gaussian_filter(image, size) for image in (picture, fitted))
    return float((fine * target).sum() / np.square(target).sum())


def _retina(side: int, seed: int) -> np.ndarray:
    """Return a part of a retina in green light, a quarter as wide as the whole; vessels of all sizes."""
    # Away from the black frame round the eye.
    top, left = numpy_generator(seed, "part").integers(360, 1051 - 360, 2)
    part = scikit_image("data").retina()[top : top + 360, left : left + 360, 1] / 255
    return scikit_image("transform").resize(part, (side, side), anti_aliasing=True)


def _aneurysms(side: int, seed: int) -> np.ndarray:
    """Return a part of a retina with microaneurysms, at the pixels' own size."""
    whole = scikit_image("data").microaneurysms() / 255
    top, left = (numpy_generator(seed, "part").integers(n - side + 1) for n in whole.shape)
    return whole[top : top + side, left : left + side]


def _histology(side: int, seed: int) -> np.ndarray:
    """Return a part of a stained section of colon in green light, at half the pixels' own size."""
    whole = scikit_image("data").immunohistochemistry()[..., 1] / 255
    top, left = (numpy_generator(seed, "part").integers(n - 2 * side + 1) for n in whole.shape)
    part = whole[top : top + 2 * side, left : left + 2 * side]
    return scikit_image("transform").resize(part, (side, side), anti_aliasing=True)


def _phantom_section(side: int, seed: int) -> np.ndarray:
    """Return a section through a phantom, near its middle."""
    volume = synthetic.phantom((side, side, side)).grid_values[..., 0].double().numpy()
    return volume[side // 2 + int(numpy_generator(seed, "part").integers(-side // 8, side // 8 + 1))]


MEDICAL_DETAIL = Study(
    name="medical-detail",
    topic=Topic.FIELDS,
    claim=(
        "In few steps, plain networks lose the small structures of medical pictures and networks with "
        "Fourier features reproduce them."
    ),
    source=(
        "Tancik et al. 2020, Fourier features let networks learn high frequency functions, section 6 "
        "(arXiv:2006.10739), for tomography and magnetic resonance"
    ),
    statistic=(
        "reproduced share of the contrast of structures up to 1.4 pixels, with Fourier features less that "
        "without"
    ),
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
    positive=MET_BY_A_CONDITION,
    measure=measure_medical_detail,
    axes=FigureAxes("Largest structures counted (pixels)", "Share of their contrast reproduced", log_x=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"side": 12, "steps": 3, "width": 8}),
        StudySize.QUICK: SizeSettings(5, {"side": 48, "steps": 150, "width": 48}),
        StudySize.FULL: SizeSettings(20, {"side": 96, "steps": 5000, "width": 256}),
    },
    factor="the picture",
    caveat=(
        "At an equal and small number of steps; a plain network that trains far longer reproduces more. All "
        "pixels are trained on, and where a picture has noise it counts as small structure. No expert has "
        "marked lesions or judged what a physician would miss."
    ),
)


STUDIES = (
    LOST_EDGES,
    MEDICAL_DETAIL,
)
