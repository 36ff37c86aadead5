"""
Can noise be told from texture?
===============================

Not always. The estimate of the noise says so: it distinguishes noise, no noise, and values from which the two
cannot be told apart.
"""

import matplotlib.pyplot as plt
import numpy as np

from overtone import spectra

side, generator = 256, np.random.default_rng(1)
rows, columns = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
disc = 1.0 * (np.hypot(rows, columns) < 0.7)
radius = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
radius[0, 0] = np.inf  # no mean
texture = np.fft.ifft2(
    np.fft.fft2(generator.standard_normal((side, side))) / radius
).real

fields = {
    "a drawing": disc,
    "the drawing with noise": disc
    + 0.1 * generator.standard_normal(disc.shape),
    "a texture": texture / np.ptp(texture),
}

# %%
# The drawing has edges but no noise. With noise its spectrum becomes flat towards the highest frequency. The
# spectrum of the texture falls up to the last band, so a flat part that would prove noise does not exist, and
# its fine detail would look the same if it were noise.
fig, axes = plt.subplots(
    2, 3, figsize=(9.5, 5.6), layout="constrained", height_ratios=[1.2, 1]
)
for (name, values), (above, below) in zip(fields.items(), axes.T, strict=True):
    floor, spectrum = spectra.noise_floor(values), spectra.grid(values)
    above.imshow(values, cmap="gray")
    above.set_axis_off()
    above.set_title(f"{name}:\n{floor.verdict.name.lower().replace('_', ' ')}")
    modes = spectra.GridTransform(values.shape).modes[1:]
    below.loglog(
        spectrum.bands.centre[1:],
        spectrum.power[1:, 0] / modes,
        "o",
        markersize=3,
    )
    below.set(
        xlabel="Frequency (cycles per array)",
        ylabel="Power per mode (value²)",
        ylim=(1e-8, 1e-1),
    )
    print(f"{name}: {spectra.noise_sentence(floor)}")
plt.show()
