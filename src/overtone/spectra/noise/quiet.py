"""The quiet-block estimator: the spectrum of the places where the signal has least structure."""

from __future__ import annotations

import itertools

import numpy as np
import scipy.fft

from overtone._utils import seeding as rng
from overtone.spectra.noise.curve import Curve, robust_power

_SIDES = {1: 32, 2: 8, 3: 4}
_LOWEST_BLOCK_FREQUENCY = 0.3
_BLOCK_RINGS = 8
_MOST = 1 << 15
_FEWEST_BLOCKS = 8
_SHARES = tuple(0.5**k for k in range(7))


def quiet_curves(values: np.ndarray, offset: float = 0.0, scale: float = 1.0) -> list[Curve]:
    """Power per mode of the quietest blocks, one curve for each share of the blocks: all, 1/2, ... 1/64.

    The signal is cut into blocks (32 samples, 8 x 8 or 4 x 4 x 4), each transformed by an orthonormal DCT-II, and the
    coefficients are split like the squares of a chessboard. One half ranks the blocks by their energy, the other
    half gives the power, and then the roles change: of white noise the halves are independent, so choosing blocks
    does not bias the power. (Ranking blocks by one part of their DCT and measuring on another: Ponomarenko,
    Lukin, Zriakhov, Kaarna & Astola 2007, "An automatic approach to lossy compression of AVIRIS images", IGARSS;
    weak texture: Liu, Tanaka & Okutomi 2013, "Single-image noise level estimation for blind denoising", IEEE Trans.
    Image Processing 22.) In each ring of frequency the median over blocks is taken.

    It assumes that the signal is quiet somewhere, and that the noise is as strong there as elsewhere.

    Args:
        values: Real values of 1 to 3 axes; at most 32768 blocks are read, drawn at random with
            a fixed seed.
        offset: Subtracted from the values first.
        scale: Divided by afterwards.

    Returns:
        Curves of ever fewer blocks, at least eight each; none if there are fewer blocks.
    """
    sides = [min(_SIDES[values.ndim], n) for n in values.shape]
    energies = _energies(values, sides, offset, scale)
    if len(energies) < _FEWEST_BLOCKS:
        return []
    index = np.indices(sides).reshape(values.ndim, -1)
    radius = np.sqrt(np.square(index / np.array(sides)[:, None]).sum(0))
    white = index.sum(0) % 2 == 0
    halves = [(white & (radius > 0), ~white), (~white, white)]
    shares = [s for s in _SHARES if s * len(energies) >= _FEWEST_BLOCKS]
    points: dict[float, list[tuple[float, float, float]]] = {share: [] for share in shares}
    edges = np.linspace(_LOWEST_BLOCK_FREQUENCY, radius.max() * (1 + 1e-9), _BLOCK_RINGS + 1)
    for rank_by, measure in halves:
        order = np.argsort(energies[:, rank_by].sum(1), kind="stable")
        for low, high in itertools.pairwise(edges):
            ring = measure & (radius >= low) & (radius < high)
            if not ring.any():
                continue
            means = energies[:, ring].mean(1)[order]
            for share in shares:
                power = robust_power(means[: int(share * len(means))], int(ring.sum()))
                points[share].append((float(radius[ring].mean()), *power))
    return [Curve(*np.array(found).T) for found in points.values() if found]


def _energies(values: np.ndarray, sides: list[int], offset: float, scale: float) -> np.ndarray:
    """(block, coefficient) squared DCT coefficients of blocks that tile the signal."""
    windows = np.lib.stride_tricks.sliding_window_view(values, sides)
    tiles = windows[tuple(slice(None, None, side) for side in sides)]
    count = int(np.prod(tiles.shape[: values.ndim]))
    chosen = np.arange(count)
    if count > _MOST:
        chosen = np.sort(rng.generator(0, "noise", "blocks").choice(count, _MOST, replace=False))
    blocks = tiles[np.unravel_index(chosen, tiles.shape[: values.ndim])].astype(np.float64)
    blocks = (blocks - offset) / scale
    axes = tuple(range(1, blocks.ndim))
    modes = scipy.fft.dctn(blocks, axes=axes, norm="ortho", overwrite_x=True)
    return np.square(modes).reshape(len(chosen), -1)
