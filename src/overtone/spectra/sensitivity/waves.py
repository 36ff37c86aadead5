"""Pictures with one Fourier mode added, of a given norm and a random sign."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from overtone._utils.seeding import generator
from overtone.errors import InputError
from overtone.spectra.bands import Bands


@final
class Waves:
    """Every picture with every mode: U_f = cos(2 pi (f_y y + f_x x)) scaled to sum U_f^2 = 1, times +-norm.

    The sign is drawn for every picture, channel and mode.

    Args:
        pixels: (N, C, H, W) pictures.
        turns: (mode, 2) int64 cycles per picture along height and width.
        norm: L2 norm of what is added per channel, in units of the pixels.
        seed: Seed of the signs.

    Raises:
        InputError: If the norm is not positive.
    """

    def __init__(self, pixels: Tensor, turns: Tensor, norm: float, seed: int) -> None:
        if not (math.isfinite(norm) and norm > 0):
            raise InputError(
                "a positive norm", f"{norm}", "pass for instance a tenth of a picture's own norm", "norm"
            )
        self._pixels, self._turns, self._norm, self._seed = pixels, turns, norm, seed

    def __len__(self) -> int:
        return len(self._turns) * len(self._pixels)

    def added(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Changed pictures and which of the pictures they were.

        Args:
            rows: Which of the mode x picture rows, all pictures of one mode after the other.

        Returns:
            (B, C, H, W) in the pictures' precision, and (B,) int64.
        """
        count, channels, *size = self._pixels.shape
        row = torch.arange(rows.start, rows.stop, device="cpu")
        mode, which = row // count, row % count
        first, last = int(mode[0]), int(mode[-1])
        several = self._turns[first : last + 1]
        waves = torch.stack([_wave(turns, size) for turns in several])
        signs = torch.stack([_signs(turns, count, channels, self._seed) for turns in several])
        added = (self._norm * signs[mode - first, which])[..., None, None] * waves[mode - first, None]
        return self._pixels[which.to(self._pixels.device)] + added.to(self._pixels), which


def half_plane(size: tuple[int, int], highest: float | None = None) -> Tensor:
    """(mode, 2) int64 cycles per picture, one of each pair f and -f.

    Args:
        size: Height and width in pixels.
        highest: Leave out frequencies above, along either axis, in cycles per pixel; None for all.

    Raises:
        InputError: If no frequency is left.
    """
    height, width = size
    row = torch.arange(height, device="cpu") - height // 2
    column = torch.arange(width, device="cpu") - width // 2
    turns = torch.cartesian_prod(row, column)
    mirrored = torch.stack([_wrapped(-turns[:, axis], n) for axis, n in enumerate(size)], 1)
    key, other = (t[:, 0] * width + t[:, 1] for t in (turns, mirrored))
    kept = turns[key >= other]
    if highest is None:
        return kept
    inside = (kept.double().abs() / torch.tensor(size, device="cpu")).amax(1) <= highest * (1 + 1e-9)
    if not bool(inside.any()):
        raise InputError("a highest frequency of 0 or more", f"{highest}", "pass up to 0.5", "highest")
    return kept[inside]


def drawn_from(bands: Bands, size: tuple[int, int], each: int, seed: int) -> Tensor:
    """(mode, 2) int64 cycles per picture: modes of each band of radial frequency, drawn without repetition.

    Args:
        bands: In cycles per pixel.
        size: Height and width in pixels.
        each: Most modes a band.
        seed: Seed of the draw.
    """
    turns = half_plane(size)
    radius = (turns.double() / torch.tensor(size, device="cpu")).norm(dim=1)
    order = torch.from_numpy(generator(seed, "waves").permutation(len(turns)))
    band = bands.index(radius[order])
    chosen = [order[band == number][:each] for number in range(bands.count)]
    return turns[torch.cat(chosen)]


def _wrapped(turns: Tensor, n: int) -> Tensor:
    return (turns + n // 2) % n - n // 2


def _wave(turns: Tensor, size: list[int]) -> Tensor:
    """(H, W) float64 cosine of unit norm."""
    row, column = (
        torch.arange(n, dtype=torch.float64, device="cpu") * t / n for n, t in zip(size, turns, strict=True)
    )
    wave = torch.cos(2 * math.pi * (row[:, None] + column))
    return wave / wave.norm()


def _signs(turns: Tensor, pictures: int, channels: int, seed: int) -> Tensor:
    """(picture, channel) float64 +1 or -1, those of one mode."""
    source = generator(seed, "heat map", *(str(int(t)) for t in turns))
    return torch.from_numpy(source.integers(0, 2, size=(pictures, channels)) * 2.0 - 1.0)
