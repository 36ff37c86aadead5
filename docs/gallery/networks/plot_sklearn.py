"""
Can I watch a model that is not written in PyTorch?
===================================================

An observer takes predictions as arrays, so any model that is trained in steps can be recorded. Here it is a regressor
of scikit-learn on a table of five columns.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.neural_network import MLPRegressor

import overtone as ot

x = np.random.default_rng(0).normal(size=(400, 5))
smooth, fast = np.sin(x[:, 0]), 0.5 * np.sin(5 * x[:, 1])
model = MLPRegressor(
    hidden_layer_sizes=(64,), learning_rate_init=0.01, random_state=0
)
model.partial_fit(x, smooth + fast)

with ot.Observer.of(
    x, smooth + fast, attrs={"network": "MLPRegressor"}
) as observer:
    for step in range(1, 121):
        if observer.due(step):
            observer.observe(
                step, model.predict(observer.inputs), loss=model.loss_
            )
        model.partial_fit(x, smooth + fast)

# %%
# The table has too many columns for a grid of frequencies. Its rows are joined to their nearest neighbours, and
# frequency is the rate of change along these edges. The smooth part of the target is learned within a few steps;
# the roughest part has a large error to the end.
record = ot.records.metrics.combine_channels(observer.record)
error = ot.records.metrics.relative_error(record)
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for band in (1, len(record.band) // 2, len(record.band) - 1):
    ax.plot(
        record.step,
        error[:, band],
        label=f"from {float(record.band_low[band]):.2g} cycles per unit",
    )
ax.set(xscale="log", xlabel="Step", ylabel="Relative error", ylim=(0, 1.6))
ax.legend()
plt.show()
