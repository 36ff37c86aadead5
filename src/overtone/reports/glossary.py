"""The words a report uses, for readers who meet them for the first time."""

from __future__ import annotations

ENTRIES = (
    (
        "Frequency",
        "How often a pattern repeats per unit of the coordinate: cycles per picture height, Hz for recordings. "
        "Low frequencies are the broad shapes, high ones the fine detail.",
    ),
    (
        "Band",
        "A range of frequencies that is looked at as one. All bands together hold the whole signal; the last one "
        "may be the corner beyond the Nyquist frequency that only diagonal patterns reach.",
    ),
    (
        "Power",
        "The mean square of what a signal holds in a band. The powers of all bands add up to the mean square "
        "of the values.",
    ),
    (
        "Relative error of a band",
        "The square root of residual power over target power in the band: 1 when nothing is learned, "
        "0 when it is learned exactly.",
    ),
    (
        "Learned fraction",
        "How much of the target's pattern in a band the prediction contains: 0 untouched, 1 learned, above 1 "
        "overshoot.",
    ),
    ("Learning step", "The first recorded step after which the relative error of a band stays below 0.5."),
    (
        "Nyquist frequency",
        "Half the sampling rate: the highest frequency the samples can hold along an axis.",
    ),
    (
        "Noise floor",
        "The part of the target's power that is measurement noise, estimated from the signal or given. A network "
        "that learns a band down to its noise has learned what there is; below that it learns the noise.",
    ),
    (
        "Best step",
        "The step with the least expected error on clean data; stopping there avoids learning noise.",
    ),
    (
        "Held-out samples",
        "Samples kept out of training, to see what the network does between the samples it was shown.",
    ),
    (
        "PSNR",
        "Peak signal-to-noise ratio in dB: 10 log10 of peak² over the mean square error. 20 dB more "
        "means a tenth of the typical error.",
    ),
    (
        "Bandwidth",
        "How far an encoding or a network reaches: the frequency below which 90% of its spectral power lies.",
    ),
)
"""Word and meaning, in reading order."""
