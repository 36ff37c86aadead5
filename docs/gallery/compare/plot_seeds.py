"""
Is the difference between two networks larger than chance?
==========================================================

Three seeds of each of two networks are joined. Learning steps are compared with their spread over the seeds.
"""

import matplotlib.pyplot as plt

import overtone as ot

tones = [1, 2, 3, 5, 8]
signal = ot.signals.synthetic.harmonics(tones, samples=96, seed=0)
metrics = ot.records.metrics


def learned(seed, **options):
    """Return the record of one fit."""
    options |= {
        "steps": 300,
        "width": 48,
        "depth": 2,
        "lr": 3e-3,
        "held_out": 0,
        "stop": False,
    }
    return ot.fit(signal, seed=seed, **options).record


networks = {
    "tanh": {"activation": "tanh", "encoding": "none"},
    "Fourier features": {"bandwidth": 4.0, "features": 32},
}

# %%
# Each mark is one seed; tones that were not learned within 300 steps have none. The marks of the two networks do not
# overlap, so the difference is not chance. The exponent is the slope: how much later higher frequencies are learned.
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for (name, options), marker in zip(networks.items(), "os", strict=True):
    runs = ot.records.concat(
        [learned(seed, **options) for seed in range(3)], dim="seed"
    )
    steps = metrics.learning_step(metrics.combine_channels(runs))
    law = metrics.exponent(runs)
    for seed in range(3):
        label = (
            f"{name}: exponent {law.value:.1f} ({law.low:.1f} to {law.high:.1f})"
            if seed == 0
            else None
        )
        ax.loglog(
            runs.band[1:],
            steps.isel(seed=seed)[1:],
            marker,
            color={"o": "C0", "s": "C1"}[marker],
            label=label,
        )
ax.set(xlabel="Frequency (cycles per array)", ylabel="Learning step")
ax.set_xticks(tones, tones)
ax.minorticks_off()
fig.legend(loc="outside upper center")
plt.show()
