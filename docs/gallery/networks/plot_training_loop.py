"""
Which frequencies has my network learned so far?
================================================

One line in a training loop of plain PyTorch records which frequencies a network has learned. Here a small
ReLU network without an encoding learns a picture of 32 x 32 pixels.
"""

import matplotlib.pyplot as plt
import skimage.data
import skimage.transform
import torch
from torch import nn

import overtone as ot

picture = skimage.transform.resize(
    skimage.data.camera(), (32, 32), anti_aliasing=True
)
signal = ot.signals.image(picture)
coords, values = signal.coords.float(), signal.values

torch.manual_seed(0)
network = nn.Sequential(
    nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
)
optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)

with ot.Probe(signal, network) as probe:
    for step in range(601):
        loss = nn.functional.mse_loss(network(coords), values)
        probe(
            step, loss.detach(), force=step == 600
        )  # the only line that is added
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# %%
# Dark cells are learned: their relative error is near 0. The error of the lowest bands falls first, and the
# highest bands are hardly learned at the end. The white line marks the step at which a band is learned.
plot = ot.plots.LearningOrder(probe.record)
fig, ax = plt.subplots(figsize=(5.5, 3.5), layout="constrained")
plot.figure(
    ax=ax
)  # plot.plotly() draws the same for screens, plot.save("order.pdf") for papers
print(plot.describe())
plt.show()
