"""
What can I read from the record of an old run?
==============================================

A run is one file. It can be read while the training is still running, on another machine, and without PyTorch. The
record is an xarray dataset with named dimensions and units.
"""

import tempfile

import matplotlib.pyplot as plt

import overtone as ot

directory = tempfile.mkdtemp()
signal = ot.signals.synthetic.power_law((32, 32), exponent=3, seed=0)
ot.fit(signal, directory, overwrite=True, steps=150, width=48, depth=2, features=64, seed=0)

# %%
# Later:
record = ot.records.load(directory)
print(record.sizes)
print({name: record.attrs[name] for name in ("signal", "network", "frequency_unit", "bandwidth", "seed")})

# %%
# The power that is not yet learned at three of the recorded steps, and the step at which each band was learned.
# Bands that were not learned have no point.
metrics = ot.records.metrics
fig, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
left.loglog(record.band[1:], record.target_power[1:, 0], color="0.3", linewidth=2, label="target")
for step in (10, 30, 100):
    row = record.residual_power.sel(step=step, method="nearest")
    left.loglog(record.band[1:], row[1:, 0], "o-", markersize=3, label=f"residual, step {int(row.step)}")
left.set(xlabel=f"Frequency ({record.attrs['frequency_unit']})", ylabel="Power in the band (value²)")
left.legend()
right.loglog(record.band[1:], metrics.learning_step(record)[1:, 0], "o-", markersize=3)
right.set(
    xlabel=f"Frequency ({record.attrs['frequency_unit']})", ylabel="Learning step", xlim=left.get_xlim()
)
