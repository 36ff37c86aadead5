"""
Can I measure a spectrum without a grid?
========================================

Sensors, wells and meshes do not lie on a grid. Here a picture is known at 3000 random places only. The result
states up to which frequency these places determine the spectrum.
"""

import matplotlib.pyplot as plt
import numpy as np
import skimage.data

from overtone import spectra

picture = (skimage.data.camera() / 255).reshape(128, 4, 128, 4).mean((1, 3))
chosen = np.random.default_rng(0).choice(picture.size, 3000, replace=False)
rows, columns = np.divmod(chosen, 128)
places = (np.stack([rows, columns], axis=1) + 0.5) / 128  # in picture heights

sampled = spectra.points(
    places, picture.ravel()[chosen], domain=(0, 1), periodic=False
)
exact = spectra.grid(picture, bands=sampled.bands)
bands = slice(
    1, sampled.bands.count - 1
)  # neither the mean nor the narrow last band

# %%
# At low frequencies 3000 places give the spectrum of all 16384 pixels. Towards the supported frequency, which
# follows from the density of the places, the power above it cannot be told from the power below it, so the
# estimate is too high.
fig, (left, right) = plt.subplots(
    1, 2, figsize=(9.5, 3.8), layout="constrained", width_ratios=[1, 1.6]
)
left.scatter(
    places[:, 1], 1 - places[:, 0], c=picture.ravel()[chosen], s=2, cmap="gray"
)
left.set(
    xlabel="Across (picture heights)",
    ylabel="Up (picture heights)",
    aspect="equal",
)
right.loglog(
    exact.bands.centre[bands],
    exact.power[bands, 0],
    "o-",
    markersize=3,
    label="all 16384 pixels",
)
right.loglog(
    sampled.bands.centre[bands],
    sampled.power[bands, 0],
    "o-",
    markersize=3,
    label="3000 places",
)
right.axvline(
    sampled.supported, color="0.5", linestyle="--", label="supported frequency"
)
right.set(
    xlabel="Frequency (cycles per picture height)",
    ylabel="Power in the band (brightness²)",
)
right.legend()
plt.show()
