"""
Can I know the learning steps before training?
==============================================

The prediction follows the tangent kernel of the network as it changes. It trains a copy for a twentieth of the
steps and computes the remaining ones. Here the result is compared with the real training run.
"""

import matplotlib.pyplot as plt
import torch

import overtone as ot
from overtone.theory.dynamics import Agreement, predict

metrics = ot.records.metrics
signal = ot.signals.synthetic.harmonics(
    [1, 2, 4, 8, 12, 16], samples=48, seed=0
)
encoding = ot.nn.encodings.Gaussian(1, 64, sigma=4.0, seed=0)
restore = ot.nn.OutputScaling(
    signal.normalisation.offset, signal.normalisation.scale
)
field = ot.nn.Field(
    encoding, ot.nn.MLP(128, 1, width=64, depth=2, seed=0), restore=restore
)
optimizer = torch.optim.Adam(field.parameters(), lr=1e-4)

prediction = predict(
    signal, field, optimizer, steps=400, pilot=20
)  # neither field nor optimizer is changed

# %%
# The real run, recorded by a probe:
target = signal.normalisation.apply(signal.values)
with ot.Probe(signal, field) as probe:
    for step in range(401):
        loss = (field.normalised(signal.coords) - target).square().mean()
        probe(step, loss.detach())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# %%
# On the dashed line the predicted and the measured step are equal. The order of the tones is right; all of them
# are predicted somewhat too early.
predicted, measured = (
    metrics.learning_step(metrics.combine_channels(record))
    for record in (prediction.record, probe.record)
)
fig, ax = plt.subplots(figsize=(6, 4.6), layout="constrained")
points = ax.scatter(
    measured[1:], predicted[1:], c=prediction.record.band[1:], cmap="viridis"
)
ax.plot([0, 300], [0, 300], "--", color="0.5")
ax.set(
    xlabel="Measured learning step",
    ylabel="Predicted learning step",
    aspect="equal",
)
fig.colorbar(points, label=f"Frequency ({signal.geometry.frequency_unit})")
print(
    f"median factor between the two: {Agreement.between(prediction.record, probe.record).median_factor:.2f}"
)
plt.show()
