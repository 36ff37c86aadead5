"""
Which frequencies does a photograph contain?
============================================

The spectrum of a photograph is measured in bands of radial frequency. It falls steeply: the lowest bands hold
most of the power, and the many bands of high frequency hold the edges and the texture.
"""

import matplotlib.pyplot as plt
import skimage.data

import overtone as ot

signal = ot.signals.image(skimage.data.camera()[::2, ::2])
spectrum = ot.spectra.grid(
    signal.grid_values, spacing=signal.geometry.spacing, channel_axis=-1
)

# %%
# Power is counted once: the powers of all bands add up to the mean square of the values. The share below a
# frequency therefore says how much of the picture a network reproduces that has learned up to this frequency.
varying = slice(1, None)  # the first band is the mean
centre, power = spectrum.bands.centre[varying], spectrum.power[varying, 0]
share = power.cumsum(0) / power.sum()

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
left.loglog(centre, power, "o-")
left.set(
    xlabel=f"Frequency ({signal.geometry.frequency_unit})",
    ylabel="Power in the band (brightness²)",
)
right.semilogx(spectrum.bands.high[varying], 100 * share, "o-")
right.axhline(90, color="0.6", linestyle=":")
right.set(
    xlabel=f"Frequency ({signal.geometry.frequency_unit})",
    ylabel="Share of the power below (%)",
)
plt.show()

# %%
# The bandwidth is the frequency below which 90 % of the power lies, the mean not counted.
print(
    f"radial bandwidth: {float(spectrum.bandwidth()[0]):.0f} {signal.geometry.frequency_unit}"
)
