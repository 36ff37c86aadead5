"""The order of learning that spectral bias is about, from the library's own record (Rahaman et al. 2019, section 3)."""

import numpy as np
from scipy.stats import spearmanr

import overtone as ot
from overtone.records import metrics

FREQUENCIES = range(5, 51, 5)


def rank_correlation(tmp_path, activation, steps, seed=0):
    """Spearman correlation of frequency and learned fraction at the end of a fit of ten equal harmonics."""
    signal = ot.signals.synthetic.harmonics(list(FREQUENCIES), samples=200, seed=seed)
    settings = {"encoding": "none", "width": 128, "depth": 5, "lr": 3e-4, "held_out": 0}
    run = ot.fit(signal, tmp_path / f"{seed}", activation=activation, steps=steps, seed=seed, **settings)
    record = run.record
    fraction = metrics.learned_fraction(record).isel(step=-1, channel=0)
    band = [int(np.flatnonzero((record.band_low <= k) & (k < record.band_high))[0]) for k in FREQUENCIES]
    return spearmanr(FREQUENCIES, fraction[band]).statistic


def test_relu_learns_low_frequencies_first(tmp_path):
    assert rank_correlation(tmp_path, "relu", 2000) <= -0.9


def test_sine_activations_do_not(tmp_path):
    assert np.median([rank_correlation(tmp_path, "sine", 200, seed) for seed in range(3)]) > -0.6
