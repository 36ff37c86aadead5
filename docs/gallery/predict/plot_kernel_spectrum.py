"""
Which frequencies will my network learn fast?
=============================================

The eigenvalues of the tangent kernel are the rates at which frequencies are learned near the initialisation. They
follow from the network alone, before there is any data.
"""

import matplotlib.pyplot as plt
import torch

from overtone import nn
from overtone.theory import ntk

grid = torch.arange(256, dtype=torch.float64)[:, None] / 256
relu, layers = ntk.DualActivation.relu(), [ntk.DenseLayer.ntk()] * 4

# %%
# A ReLU network whose input is a point on a circle has rates that fall by orders of magnitude: high frequencies
# are learned late. Random Fourier features make the spectrum flat up to their bandwidth, which grows with sigma,
# and lower the rate of the lowest frequencies.
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
encodings = {
    "a point on a circle": nn.encodings.Basic(1),
    "Fourier features, sigma 5": nn.encodings.Gaussian(
        1, 256, sigma=5.0, seed=0
    ),
    "Fourier features, sigma 20": nn.encodings.Gaussian(
        1, 256, sigma=20.0, seed=0
    ),
}
for name, encoding in encodings.items():
    features = ntk.FeatureMap.fourier(encoding.frequencies.double())
    wide = ntk.InfiniteNetwork.fully_connected(layers, relu, features)
    kernel = wide(grid, grid).ntk
    tones = [2 * torch.pi * k * grid[:, 0] for k in range(1, 65)]
    rates = [(wave.cos() @ kernel @ wave.cos() / 128).item() for wave in tones]
    ax.loglog(range(1, 65), torch.tensor(rates) / kernel.trace(), label=name)
ax.set(
    xlabel="Frequency (cycles per unit)",
    ylabel="Rate over the sum of all rates",
)
ax.legend()
plt.show()
