"""
Do the pictures of my generator have the spectrum of the data?
==============================================================

Decoders enlarge small pictures, and each method leaves its mark in the spectrum. Patches of a photograph are reduced
to half their size and enlarged again by the methods that decoders use.
"""

import matplotlib.pyplot as plt
import skimage.data
import torch
from torch.nn import functional

import overtone as ot
from overtone.spectra import generated

photo = torch.from_numpy(skimage.data.camera()).float() / 255
patches = photo.unfold(0, 32, 32).unfold(1, 32, 32).reshape(-1, 1, 32, 32)
order = torch.randperm(len(patches), generator=torch.Generator().manual_seed(0))
data, others = patches[order[:128]], patches[order[128:]]
small = functional.avg_pool2d(others, 2)
made = {
    "repeated pixels": small.repeat_interleave(2, 2).repeat_interleave(2, 3),
    "bilinear": functional.interpolate(small, scale_factor=2, mode="bilinear"),
    "other patches, unchanged": others,
}

# %%
# At 0 dB the samples have the power of the data. Bilinear enlargement lacks power at high frequencies: the pictures
# are blurred. Repeated pixels lack far less of it, because their edges have high frequencies, too. The unchanged
# patches show how much two samples of this size differ by chance.
reference = generated.profiles(data[:, 0])
curves = {}
for name, pictures in made.items():
    result = generated.distance(generated.profiles(pictures[:, 0]), reference)
    curves[name] = [
        row[:, 0] for row in (result.decibels, result.low, result.high)
    ]
    print(f"{name}: {result.total:.1f} dB, by chance {result.chance:.1f} dB")
fig, ax = plt.subplots(figsize=(5.5, 3.5), layout="constrained")
at, label = reference.bands.centre, "Power of samples over data (dB)"
ot.plots.ByFrequency(at, curves, "cycles per picture height", label).figure(
    ax=ax
)
plt.show()
