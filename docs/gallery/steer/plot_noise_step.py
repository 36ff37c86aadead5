"""
At which step does the network begin to fit the noise?
======================================================

A network with a high bandwidth learns a noisy picture. The record says from which step on the prediction contains
noise, and at which step the error against the clean picture is smallest.
"""

import matplotlib.pyplot as plt
import skimage.data
import skimage.transform

import overtone as ot

picture = skimage.transform.resize(
    skimage.data.camera(), (48, 48), anti_aliasing=True
)
noisy = ot.signals.synthetic.add_noise(
    ot.signals.image(picture), std=0.1, seed=0
)
run = ot.fit(
    noisy,
    steps=200,
    stop=False,
    width=64,
    depth=2,
    features=64,
    bandwidth=8,
    seed=0,
)

metrics, record = ot.records.metrics, run.record
onset, best = metrics.noise_onset(record), metrics.stop(record)

# %%
# The error on the noisy training pixels falls to the end, so it cannot tell when to stop. The error against the
# clean picture rises again soon after the first noise is learned.
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.loglog(
    record.step[1:],
    record.train_error[1:] ** 0.5,
    label="on the noisy training pixels",
)
ax.loglog(
    record.step[1:],
    record.clean_error[1:] ** 0.5,
    label="against the clean picture",
)
ax.axvline(onset, color="C3", linestyle=":", label="the first noise is learned")
ax.axvline(best.step, color="black", linestyle="--", label="best step")
ax.set(xlabel="Step", ylabel="Root mean square error (brightness)")
ax.legend()
print(
    f"noise from step {onset}, best step {best.step}, "
    f"mean square error at the end {best.last_error / best.error:.1f} times the best"
)
plt.show()
