"""What verification says of planted defects: `python -m benchmarks.defects [FOLDER] [--quick]`.

Defects are planted in all waves shorter than a quarter of the box, in synthetic fields E(k) ~ k^-p and in real ones:
tiles of pictures that come with scikit-image and, if FOLDER has the files of Debian's package ferret-datasets, tiles of
the Earth's relief (etopo5.cdf) and of the monthly winds of 1982 to 1992 (monthly_navy_winds.cdf). Each case has 30
samples of 64 x 64 values with open borders. The table counts which finding holds in most bands of the planted range.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

import overtone as ot
from overtone.records.metrics._ensemble_scores import EnsembleFactCode
from overtone.records.metrics._field_scores import FactCode

SIZE, SAMPLES, MARGIN, CASES = 64, 30, 8, 10
K = np.hypot(*np.meshgrid(*(np.fft.fftfreq(SIZE + 2 * MARGIN),) * 2)) * SIZE
FINE = 4
"""Waves per box from which on the defects are planted."""

SAID = ("good", "hedged", "over-smoothed", "blurred", "noisy", "misplaced", "displaced", "nothing")
ENSEMBLE = ("reliable", "collapsed", "too wide", "nothing")
Source = Callable[[np.random.Generator], np.ndarray]


def synthetic(exponent: float) -> Source:
    """Periodic Gaussian fields, larger than the box by a margin."""

    def fields(generator: np.random.Generator) -> np.ndarray:
        noise = np.fft.fft2(generator.standard_normal((2 * SAMPLES, *K.shape)))
        return np.fft.ifft2(noise * np.where(K > 0, np.maximum(K, 1), np.inf) ** (-(exponent + 1) / 2)).real

    return fields


def tiles(pictures: list[np.ndarray]) -> Source:
    """Tiles at random places of pictures, without their mean."""

    def fields(generator: np.random.Generator) -> np.ndarray:
        side, result = SIZE + 2 * MARGIN, []
        for _ in range(2 * SAMPLES):
            picture = pictures[generator.integers(len(pictures))]
            row, column = (generator.integers(n - side + 1) for n in picture.shape)
            tile = picture[row : row + side, column : column + side].astype(float)
            result.append((tile - tile.mean()) / (tile.std() + 1e-9))
        return np.stack(result)

    return fields


def sources(folder: Path | None) -> dict[str, Source]:
    """Sources of true fields by name."""
    from skimage import data

    result = {f"synthetic, p = {p}": synthetic(p) for p in (1, 2, 3)}
    result["pictures"] = tiles([data.camera(), data.brick(), data.grass(), data.gravel(), data.coins()])
    if folder is not None:
        import xarray as xr

        relief = xr.open_dataset(folder / "etopo5.cdf", engine="scipy")["ROSE"].values[240:-240]
        result["relief"] = tiles([relief])
        winds = xr.open_dataset(folder / "monthly_navy_winds.cdf", engine="scipy")["UWND"].values
        # 73 x 144 values: columns are repeated around the globe, rows mirrored at the poles.
        wide = [
            np.pad(np.pad(month, ((8, 8), (0, 0)), "reflect"), ((0, 0), (0, 80)), "wrap") for month in winds
        ]
        result["monthly winds"] = tiles(wide)
    return result


def filtered(fields: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Multiply the Fourier modes of whole tiles by a gain."""
    return np.fft.ifft2(np.fft.fft2(fields) * gain).real


def planted(truth: np.ndarray, other: np.ndarray, defect: str, generator: np.random.Generator) -> np.ndarray:
    """Return a forecast with a defect in the fine waves; `other` is unrelated and has the truth's spectrum."""
    fine = np.where(FINE <= K, 1.0, 0.0)
    match defect:
        case "good":
            return truth + filtered(other, np.sqrt(0.05) * fine)
        case "hedged":
            # Gain g and noise g (1 - g) of a mean over outcomes: power ratio g = coherence^2.
            return filtered(truth, 1 - 0.6 * fine) + filtered(other, np.sqrt(0.4 * 0.6) * fine)
        case "over-smoothed":
            return filtered(truth, 1 - (1 - np.sqrt(0.3)) * fine)
        case "noisy":
            return truth + filtered(other, 0.9 * fine)
        case "misplaced":
            return filtered(truth, 1 - fine) + filtered(other, fine)
        case _:
            # Half of the shortest planted wave that is measured well, in a direction of its own in each sample.
            angles = generator.uniform(0, 2 * np.pi, len(truth))
            moves = np.round(np.stack([np.cos(angles), np.sin(angles)], 1) * 6).astype(int)
            return np.stack([np.roll(t, tuple(m), (0, 1)) for t, m in zip(truth, moves, strict=True)])


def inner(fields: np.ndarray) -> np.ndarray:
    """Cut off the margin, and add the axis of channels."""
    return fields[:, None, MARGIN:-MARGIN, MARGIN:-MARGIN]


def main_finding(result: ot.verification.Verification) -> str:
    """The finding that holds in most bands of the planted range, in logarithmic frequency."""
    (score,) = result.scores
    lengths: dict[str, float] = {}
    for fact in score.facts:
        low = max(fact.low, (FINE + 1) / SIZE)
        if fact.certain and fact.high > low:
            name = fact.code.value
            if fact.code is FactCode.MISPLACED and any(r.displaced for r in result.registrations):
                name = "displaced"
            lengths[name] = lengths.get(name, 0.0) + float(np.log(fact.high / low))
    return max(lengths, key=lambda name: lengths[name]) if lengths else "nothing"


def ensemble_finding(fields: np.ndarray, others: list[np.ndarray], scale: float) -> str:
    """What is said of four members that differ from the shared part as the truth does, times a scale."""
    shared = filtered(fields, np.where(FINE <= K, 0.0, 1.0))
    fine = [filtered(other, np.where(FINE <= K, 1.0, 0.0)) for other in (fields, *others)]
    members = np.stack([inner(shared + scale * noise) for noise in fine[1:]], axis=1)
    (score,) = ot.verify(members, inner(shared + fine[0]), member=1).ensembles
    codes = (EnsembleFactCode.RELIABLE, EnsembleFactCode.COLLAPSED, EnsembleFactCode.TOO_WIDE)
    lengths = {
        code.value: sum(
            np.log(f.high / max(f.low, (FINE + 1) / SIZE))
            for f in score.facts
            if f.code is code and f.certain and f.high > (FINE + 1) / SIZE
        )
        for code in codes
    }
    best = max(lengths, key=lambda name: lengths[name])
    return best if lengths[best] else "nothing"


def table(folder: Path | None, cases: int) -> list[str]:
    """Return the lines of the tables in Markdown."""
    lines = ["| fields | planted | " + " | ".join(SAID) + " |", "|---" * (len(SAID) + 2) + "|"]
    ensembles = ["| fields | planted | " + " | ".join(ENSEMBLE) + " |", "|---" * (len(ENSEMBLE) + 2) + "|"]
    for name, source in sources(folder).items():
        for defect in ("good", "hedged", "over-smoothed", "noisy", "misplaced", "displaced"):
            counts = dict.fromkeys(SAID, 0)
            for case in range(cases):
                generator = np.random.default_rng(case)
                fields = source(generator)
                truth, other = fields[:SAMPLES], fields[SAMPLES:]
                forecast = planted(truth, other, defect, generator)
                counts[main_finding(ot.verify(inner(forecast), inner(truth)))] += 1
            lines.append(line(name, defect, counts, cases))
        for defect, scale in (("reliable", 1.0), ("collapsed", 0.5), ("too wide", 1.6)):
            found = dict.fromkeys(ENSEMBLE, 0)
            for case in range(cases):
                generator = np.random.default_rng(case)
                fields = [source(generator)[:SAMPLES] for _ in range(5)]
                found[ensemble_finding(fields[0], fields[1:], scale)] += 1
            ensembles.append(line(name, defect, found, cases))
        print(*lines[-6:], *ensembles[-3:], sep="\n", flush=True)
    return [*lines, "", *ensembles]


def line(name: str, defect: str, counts: dict[str, int], cases: int) -> str:
    """One row, in per cent; nothing for 0."""
    cells = (f"{100 * count / cases:.0f}" if count else "" for count in counts.values())
    return f"| {name} | {defect} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--quick"]
    text = table(Path(words[0]) if words else None, 3 if "--quick" in sys.argv else CASES)
    out = Path(__file__).parent / "results" / "defects.md"
    if "--quick" not in sys.argv:
        out.write_text(
            "\n".join(["# defects", "", "Per cent of the cases.", "", *text]) + "\n", encoding="utf-8"
        )
    print("\n".join(text))
