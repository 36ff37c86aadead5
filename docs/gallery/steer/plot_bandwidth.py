"""
Which bandwidth suits my picture?
=================================

Bandwidths of an encoding are compared by the fit of the infinitely wide network on held-out pixels. No network
is trained, and the comparison takes less than a second.
"""

import matplotlib.pyplot as plt
import skimage.data
import skimage.transform

from overtone import signals, units
from overtone.nn.encodings import Gaussian
from overtone.theory import kernel_regression
from overtone.theory.kernel_regression import NTKModel

picture = skimage.transform.resize(
    skimage.data.camera(), (48, 48), anti_aliasing=True
)
signal = signals.array(picture)
signal = signal.with_held_out(
    signals.masks.random(signal.geometry, 0.1, seed=0)
)

sigmas = [0.25, 0.5, 1, 2, 4, 8]
models = [
    NTKModel.from_encoding(Gaussian(2, 128, sigma, seed=0), signal.geometry)
    for sigma in sigmas
]
comparison = kernel_regression.compare(signal, models)

# %%
# The error is flat around its minimum and rises steeply above it: a bandwidth that is too low costs little, one
# that is too high costs many decibels. The filled circle is the recommended choice.
bandwidths = [units.gaussian_bandwidth(sigma) for sigma in sigmas]
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.semilogx(bandwidths, comparison.loss_db, "o-", fillstyle="none")
ax.plot(
    bandwidths[comparison.middle],
    comparison.loss_db[comparison.middle],
    "o",
    color="C0",
)
ax.set(
    xlabel="Bandwidth (cycles per picture)",
    ylabel="Held-out error above the best (dB)",
)
print(
    f"recommended: sigma = {sigmas[comparison.middle]}, a bandwidth of {bandwidths[comparison.middle]:.1f} cycles"
)
plt.show()
