"""
Which layer represents which frequency?
=======================================

For each layer of a network a linear read-out is fitted to the target and tested on held-out samples. Its error
per band says which frequencies this layer represents.
"""

import matplotlib.pyplot as plt
import skimage.data
import skimage.transform
import torch
from torch import nn

import overtone as ot
from overtone.spectra import GridTransform, linear_readout

picture = skimage.transform.resize(
    skimage.data.camera(), (32, 32), anti_aliasing=True
)
target = torch.from_numpy(picture).float().reshape(-1, 1)
axis = (torch.arange(32) + 0.5) / 16 - 1
coords = torch.cartesian_prod(axis, axis)

torch.manual_seed(0)
blocks = nn.ModuleList(
    nn.Sequential(nn.Linear(n, 64), nn.ReLU()) for n in (2, 64, 64, 64)
)
network = nn.Sequential(*blocks, nn.Linear(64, 1))
optimizer = torch.optim.Adam(network.parameters(), 3e-3)
for _ in range(300):
    optimizer.zero_grad()
    nn.functional.mse_loss(network(coords), target).backward()
    optimizer.step()

activations, values = {}, coords
with torch.no_grad():
    for number, block in enumerate(blocks, 1):
        activations[f"layer {number}"] = values = block(values)
transform = GridTransform((32, 32), bands=[0, 0.25, 1, 2, 4, 8, 16])
result = linear_readout.read_out(activations, target, transform)

# %%
# In every layer low frequencies have a smaller error than high ones, and at middle frequencies the error falls
# from layer to layer. An error of 1 or more means that the layer does not represent the band.
curves = {
    name: error[:, 0]
    for name, error in zip(result.layers, result.relative_error, strict=True)
}
fig, ax = plt.subplots(figsize=(5.5, 3.5), layout="constrained")
label = "Relative error of the read-out"
ot.plots.ByFrequency(
    result.bands.centre, curves, "cycles per picture", label
).figure(ax=ax)
ax.axhline(1, color="0.6", linestyle=":")
plt.show()
