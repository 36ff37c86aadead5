"""
Does my scan have the same resolution along each axis?
======================================================

The slices of a scan are often farther apart than the pixels within a slice. Frequencies are in cycles per mm,
so the axes can be compared although their numbers of samples differ.
"""

import matplotlib.pyplot as plt
import torch

import overtone as ot

body = ot.signals.synthetic.phantom((20, 40, 40), spacing=(2.0, 1.0, 1.0))
volume, spacing = body.grid_values[..., 0], body.geometry.spacing
reach = ot.spectra.bandwidth(volume, spacing=spacing)[:, 0]
edges = [0, 0.005, *(0.05 * torch.arange(1, 11)).tolist()]  # cycles per mm
names = ["across slices", "rows", "columns"]

# %%
# Each curve ends at the Nyquist frequency of its axis: 0.25 cycles per mm across the slices and 0.5 within a
# slice. Structure finer than 2 mm is lost across the slices, and no network can restore it from these samples.
fig, (left, right) = plt.subplots(
    1, 2, figsize=(9.5, 3.8), layout="constrained", width_ratios=[1, 1.6]
)
left.imshow(volume[:, 20].numpy(), cmap="gray", extent=(0, 40, 40, 0))
left.set(xlabel="Columns (mm)", ylabel="Across slices (mm)")
for axis, name in enumerate(names):
    spectrum = ot.spectra.axis_grid(volume, axis, spacing=spacing, bands=edges)
    density = (
        spectrum.power[1:, 0]
        / torch.as_tensor(spectrum.bands.high - spectrum.bands.low)[1:]
    )
    shown = (
        density > 1e-9
    )  # the last band, at the Nyquist frequency itself, is empty
    right.semilogy(
        spectrum.bands.centre[1:][shown],
        density[shown],
        "o-",
        markersize=3,
        label=name,
    )
right.set(
    xlabel="Frequency (cycles per mm)",
    ylabel="Power density (value² per cycle per mm)",
)
right.legend()
plt.show()

# %%
# The bandwidth per axis, the frequency below which 90 % of the power lies:
for name, value in zip(names, reach, strict=True):
    print(f"{name}: {float(value):.3f} {body.geometry.frequency_unit}")
