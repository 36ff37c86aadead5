"""
What do missing cells do to a spectrum?
=======================================

Land, gaps between swaths and failed pixels leave holes. With zeros in them, large scales leak into small ones, the same
in a field and in a blurred copy of it, so that the copy looks sharp. Inverting the coupling by the mask does not have
this fault.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

from overtone import spectra

generator = np.random.default_rng(0)
k = np.hypot(
    *np.meshgrid(np.fft.fftfreq(96, 1 / 96), np.fft.fftfreq(96, 1 / 96))
)


def random_fields(slope, count):
    noise = np.fft.fft2(generator.standard_normal((count, 96, 96)))
    return np.fft.ifft2(noise * np.maximum(k, 1) ** (-(slope + 1) / 2)).real


truth = random_fields(3, 24)
blurred = np.fft.ifft2(np.fft.fft2(truth) * np.exp(-((k / 24) ** 2))).real

# %%
# A third of the cells is land: where another smooth field is highest.
terrain = random_fields(2.5, 1)[0]
ocean = torch.from_numpy(terrain < np.quantile(terrain, 0.67))

transform = spectra.MaskedTransform.of_box(ocean, periodic=True, slope=3)
whole = spectra.GridTransform((96, 96), periodic=True, bands=transform.bands)


def power_ratio(transform, mask):
    fields = [
        torch.from_numpy(x).movedim(0, -1) * mask[..., None]
        for x in (blurred, truth)
    ]
    powers = [transform.power(transform.coefficients(f)).sum(1) for f in fields]
    return (powers[0] / powers[1])[1:-1]


# %%
# The ratio of powers of the blurred and the original fields: known without gaps, far too large with zeros in
# the gaps.
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
left.imshow(np.where(ocean, truth[0], np.nan), cmap="RdBu_r")
left.set_title("a field with missing cells")
left.set_axis_off()
everywhere = torch.ones_like(ocean)
for label, ratio, style in (
    ("without gaps", power_ratio(whole, everywhere), "k-"),
    ("zeros in the gaps", power_ratio(whole, ocean), "C3--"),
    ("MaskedTransform", power_ratio(transform, ocean), "C0o"),
):
    centres = transform.bands.centre[1:-1]
    right.loglog(centres, ratio.clip(min=1e-5), style, label=label, ms=4)
right.set(
    xlabel="Frequency (cycles per array)",
    ylabel="Gain (power of the blurred field over the original's)",
    ylim=(1e-3, 1.5),
)
right.legend()
plt.show()
