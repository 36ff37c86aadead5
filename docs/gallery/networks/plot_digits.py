"""
In which order does a classifier learn its classes?
===================================================

The pictures of a classifier do not lie on a grid. Frequency is therefore measured on the graph of nearest
pictures: a class is smooth on this graph if neighbours have the same label.
"""

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn

import overtone as ot

pixels, labels = load_digits(return_X_y=True)
pixels, labels = torch.from_numpy(pixels / 16).float(), torch.from_numpy(labels)
torch.manual_seed(0)
shuffled = labels[torch.randperm(len(labels))]


def train(labels):
    """Train a small classifier and return the record of its probabilities."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    with ot.Probe.of(pixels, labels, network, samples=256) as probe:
        for step in range(201):
            batch = torch.randint(len(labels), (64,))
            loss = nn.functional.cross_entropy(
                network(pixels[batch]), labels[batch]
            )
            probe(step, loss.detach(), force=step == 200)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return ot.records.metrics.combine_channels(probe.record)


# %%
# With the true labels the smooth part of the classes is learned first, the middle part later, and the rough part
# hardly at all within 200 steps. With shuffled labels there is no such order: the three errors fall slowly and
# together, because neighbours no longer have the same label and each picture has to be learned by itself.
records = {"true labels": train(labels), "shuffled labels": train(shuffled)}

fig, axes = plt.subplots(
    1, 2, figsize=(9.5, 3.8), layout="constrained", sharey=True
)
for ax, (name, record) in zip(axes, records.items(), strict=True):
    error = ot.records.metrics.relative_error(record)
    for band in (1, len(record.band) // 2, len(record.band) - 1):
        low = float(record.band_low[band])
        ax.plot(record.step[1:], error[1:, band], label=f"from {low:.2g}")
    ax.set(title=name, xscale="log", xlabel="Step", ylim=(0, 1.2))
    ax.legend(title="graph frequency\n(cycles per unit)")
axes[0].set_ylabel("Relative error of the probabilities")
plt.show()
