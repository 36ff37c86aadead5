"""
Which details of a volume has a network learned?
================================================

A volume of 16 x 24 x 24 voxels with slices of 2 mm is fitted. The bandwidth is chosen for each axis in cycles per mm.
"""

import matplotlib.pyplot as plt

import overtone as ot

body = ot.signals.synthetic.phantom((16, 24, 24), spacing=(2.0, 1.0, 1.0))
run = ot.fit(
    body,
    steps=80,
    width=48,
    depth=2,
    features=128,
    held_out=0,
    stop=False,
    seed=0,
)
fitted = run.predict().reshape(16, 24, 24)
volume = body.grid_values[..., 0]

# %%
# The large parts of the body are learned. After 80 steps its thin shell is blurred, and the small bright part is too
# dark. In the difference white is 0, red too dark and blue too bright.
fig, axes = plt.subplots(1, 3, figsize=(9.5, 3.4), layout="constrained")
shown = {"volume": volume, "network": fitted, "difference": fitted - volume}
for ax, (name, values) in zip(axes, shown.items(), strict=True):
    limits = (-0.5, 0.5) if name == "difference" else (0, 1)
    ax.imshow(
        values[:, 12].numpy(),
        cmap="RdBu" if name == "difference" else "gray",
        clim=limits,
        extent=(0, 24, 32, 0),
    )
    ax.set(title=name, xlabel="Columns (mm)", ylabel="Across slices (mm)")
plt.show()

# %%
# The same in numbers: the relative error rises with frequency.
error = ot.records.metrics.relative_error(
    ot.records.metrics.combine_channels(run.record)
)[-1]
fig, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
ax.semilogx(run.record.band[1:], error[1:], "o-")
ax.set(
    xlabel=f"Frequency ({body.geometry.frequency_unit})",
    ylabel="Relative error",
    ylim=(0, 1.2),
)
ax.set_xticks(
    [0.02, 0.05, 0.1, 0.2, 0.5], ["0.02", "0.05", "0.1", "0.2", "0.5"]
)
ax.minorticks_off()
plt.show()
