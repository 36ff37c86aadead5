"""
When is the prediction of the initial kernel wrong?
===================================================

The tangent kernel at the initialisation predicts training exactly if the network hardly changes. A tanh network
without an encoding changes much: it learns features for high frequencies that its initial kernel does not have.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

import overtone as ot
from overtone.theory.dynamics import predict

metrics = ot.records.metrics
signal = ot.signals.synthetic.harmonics([1, 2, 3, 5], samples=64, seed=0)
x, y = signal.coords.float(), signal.values
steps = 4000

torch.manual_seed(0)
network = nn.Sequential(
    nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
)
optimizer = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9)
prediction = predict(
    signal, network, optimizer, steps=steps
)  # no pilot: the initial kernel alone

with ot.Probe(signal, network) as probe:
    for step in range(steps + 1):
        loss = nn.functional.mse_loss(network(x), y)
        probe(step, loss.detach())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# %%
# Solid lines are measured and dashed lines predicted. For the lowest frequency the two agree at first. The
# initial kernel predicts that the higher tones are not learned within these steps, but the network learns all.
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for tone, colour in zip(
    [1, 2, 3, 5], plt.cm.viridis([0, 0.3, 0.6, 0.9]), strict=True
):
    for record, style in ((probe.record, "-"), (prediction.record, "--")):
        error = metrics.relative_error(metrics.combine_channels(record))
        band = int((record.band_high.values > tone).argmax())
        ax.plot(
            record.step[1:],
            error[1:, band],
            style,
            color=colour,
            label=f"{tone} cycles" if style == "-" else None,
        )
ax.set(xscale="log", xlabel="Step", ylabel="Relative error", ylim=(0, 1.3))
ax.legend()
plt.show()
