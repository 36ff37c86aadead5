"""
What can I read from the record of an old run?
==============================================

A run is one file. It can be read while the training is still running, on another machine, and without PyTorch. The
record is an xarray dataset with named dimensions and units.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import overtone as ot

directory = Path(tempfile.mkdtemp())
signal = ot.signals.synthetic.power_law((32, 32), exponent=3, seed=0)
ot.fit(
    signal,
    directory,
    overwrite=True,
    steps=150,
    width=48,
    depth=2,
    features=64,
    seed=0,
)
print(f"{(directory / 'record.sqlite').stat().st_size / 1000:.0f} kB")

# %%
# Later:
record = ot.records.load(directory)
print(record.sizes)
print(
    {
        name: record.attrs[name]
        for name in ("signal", "network", "frequency_unit", "bandwidth", "seed")
    }
)

# %%
# The power of target, prediction and residual at step 30, and the step at which each band was learned. Triangles are
# bands that were not learned by the end.
fig, axes = plt.subplots(1, 2, figsize=(7.5, 3.2), layout="constrained")
ot.plots.Spectra(record, step=30).figure(ax=axes[0])
ot.plots.LearningStep(record).figure(ax=axes[1])
print(ot.reports.verdict(record)[0])
plt.show()
