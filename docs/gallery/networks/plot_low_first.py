"""
Are low frequencies learned first?
==================================

Six tones of equal strength are learned by a network of two hidden layers. Since all tones have the same
amplitude, the order in which they are learned is that of the network and not that of the data.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

import overtone as ot

tones = [1, 2, 3, 4, 6, 8]
signal = ot.signals.synthetic.harmonics(tones, samples=128, seed=0)
x, y = signal.coords.float(), signal.values

torch.manual_seed(0)
network = nn.Sequential(
    nn.Linear(1, 128),
    nn.ReLU(),
    nn.Linear(128, 128),
    nn.ReLU(),
    nn.Linear(128, 1),
)
optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)

with ot.Probe(signal, network) as probe:
    for step in range(1501):
        loss = nn.functional.mse_loss(network(x), y)
        probe(step, loss.detach())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# %%
# Each line is one tone. A tone counts as learned when its relative error stays below 0.5, the dotted line.
metrics = ot.records.metrics
record = metrics.combine_channels(probe.record)
error = metrics.relative_error(record)
learned = metrics.learning_step(record)

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for tone, colour in zip(
    tones,
    plt.cm.viridis(torch.linspace(0, 0.9, len(tones)).numpy()),
    strict=True,
):
    band = int((record.band_high.values > tone).argmax())
    ax.plot(
        record.step[1:], error[1:, band], color=colour, label=f"{tone} cycles"
    )
    print(f"{tone} cycles: learned at step {float(learned[band]):.0f}")
ax.axhline(0.5, color="black", linestyle=":")
ax.set(xscale="log", xlabel="Step", ylabel="Relative error", ylim=(0, 1.3))
ax.legend()
plt.show()
