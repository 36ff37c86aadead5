"""
Which stopping rule works without a clean picture?
==================================================

A clean picture is rarely at hand. Three rules choose the step at which training should stop from what is usually
known: held-out samples, the noise variance, or the spectrum above the noise floor.
"""

import matplotlib.pyplot as plt
import skimage.data
import skimage.transform

import overtone as ot
from overtone import early_stopping

picture = skimage.transform.resize(
    skimage.data.camera(), (48, 48), anti_aliasing=True
)
noisy = ot.signals.synthetic.add_noise(
    ot.signals.image(picture), std=0.1, seed=0
)
run = ot.fit(
    noisy,
    steps=250,
    width=64,
    depth=2,
    features=64,
    bandwidth=5,
    stop=False,
    seed=0,
)
variance = (
    run.record.attrs["noise_std"] ** 2
)  # estimated from the noisy picture

rules = {
    "held-out pixels": early_stopping.HeldOut(),
    "spectrum above the noise": early_stopping.BandErrors.of(run.record),
    "training error = noise": early_stopping.DiscrepancyPrinciple(variance),
}

# %%
# The curve is the error against the clean picture, which none of the rules uses. All three stop near its minimum,
# long before the end, where the network has learned much of the noise.
step, error = run.record.step[1:], run.record.clean_error[1:] ** 0.5
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.loglog(step, error, color="0.3", label="error against the clean picture")
for (name, rule), marker in zip(rules.items(), "osD", strict=True):
    chosen = rule.evaluate(run.record).step
    at = float(error.sel(step=chosen))
    ax.plot(chosen, at, marker, markersize=9, fillstyle="none", label=name)
    print(
        f"{name}: step {chosen}, error {at:.4f} (smallest possible {float(error.min()):.4f})"
    )
ax.set(xlabel="Step", ylabel="Root mean square error (brightness)")
ax.legend()
plt.show()
