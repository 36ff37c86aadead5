"""
How strong is the noise in my picture?
======================================

White noise has the same power at every frequency, while the power of a picture falls with frequency. The
noise floor is estimated from the noisy values alone: no clean picture is needed.
"""

import matplotlib.pyplot as plt
import numpy as np
import skimage.data

from overtone import spectra

picture = skimage.data.camera()[::2, ::2] / 255
deviation = 0.05
noisy = picture + deviation * np.random.default_rng(0).standard_normal(
    picture.shape
)

floor = spectra.noise_floor(noisy)
print(spectra.noise_sentence(floor))
print(f"added: {deviation}")

# %%
# The dashed line is the estimated noise per mode. Where the spectrum of the noisy picture reaches it, the
# picture is hidden by the noise, and a network that learns these frequencies learns noise.
before, after = (
    spectra.grid(values, spacing=1 / 256) for values in (picture, noisy)
)
modes = (
    floor.power[1:, 0] / float(floor.std[0]) ** 2
)  # share of the modes in each band

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for spectrum, label in (
    (before, "before the noise was added"),
    (after, "with noise"),
):
    ax.loglog(
        spectrum.bands.centre[1:],
        spectrum.power[1:, 0] / modes,
        "o-",
        markersize=3,
        label=label,
    )
ax.axhline(
    float(floor.std[0]) ** 2,
    color="black",
    linestyle="--",
    label="estimated noise floor",
)
ax.set(
    xlabel="Frequency (cycles per picture height)",
    ylabel="Power per mode (brightness²)",
)
ax.legend()
plt.show()
