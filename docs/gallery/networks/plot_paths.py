"""
How smooth is a classifier between two samples?
===============================================

A classifier is evaluated along straight lines between samples. The spectrum of its probabilities along these
lines says how fast they change, within a class and from one class to another.
"""

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn

import overtone as ot
from overtone.spectra import paths

pixels, labels = load_digits(return_X_y=True)
pixels, labels = torch.from_numpy(pixels / 16).float(), torch.from_numpy(labels)
torch.manual_seed(0)
network = nn.Sequential(nn.Linear(64, 200), nn.ReLU(), nn.Linear(200, 10))
optimizer = torch.optim.Adam(network.parameters(), 3e-3)
for _ in range(10):
    for rows in torch.randperm(len(pixels)).split(128):
        optimizer.zero_grad()
        nn.functional.cross_entropy(
            network(pixels[rows]), labels[rows]
        ).backward()
        optimizer.step()

routes = {
    "within a class": paths.Paths.within_classes(pixels, labels, count=100),
    "between classes": paths.Paths.between_classes(pixels, labels, count=100),
    "from a sample to noise": paths.Paths.to_noise(pixels, count=100),
}

# %%
# Within a class the probabilities hardly change: at low frequencies their power is far below that between
# classes. At high frequencies the power of all three is small. The shades are 95 % intervals over the paths.
groups = {}
for name, route in routes.items():
    result = paths.path_spectrum(
        lambda rows: network(rows).softmax(1), route, samples=64
    )
    power = result.pooled.interval()  # summed over the ten classes
    groups[name] = [power.mean[:, 0], power.low[:, 0], power.high[:, 0]]
bands = result.bands
fig, ax = plt.subplots(figsize=(5.5, 3.5), layout="constrained")
ot.plots.BandPower(
    bands.low, bands.high, groups, "cycles per path", "probability"
).figure(ax=ax)
plt.show()
