"""Conversion of a noise floor to facts for records and to sentences."""

from __future__ import annotations

from overtone._utils.noise_wording import NoiseFacts, noise_wording
from overtone.spectra._noise_floor import NoiseFloor


def noise_facts(noise: NoiseFloor) -> NoiseFacts:
    """Return the numbers of a noise floor per channel, as stored in records.

    Args:
        noise: The noise floor.
    """
    std, low, high, extent = (
        tuple(numbers.tolist()) for numbers in (noise.std, noise.low, noise.high, noise.extent)
    )
    verdicts = tuple(verdict.value for verdict in noise.verdicts)
    return NoiseFacts(noise.verdict.value, verdicts, std, low, high, extent, tuple(map(bool, noise.rising)))


def noise_sentence(noise: NoiseFloor) -> str:
    """Describe a noise floor in one or two sentences, for the channels with its verdict.

    Args:
        noise: The noise floor.

    Example:
        >>> import torch
        >>> from overtone import spectra
        >>> spectra.noise_sentence(spectra.noise_floor(torch.full((32, 32), 7.0)))
        'There is no white noise: parts of the signal are smooth to within 0.01% of its range.'
    """
    return noise_wording(noise_facts(noise))
