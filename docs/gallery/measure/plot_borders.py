"""
What happens if a series is wrongly called periodic?
====================================================

A series that rises from its first to its last sample jumps if it is repeated. The jump has power at every
frequency and hides the signal's own. The default therefore continues the series by its mirror image.
"""

import matplotlib.pyplot as plt
import torch

from overtone import spectra

x = (torch.arange(1024, dtype=torch.float64) + 0.5) / 1024
series = x + 0.002 * torch.cos(
    2 * torch.pi * 100 * x
)  # a trend and a faint tone of 100 cycles

one_cycle = spectra.Bands.linear([1024], periodic=True)

# %%
# With the mirror image the tone stands out clearly above its surroundings. With the repetition, the jump at
# the border covers it almost completely.
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for periodic, label in (
    (True, "repeated (periodic=True)"),
    (False, "mirrored (the default)"),
):
    spectrum = spectra.grid(series, periodic=periodic, bands=one_cycle)
    ax.loglog(spectrum.bands.centre[1:], spectrum.power[1:, 0], label=label)
ax.axvline(100, color="0.6", linestyle=":", label="the tone")
ax.set(
    xlabel="Frequency (cycles per array)",
    ylabel="Power in the band (value²)",
    ylim=(1e-13, 1),
)
ax.legend()
plt.show()
